//! Answers that are put together.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::units::{self, Size};

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

fn null() -> String {
    String::from("null")
}

fn told() -> Vec<String> {
    vec![
        String::from("authorization"),
        String::from("accept-language"),
    ]
}

const fn one_second() -> Duration {
    Duration::from_secs(1)
}
