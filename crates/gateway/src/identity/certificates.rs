//! Clients that have shown a certificate when they connected (mTLS), as callers. The listener has verified
//! it; here it becomes an [`Identity`], whose claims are what the certificate says.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use wire::tls::{ClientCertificate, Name};

use super::refusal::Refused;
use super::{Identity, Shared, date};
use crate::table::{self, CalledBy};

/// Certificates whose identities are remembered; others are read again.
const KNOWN: usize = 10_000;

/// Who is known by certificates.
#[derive(Debug)]
pub(super) struct Certificates {
    name: Arc<str>,
    pub(super) definition: table::Certificates,
    shared: Shared,
    /// By their SHA-256.
    known: quick_cache::sync::Cache<[u8; 32], Arc<Identity>>,
}

impl Certificates {
    pub(super) fn new(name: &str, definition: &table::Certificates, shared: &Shared) -> Self {
        Self {
            name: name.into(),
            definition: definition.clone(),
            shared: shared.clone(),
            known: quick_cache::sync::Cache::new(KNOWN),
        }
    }

    /// Whose certificate it is, if it counts here and now: a connection may last longer than it.
    pub(super) fn owner(&self, shown: &ClientCertificate) -> Result<Arc<Identity>, Refused> {
        let identity = match self.known.get(shown.fingerprint()) {
            Some(known) => known,
            None => {
                let read = Arc::new(self.identity(shown)?);
                self.known.insert(*shown.fingerprint(), read.clone());
                read
            }
        };
        let now = self.shared.sources.now();
        if identity.expires.is_some_and(|expires| expires <= now) {
            return Err(Refused::BadToken("the certificate has expired"));
        }
        if self.shared.revocations.has(&identity) {
            return Err(Refused::BadToken("the certificate was revoked"));
        }
        Ok(identity)
    }

    fn identity(&self, shown: &ClientCertificate) -> Result<Identity, Refused> {
        let table::Certificates {
            called_by,
            allow,
            scopes,
            roles,
        } = &self.definition;
        let subject = subject(shown, *called_by);
        let subject = subject.ok_or(Refused::Forbidden("the certificate has no such name"))?;
        let allowed = |wanted: &String| match wanted.strip_suffix('*') {
            Some(start) => subject.starts_with(start),
            None => subject == *wanted,
        };
        if !allow.is_empty() && !allow.iter().any(allowed) {
            return Err(Refused::Forbidden(
                "the certificate is of nobody who may call",
            ));
        }
        let claims = claims(shown);
        Ok(Identity {
            source: self.name.clone(),
            subject,
            scopes: scopes.clone(),
            roles: roles.clone(),
            expires: date(&claims, "exp"),
            claims,
        })
    }
}

/// What its owner is called.
fn subject(shown: &ClientCertificate, called_by: CalledBy) -> Option<String> {
    let first = |of: fn(&Name) -> bool| {
        let name = shown.names().iter().find(|name| of(name));
        name.map(ToString::to_string)
    };
    match called_by {
        CalledBy::Subject => Some(shown.subject().to_owned()).filter(|name| !name.is_empty()),
        CalledBy::Dns => first(|name| matches!(name, Name::Dns(_))),
        CalledBy::Uri => first(|name| matches!(name, Name::Uri(_))),
        CalledBy::Email => first(|name| matches!(name, Name::Email(_))),
        CalledBy::Sha256 => Some(sha256(shown)),
    }
}

fn sha256(shown: &ClientCertificate) -> String {
    let bytes = shown.fingerprint().iter();
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 of a certificate as its claims have it, from however programs write it: `AB:CD:...`.
pub(super) fn fingerprint_of(written: &str) -> Option<String> {
    let digits = written.replace(':', "").to_ascii_lowercase();
    let plain = digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    plain.then_some(digits)
}

/// All that it says, and what stands for the id and the times of a token.
fn claims(shown: &ClientCertificate) -> Map<String, Value> {
    let named = |of: fn(&Name) -> bool| -> Value {
        let names = shown.names().iter().filter(|name| of(name));
        names.map(ToString::to_string).collect()
    };
    let id = sha256(shown);
    // As the field `Client-Cert` has it (RFC 9440, section 2.1).
    let whole = format!(":{}:", STANDARD.encode(shown.der()));
    let claims: [(&str, Value); 10] = [
        ("subject", shown.subject().into()),
        ("dns", named(|name| matches!(name, Name::Dns(_)))),
        ("ip", named(|name| matches!(name, Name::Ip(_)))),
        ("uri", named(|name| matches!(name, Name::Uri(_)))),
        ("email", named(|name| matches!(name, Name::Email(_)))),
        ("sha256", id.clone().into()),
        ("certificate", whole.into()),
        ("jti", id.into()),
        ("iat", shown.issued().into()),
        ("exp", shown.expires().into()),
    ];
    let claims = claims.into_iter();
    claims
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::fingerprint_of;

    #[test]
    fn a_fingerprint_is_read_however_it_is_written() {
        let plain = "ab".repeat(32);
        let printed = vec!["AB"; 32].join(":");
        for written in [&plain, &printed] {
            assert_eq!(fingerprint_of(written).as_ref(), Some(&plain));
        }
        for none in ["", "ab", &"xy".repeat(32), &"ab".repeat(33)] {
            assert_eq!(fingerprint_of(none), None, "{none}");
        }
    }
}
