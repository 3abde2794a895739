//! The table of routes and upstreams, as a file says it.
//!
//! ```toml
//! [gateway.upstream.catalogue]
//! servers = ["http://10.0.0.1:8000", "http://10.0.0.2:8000"]
//!
//! [[gateway.route]]
//! name = "catalogue"
//! path = "/catalogue/{*rest}"
//! upstream = "catalogue"
//! rewrite = "/{rest}"
//! ```
//!
//! Every key is strict, and everything that is wrong is told at once, with its line.

mod access_log;
mod at_once;
mod check;
mod files;
mod identity;
mod purge;
mod sending;
mod units;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

pub(crate) use self::access_log::AccessLog;
pub(crate) use self::at_once::AtOnce;
pub(crate) use self::check::{all_conditions, server, target};
pub(crate) use self::files::Files;
pub(crate) use self::identity::{Auth, Away, Forwarded, Introspection, Issuer, Keys, Named};
pub(crate) use self::purge::PurgeOn;
pub(crate) use self::sending::{After, Concurrency, Hedge, PerServer};
use self::units::Percent;
pub(crate) use self::units::Size;
use crate::cache::CacheSettings;
use crate::limit::LimitSettings;
use crate::transform::{RequestSettings, ResponseSettings};
use crate::validate::{ValidateSettings, Validations};

/// Everything that the file says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    /// Which requests have a line in the log; none without it.
    #[serde(default)]
    pub(crate) access_log: Option<AccessLog>,
    /// In the order of the file.
    #[serde(default, rename = "route")]
    pub(crate) routes: Vec<Spanned<Route>>,
    /// Answers that are put together.
    #[serde(default, rename = "compose")]
    pub(crate) composes: Vec<Spanned<Compose>>,
    /// What events take out of the cache.
    #[serde(default, rename = "purge")]
    pub(crate) purges: Vec<Spanned<PurgeOn>>,
    /// By their names.
    #[serde(default, rename = "upstream")]
    pub(crate) upstreams: BTreeMap<String, Spanned<Upstream>>,
    /// Who issues tokens.
    #[serde(default, rename = "issuer")]
    pub(crate) issuers: BTreeMap<String, Spanned<Issuer>>,
    /// Who is asked about tokens that say nothing themselves.
    #[serde(default, rename = "introspection")]
    pub(crate) introspections: BTreeMap<String, Spanned<Introspection>>,
    /// Files of API keys.
    #[serde(default)]
    pub(crate) keys: BTreeMap<String, Spanned<Keys>>,
    /// The documents that routes name, compiled.
    #[serde(skip)]
    pub(crate) validations: Validations,
}

/// `[[gateway.route]]`: which requests, and where to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    /// In metrics, logs and `explain`.
    pub(crate) name: String,
    /// `api.example.com` or `*.example.com`; none for any.
    #[serde(default)]
    pub(crate) hosts: Vec<String>,
    /// `/v1/products/{id}`, `/files/{*path}`.
    pub(crate) path: String,
    /// None for any.
    #[serde(default)]
    pub(crate) methods: Vec<String>,
    /// Fields that a request must have: the value, or `*` for any.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// The upstream that answers.
    #[serde(default)]
    pub(crate) upstream: Option<String>,
    /// Several, each with its share: `{ stable = 95, canary = 5 }`.
    #[serde(default)]
    pub(crate) upstreams: BTreeMap<String, u32>,
    /// Sends the client elsewhere.
    #[serde(default)]
    pub(crate) redirect: Option<Redirect>,
    /// The path that the upstream sees, from the captures of `path`: `/{rest}`.
    #[serde(default)]
    pub(crate) rewrite: Option<String>,
    /// Whether the upstream sees the `Host` of the client, or its own.
    #[serde(default)]
    pub(crate) keep_host: bool,
    /// How long the upstream may take for the head of its answer, all tries together; at most
    /// `http.deadline`.
    #[serde(default, deserialize_with = "units::duration")]
    pub(crate) deadline: Option<Duration>,
    /// How often a request is sent again; only what does no harm when repeated.
    #[serde(default = "one")]
    pub(crate) retries: u8,
    /// Asks a second server when the first takes long.
    #[serde(default)]
    pub(crate) hedge: Option<Hedge>,
    /// Who may call; anybody without it.
    #[serde(default)]
    pub(crate) auth: Option<Auth>,
    /// The largest body; by default what the upstream takes.
    #[serde(default)]
    pub(crate) body_limit: Option<Size>,
    /// How many requests are answered at once.
    #[serde(default, deserialize_with = "at_once::at_once")]
    pub(crate) concurrency: Option<AtOnce>,
    /// How often its requests are let through; a request takes from all rules, or from none.
    #[serde(default, rename = "limit")]
    pub(crate) limits: Vec<LimitSettings>,
    /// Answers that are kept, if any are.
    #[serde(default)]
    pub(crate) cache: Option<CacheSettings>,
    /// Refuses requests that are not as a document says.
    #[serde(default)]
    pub(crate) validate: Option<ValidateSettings>,
    /// Changes requests.
    #[serde(default)]
    pub(crate) request: Option<RequestSettings>,
    /// Changes responses.
    #[serde(default)]
    pub(crate) response: Option<ResponseSettings>,
}

