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
mod compose;
mod files;
mod identity;
mod purge;
mod read;
mod sending;
mod units;
mod upstream;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

pub(crate) use self::access_log::AccessLog;
pub(crate) use self::at_once::AtOnce;
pub(crate) use self::check::{all_conditions, server, target};
pub(crate) use self::compose::{Compose, Part};
pub(crate) use self::files::{Files, Stamp, stamp};
pub(crate) use self::identity::{
    Auth, Away, CalledBy, Certificates, Forwarded, Introspection, Issuer, Keys, Named,
};
pub(crate) use self::purge::PurgeOn;
use self::read::Finding;
pub use self::read::{Source, TableError, TableErrors};
pub(crate) use self::sending::{After, Hedge, PerServer};
pub(crate) use self::units::Size;
pub(crate) use self::upstream::{Ejection, Health, Upstream};
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
    /// Whose certificates count.
    #[serde(default)]
    pub(crate) certificates: BTreeMap<String, Spanned<Certificates>>,
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
    /// Whether the shop answers: its services in this process, and the instances of its other roles, also
    /// those that announce themselves.
    #[serde(default)]
    pub(crate) shop: bool,
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

const fn one() -> u8 {
    1
}

const fn permanent() -> u16 {
    308
}
