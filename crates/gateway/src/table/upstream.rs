//! Servers that are all alike, and what is known of them.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::sending::{self, Concurrency};
use super::units::{self, Percent};

/// `[gateway.upstream.NAME]`: servers that are all alike.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Upstream {
    /// Their URLs.
    #[serde(default)]
    pub(crate) servers: Vec<String>,
    /// A URL whose name is looked up again and again: each address is a server.
    #[serde(default)]
    pub(crate) dns: Option<String>,
    /// A file with one URL on each line, read again when it changes.
    #[serde(default)]
    pub(crate) file: Option<PathBuf>,
    /// How often `dns` and `file` are looked at.
    #[serde(default = "ten_seconds", deserialize_with = "units::some_duration")]
    pub(crate) refresh: Duration,
    /// Whether they speak HTTP/2 without having agreed on it (gRPC over plain TCP).
    #[serde(default)]
    pub(crate) http2: bool,
    /// Requests that may share a connection, if they are sent at once and may be sent again: their answers
    /// come one after the other.
    #[serde(default = "one")]
    pub(crate) pipeline: usize,
    /// How long opening a connection may take.
    #[serde(default = "one_second", deserialize_with = "units::some_duration")]
    pub(crate) connect_timeout: Duration,
    /// How long a server may be silent within an answer.
    #[serde(default = "five_minutes", deserialize_with = "units::some_duration")]
    pub(crate) read_timeout: Duration,
    /// How long a connection is kept that nobody uses; less than the servers keep it.
    #[serde(default = "fifty_seconds", deserialize_with = "units::some_duration")]
    pub(crate) idle_timeout: Duration,
    /// Connections that each worker keeps to each server while nobody uses them.
    #[serde(default = "idle")]
    pub(crate) idle: usize,
    /// Requests that may be on their way at once; more are refused with 503.
    #[serde(default, deserialize_with = "sending::concurrency")]
    pub(crate) concurrency: Concurrency,
    /// Asks each server how it is.
    #[serde(default)]
    pub(crate) health: Option<Health>,
    /// Leaves out servers that fail.
    #[serde(default)]
    pub(crate) ejection: Ejection,
    /// How many requests may be sent again, in per cent of all.
    #[serde(default)]
    pub(crate) retry_budget: Percent,
    /// A server that is new, or back, gets its full share only after this time.
    #[serde(default, deserialize_with = "units::some_duration")]
    pub(crate) slow_start: Duration,
}

/// As an empty table says it.
impl Default for Upstream {
    fn default() -> Self {
        toml::from_str("").expect("every key has a default")
    }
}

/// Active health checks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Health {
    /// What is asked for; 2xx is well.
    pub(crate) path: String,
    /// How often.
    #[serde(default = "two_seconds", deserialize_with = "units::some_duration")]
    pub(crate) interval: Duration,
    /// How long an answer may take.
    #[serde(default = "one_second", deserialize_with = "units::some_duration")]
    pub(crate) timeout: Duration,
    /// Good answers in a row that bring a server back.
    #[serde(default = "two")]
    pub(crate) healthy: u32,
    /// Bad ones that take it out.
    #[serde(default = "three")]
    pub(crate) unhealthy: u32,
}

/// Outlier ejection, a circuit breaker for each server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ejection {
    /// Failures in a row (no connection, no answer, 502, 503, 504) that eject a server; 0 for never.
    pub(crate) failures: u32,
    /// For how long at first; each further time twice as long, up to 5 minutes. The first request
    /// after that decides whether it is back.
    #[serde(rename = "for", deserialize_with = "units::some_duration")]
    pub(crate) duration: Duration,
}

impl Default for Ejection {
    fn default() -> Self {
        Self {
            failures: 5,
            duration: Duration::from_secs(5),
        }
    }
}

const fn one() -> usize {
    1
}

const fn two() -> u32 {
    2
}

const fn three() -> u32 {
    3
}

const fn idle() -> usize {
    128
}

const fn one_second() -> Duration {
    Duration::from_secs(1)
}

const fn two_seconds() -> Duration {
    Duration::from_secs(2)
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

const fn five_minutes() -> Duration {
    Duration::from_secs(300)
}

const fn fifty_seconds() -> Duration {
    Duration::from_secs(50)
}