/// Sends the client elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Redirect {
    /// A path or a URL, with the captures of the route and `{query}`.
    pub(crate) to: String,
    /// 301, 302, 303, 307 or 308.
    #[serde(default = "permanent")]
    pub(crate) status: u16,
}

/// `[[gateway.compose]]`: an answer to `GET`, put together from several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Compose {
    /// In metrics, logs and `explain`.
    pub(crate) name: String,
    /// As for a route.
    pub(crate) path: String,
    /// As for a route.
    #[serde(default)]
    pub(crate) hosts: Vec<String>,
    /// How long all of it may take; at most `http.deadline`.
    #[serde(default, deserialize_with = "units::duration")]
    pub(crate) deadline: Option<Duration>,
    /// By their names in the answer.
    #[serde(rename = "part")]
    pub(crate) parts: BTreeMap<String, Part>,
}

/// `[gateway.compose.part.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// A target of this gateway: with captures of the path, `{query}`, and what other parts have
    /// found, such as `{cart.lines.0.product_id}`: then it comes after them.
    pub(crate) get: String,
    /// Whether there is no answer without it.
    #[serde(default)]
    pub(crate) required: bool,
    /// How long it may take.
    #[serde(default = "one_second", deserialize_with = "units::some_duration")]
    pub(crate) deadline: Duration,
    /// JSON that takes its place when it is missing.
    #[serde(default = "null")]
    pub(crate) fallback: String,
    /// For how long a document is as good as new; only of parts that are the same for everybody.
    #[serde(default, deserialize_with = "units::duration")]
    pub(crate) cache: Option<Duration>,
    /// Fields of the request that it gets.
    #[serde(default = "told")]
    pub(crate) pass: Vec<String>,
    /// The longest document.
    #[serde(default)]
    pub(crate) limit: Size,
}

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
    /// How long opening a connection may take.
    #[serde(default = "one_second", deserialize_with = "units::some_duration")]
    pub(crate) connect_timeout: Duration,
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

fn null() -> String {
    String::from("null")
}
fn told() -> Vec<String> {
    vec![
        String::from("authorization"),
        String::from("accept-language"),
    ]
}
const fn one() -> u8 {
    1
}
const fn two() -> u32 {
    2
}
const fn three() -> u32 {
    3
}
const fn permanent() -> u16 {
    308
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
const fn fifty_seconds() -> Duration {
    Duration::from_secs(50)
}

/// Where a table comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file, read again when it changes.
    File(PathBuf),
    /// That of the demo shop, part of the program.
    Demo,
}

impl Source {
    /// What `gateway.routes` says: a file, or `demo:`.
    pub fn new(text: &str) -> Self {
        match text {
            "demo:" => Self::Demo,
            file => Self::File(file.into()),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableError {
    /// The line that it is about.
    pub line: Option<usize>,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// Everything that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableErrors {
    /// Which file.
    pub file: PathBuf,
    /// In the order of their lines.
    pub errors: Vec<TableError>,
}

impl fmt::Display for TableErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, TableError { line, problem }) in self.errors.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}", self.file.display())?;
            if let Some(line) = line {
                write!(f, ":{line}")?;
            }
            write!(f, ": {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for TableErrors {}

/// What is wrong, and where in the text.
type Finding = (Option<Range<usize>>, String);

impl Table {
    /// Reads and checks a table; `files` are those that it was made of.
    pub(crate) fn read(source: &Source, files: &mut Files) -> Result<Self, TableErrors> {
        let file = match source {
            Source::File(file) => file,
            Source::Demo => {
                let text = include_str!("../../../data/demo-routes.toml");
                return Self::parse(text, Path::new("data/demo-routes.toml"), files);
            }
        };
        match files.read(file) {
            Ok(text) => Self::parse(&text, file, files),
            Err(error) => Err(TableErrors {
                file: file.to_owned(),
                errors: vec![TableError {
                    line: None,
                    problem: format!("the table of routes cannot be read: {error}"),
                }],
            }),
        }
    }

    /// Reads and checks a text; `file` is for the errors, and the files that it names are beside it.
    pub(crate) fn parse(text: &str, file: &Path, files: &mut Files) -> Result<Self, TableErrors> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            #[serde(default)]
            gateway: Table,
        }
        let findings: Vec<Finding> = match toml::from_str::<File>(text) {
            Ok(File { mut gateway }) => {
                let mut findings = check::findings(&gateway);
                let folder = file.parent().unwrap_or(Path::new(""));
                findings.extend(Validations::read(&mut gateway, folder, files));
                if findings.is_empty() {
                    return Ok(gateway);
                }
                findings
            }
            Err(error) => vec![(error.span(), error.message().to_owned())],
        };
        let line =
            |span: Range<usize>| text[..span.start.min(text.len())].matches('\n').count() + 1;
        let errors = findings.into_iter().map(|(span, problem)| TableError {
            line: span.map(line),
            problem,
        });
        let mut errors: Vec<TableError> = errors.collect();
        errors.sort_by_key(|error| error.line);
        Err(TableErrors {
            file: file.to_owned(),
            errors,
        })
    }
}
