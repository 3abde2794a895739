//! Who calls, for routes of the table that want to know.
//!
//! A route has one [`Guard`]. It looks for what the request presents, has it verified by the
//! one source that it belongs to (an [`issuer`] by the claim `iss`, an [`introspection`], a
//! file of [`keys`], the [`certificates`] of clients), checks what the route [wants](access),
//! [tells](tell) the upstream, and leaves the [`Identity`] in the request's extensions for what comes
//! after.
//!
//! ```text
//! request -> strip what only the gateway may say -> presented? -> verified? -> enough? -> inside
//!                                                   401           401, 503     403
//! ```

mod access;
mod certificates;
mod fetch;
mod guard;
mod introspection;
mod issuer;
mod jwks;
mod keys;
mod presented;
mod refusal;
mod revoked;
mod secret;
mod sources;
mod tell;
mod verified;

use std::fmt::Write as _;
use std::sync::Arc;

use kernel::Timestamp;
use serde_json::{Map, Value};

pub(crate) use self::guard::Guard;
pub(crate) use self::keys::read as read_keys;
pub(crate) use self::revoked::SharedRevocations;
pub use self::revoked::{Full, Revocation, RevokeError};
pub(crate) use self::secret::{client as client_secret, shared as read_secret};
pub(crate) use self::sources::{Identities, Shared};

/// Who calls, as verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// The name of the issuer, introspection, file of keys or kind of certificates that says so.
    pub source: Arc<str>,
    /// Who, in the words of the source.
    pub subject: String,
    /// What they may ask for.
    pub scopes: Vec<String>,
    /// What they are.
    pub roles: Vec<String>,
    /// Everything that the source says.
    pub claims: Map<String, Value>,
    /// When this ends; never for a key.
    pub expires: Option<Timestamp>,
}

impl Identity {
    /// From what a token, or a server that was asked about one, says; `roles` is the claim with
    /// the roles.
    fn from_claims(
        source: &Arc<str>,
        subject: &str,
        roles: &str,
        claims: Map<String, Value>,
    ) -> Self {
        let scopes = claims.get("scope").or_else(|| claims.get("scp"));
        let all = scopes.map(texts).unwrap_or_default();
        let scopes = all.iter().flat_map(|text| text.split_ascii_whitespace());
        Self {
            source: source.clone(),
            subject: subject.to_owned(),
            scopes: scopes.map(str::to_owned).collect(),
            roles: look_up(&claims, roles).map(texts).unwrap_or_default(),
            expires: date(&claims, "exp"),
            claims,
        }
    }

    /// A claim by its name; `a.b` is also the claim `b` inside `a`.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        look_up(&self.claims, name)
    }

    fn token_id(&self) -> Option<&str> {
        self.claims.get("jti")?.as_str()
    }

    fn issued(&self) -> Option<Timestamp> {
        date(&self.claims, "iat")
    }
}

fn look_up<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (outer, rest) = name.split_once('.')?;
    look_up(claims.get(outer)?.as_object()?, rest)
}

/// A text, or the texts of a list.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(all) => all
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

/// A `NumericDate` (RFC 7519, section 2), rounded down.
fn date(claims: &Map<String, Value>, name: &str) -> Option<Timestamp> {
    let value = claims.get(name)?;
    let seconds = match value.as_i64() {
        Some(seconds) => seconds,
        None => value.as_f64()?.floor() as i64,
    };
    Some(Timestamp::from_micros(seconds.saturating_mul(1_000_000)))
}

/// The audience of a token: one of `wanted` must be in it.
fn is_for(claims: &Map<String, Value>, wanted: &[String]) -> bool {
    let audience = claims.get("aud").map(texts).unwrap_or_default();
    audience.iter().any(|one| wanted.contains(one))
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a text cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

/// What a token is remembered by: never itself.
fn fingerprint(token: &str) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}
