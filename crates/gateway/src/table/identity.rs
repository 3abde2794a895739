//! Who calls: issuers of tokens, and what a route wants of its callers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde::Deserialize;

use super::units;

/// `[gateway.issuer.NAME]`: verifies tokens that carry their claims (RFC 7519).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Issuer {
    /// What the claim `iss` must be, to the letter.
    pub(crate) issuer: String,
    /// Where its public keys are (RFC 7517).
    #[serde(default)]
    pub(crate) jwks: Option<String>,
    /// One of these must be in the claim `aud`.
    pub(crate) audience: Vec<String>,
    /// What tokens may be signed with.
    #[serde(default = "algorithms")]
    pub(crate) algorithms: Vec<Algorithm>,
    /// The secret of HS256, at least 32 bytes; read when the table is.
    #[serde(default)]
    pub(crate) secret_file: Option<PathBuf>,
    /// How often the keys are asked for.
    #[serde(default = "ten_minutes", deserialize_with = "units::some_duration")]
    pub(crate) refresh: Duration,
    /// For how long keys go on counting when they cannot be asked for.
    #[serde(default = "one_hour", deserialize_with = "units::some_duration")]
    pub(crate) stale: Duration,
    /// How far its clock may be from ours.
    #[serde(default = "thirty_seconds", deserialize_with = "units::some_duration")]
    pub(crate) skew: Duration,
    /// How long an answer with keys may take.
    #[serde(default = "three_seconds", deserialize_with = "units::some_duration")]
    pub(crate) deadline: Duration,
    /// The claim with the roles; `realm_access.roles` for one inside another.
    #[serde(default = "roles")]
    pub(crate) roles: String,
}

/// `[gateway.introspection.NAME]`: asks a server about each token (RFC 7662).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Introspection {
    /// The endpoint.
    pub(crate) url: String,
    /// Who asks.
    pub(crate) client_id: String,
    /// A file with the secret; read when the table is.
    #[serde(default)]
    pub(crate) secret_file: Option<PathBuf>,
    /// A variable of the environment with the secret.
    #[serde(default)]
    pub(crate) secret_env: Option<String>,
    /// One of these must be in the answer's `aud`; any without it.
    #[serde(default)]
    pub(crate) audience: Vec<String>,
    /// For how long an answer is as good as new, at most.
    #[serde(default = "thirty_seconds", deserialize_with = "units::some_duration")]
    pub(crate) cache: Duration,
    /// How long an answer may take.
    #[serde(default = "one_second", deserialize_with = "units::some_duration")]
    pub(crate) deadline: Duration,
    /// What happens when there is none.
    #[serde(default)]
    pub(crate) when_away: Away,
    /// As for an issuer.
    #[serde(default = "roles")]
    pub(crate) roles: String,
}

/// What happens when nobody can say whether a token counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Away {
    /// 503.
    #[default]
    Closed,
    /// The request goes on as nobody's, where the route wants nothing but a token.
    Open,
}

/// `[gateway.keys.NAME]`: API keys, by their digests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    /// Lines `NAME SHA256HEX scope,scope`, read again when it changes.
    pub(crate) file: PathBuf,
    /// Where keys are looked for, beside `Authorization: Bearer`.
    #[serde(default = "api_key")]
    pub(crate) header: String,
}

/// `[gateway.certificates.NAME]`: clients that have shown a certificate when they connected.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Certificates {
    /// Which of its names the owner is called by.
    #[serde(default)]
    pub(crate) called_by: CalledBy,
    /// Those who are called so, or begin so if a `*` is at the end; all without it.
    #[serde(default)]
    pub(crate) allow: Vec<String>,
    /// What all of them may ask for.
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    /// What all of them are.
    #[serde(default)]
    pub(crate) roles: Vec<String>,
}

/// A name in a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CalledBy {
    /// Its subject, as RFC 4514 writes it.
    #[default]
    Subject,
    /// The first host that it is for.
    Dns,
    /// The first URI, as SPIFFE has them.
    Uri,
    /// The first mail address.
    Email,
    /// Its SHA-256, in hexadecimal digits.
    Sha256,
}

/// `[gateway.route.auth]`: who may call a route.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Auth {
    /// Names of issuers, introspections, files of keys and certificates.
    pub(crate) by: Vec<String>,
    /// Whether nobody may call too. A bad token is refused all the same.
    #[serde(default)]
    pub(crate) optional: bool,
    /// All of these.
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    /// One of these.
    #[serde(default)]
    pub(crate) roles: Vec<String>,
    /// What claims must be, or hold.
    #[serde(default)]
    pub(crate) claims: BTreeMap<String, String>,
    /// What the upstream learns, and in which headers.
    #[serde(default)]
    pub(crate) forward: Forwarded,
    /// Whether the token or key stays here.
    #[serde(default)]
    pub(crate) strip: bool,
}

/// Headers by which the upstream learns who calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Forwarded {
    /// The name of the issuer, introspection or file.
    pub(crate) source: Option<String>,
    pub(crate) subject: Option<String>,
    /// With a space between two.
    pub(crate) scopes: Option<String>,
    /// As a JSON array.
    pub(crate) roles: Option<String>,
    /// Texts as they are, anything else as JSON.
    pub(crate) claims: BTreeMap<String, String>,
}

impl Forwarded {
    /// All headers.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &String> {
        let named = [&self.source, &self.subject, &self.scopes, &self.roles];
        named.into_iter().flatten().chain(self.claims.values())
    }
}

/// What a name in `by` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    Issuer,
    Introspection,
    Keys,
    Certificates,
}

impl super::Table {
    /// What `name` stands for in `by`.
    pub(crate) fn named(&self, name: &str) -> Option<Named> {
        if self.issuers.contains_key(name) {
            Some(Named::Issuer)
        } else if self.introspections.contains_key(name) {
            Some(Named::Introspection)
        } else if self.keys.contains_key(name) {
            Some(Named::Keys)
        } else {
            let known = self.certificates.contains_key(name);
            known.then_some(Named::Certificates)
        }
    }
}

fn algorithms() -> Vec<Algorithm> {
    vec![Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256]
}
fn roles() -> String {
    String::from("roles")
}
fn api_key() -> String {
    String::from("x-api-key")
}
const fn one_second() -> Duration {
    Duration::from_secs(1)
}
const fn three_seconds() -> Duration {
    Duration::from_secs(3)
}
const fn thirty_seconds() -> Duration {
    Duration::from_secs(30)
}
const fn ten_minutes() -> Duration {
    Duration::from_secs(600)
}
const fn one_hour() -> Duration {
    Duration::from_secs(3600)
}
