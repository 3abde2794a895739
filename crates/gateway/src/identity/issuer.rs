//! Tokens that carry their claims, signed by who has issued them (RFC 7519).

use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use kernel::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::jwks::{Key, Keyring};
use super::refusal::Refused;
use super::sources::Shared;
use super::verified::{Known, Verified};
use super::{Identity, date, secret};
use crate::table;

/// Verifies the tokens of one issuer.
pub(super) struct Issuer {
    pub(super) name: Arc<str>,
    pub(super) definition: table::Issuer,
    keyring: Option<Keyring>,
    secret: Option<DecodingKey>,
    verified: Verified,
    shared: Shared,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issuer({})", self.name)
    }
}

/// The issuer that a token says it has, which proves nothing: it says whose keys to try.
pub(super) fn says(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Says {
        iss: String,
    }
    let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Says>(token);
    claims.ok().map(|claims| claims.iss)
}

impl Issuer {
    pub(super) fn new(name: &str, definition: &table::Issuer, shared: &Shared) -> Self {
        platform::auth::install_provider();
        let name: Arc<str> = name.into();
        let keyring = definition.jwks.as_ref().and_then(|url| {
            Keyring::new(&name, url, definition, &shared.sources)
                .inspect_err(|problem| tracing::error!(issuer = %name, problem, "no keys"))
                .ok()
        });
        let secret = definition.secret_file.as_ref().and_then(|file| {
            secret::shared(file)
                .inspect_err(|problem| tracing::error!(issuer = %name, problem, "no secret"))
                .ok()
        });
        Self {
            keyring,
            secret: secret.map(|secret| DecodingKey::from_secret(secret.expose())),
            definition: definition.clone(),
            verified: Verified::new(&shared.metrics),
            shared: shared.clone(),
            name,
        }
    }

    /// What is remembered of a token, if it has been verified and its key still counts.
    pub(super) fn known(&self, fingerprint: &[u8; 32]) -> Option<Result<Arc<Identity>, Refused>> {
        let known = self.verified.get(fingerprint)?;
        let now = self.shared.sources.now();
        if known.until <= now {
            return Some(Err(EXPIRED));
        }
        if let Some(keyring) = &self.keyring
            && let Some(generation) = known.generation
            && keyring.generation(now) != Some(generation)
        {
            return None;
        }
        if self.shared.revocations.has(&known.identity) {
            return Some(Err(REVOKED));
        }
        Some(Ok(known.identity))
    }

    /// Verifies a token, and remembers it.
    pub(super) async fn verify(
        &self,
        token: &str,
        fingerprint: [u8; 32],
    ) -> Result<Arc<Identity>, Refused> {
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| Refused::BadToken("it is no signed token"))?;
        if !self.definition.algorithms.contains(&header.alg) {
            return Err(Refused::BadToken("its algorithm is not accepted"));
        }
        // Whoever has written it wants something understood that is not (RFC 7515, 4.1.11).
        if header.crit.is_some() {
            return Err(Refused::BadToken("it wants extensions that are not known"));
        }
        let Key { key, generation } = self.key(&header).await?;
        let claims = self.claims(token, &key, header.alg)?;
        let now = self.shared.sources.now();
        let until = self.period(&claims, now)?;
        let subject = claims
            .get("sub")
            .and_then(Value::as_str)
            .ok_or(Refused::BadToken("it names no subject"))?
            .to_owned();
        let roles = &self.definition.roles;
        let identity = Arc::new(Identity::from_claims(&self.name, &subject, roles, claims));
        let known = Known {
            identity: identity.clone(),
            until,
            generation,
            length: token.len(),
        };
        self.verified.insert(fingerprint, known);
        if self.shared.revocations.has(&identity) {
            return Err(REVOKED);
        }
        Ok(identity)
    }

    async fn key(&self, header: &Header) -> Result<Key, Refused> {
        if header.alg == Algorithm::HS256 {
            let key = self.secret.clone();
            let key = key.ok_or(Refused::Away("the secret cannot be had"))?;
            return Ok(Key {
                key,
                generation: None,
            });
        }
        let Some(keyring) = &self.keyring else {
            return Err(Refused::Away("the keys that verify it cannot be had"));
        };
        keyring.key(header.kid.as_deref(), header.alg).await
    }

    fn claims(
        &self,
        token: &str,
        key: &DecodingKey,
        way: Algorithm,
    ) -> Result<Map<String, Value>, Refused> {
        use jsonwebtoken::errors::ErrorKind;
        let mut validation = Validation::new(way);
        validation.set_issuer(&[&self.definition.issuer]);
        validation.set_audience(&self.definition.audience);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Times are checked against the injected clock.
        validation.validate_exp = false;
        let data = jsonwebtoken::decode::<Map<String, Value>>(token, key, &validation);
        let why = |error: jsonwebtoken::errors::Error| match error.kind() {
            ErrorKind::InvalidAudience => "it is meant for somebody else",
            ErrorKind::InvalidSignature => "its signature is wrong",
            ErrorKind::MissingRequiredClaim(_) => "it needs `exp`, `iss`, `aud` and `sub`",
            _ => "it is not a valid token of its issuer",
        };
        data.map(|data| data.claims)
            .map_err(|error| Refused::BadToken(why(error)))
    }

    /// Until when a token counts, if it does now.
    fn period(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<Timestamp, Refused> {
        let skew = self.definition.skew;
        let expires = date(claims, "exp").ok_or(Refused::BadToken("`exp` is no time"))?;
        let until = expires.plus(skew);
        if until <= now {
            return Err(EXPIRED);
        }
        if date(claims, "nbf").is_some_and(|begins| begins > now.plus(skew)) {
            return Err(Refused::BadToken("it does not count yet"));
        }
        Ok(until)
    }
}

const EXPIRED: Refused = Refused::BadToken("it has expired");
const REVOKED: Refused = Refused::BadToken("it was revoked");

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::Duration;

    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use kernel::Sources;
    use platform::metrics::Metrics;
    use serde_json::json;

    use super::super::fingerprint;
    use super::super::revoked::Revocation;
    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn token(sources: &Sources, id: &str) -> String {
        let now = sources.now().seconds();
        let claims = json!({
            "iss": "acme", "aud": "shop", "sub": "u1", "jti": id, "iat": now, "exp": now + 60,
        });
        let part = |text: String| URL_SAFE_NO_PAD.encode(text);
        let text = format!(
            "{}.{}",
            part(json!({"alg": "HS256"}).to_string()),
            part(claims.to_string())
        );
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET);
        let tag = ring::hmac::sign(&key, text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    #[tokio::test]
    async fn what_was_revoked_does_not_count_known_or_not() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(SECRET).expect("written");
        let definition = format!(
            "issuer = 'acme'\naudience = ['shop']\nalgorithms = ['HS256']\nsecret_file = {:?}",
            file.path()
        );
        let definition: table::Issuer = toml::from_str(&definition).expect("right");
        let shared = Shared::new(Sources::system(), &Metrics::new());
        let issuer = Issuer::new("acme", &definition, &shared);
        let (one, two) = (token(&shared.sources, "t1"), token(&shared.sources, "t2"));
        let known = |token: &str| issuer.known(&fingerprint(token));
        assert!(known(&one).is_none());
        for token in [&one, &two] {
            issuer
                .verify(token, fingerprint(token))
                .await
                .expect("good");
            assert!(known(token).expect("known").is_ok());
        }
        let until = shared.sources.now().plus(Duration::from_secs(3600));
        let revoke = |what| {
            shared
                .revocations
                .revoke("acme", what, until)
                .expect("room")
        };
        revoke(Revocation::Token("t1"));
        assert_eq!(known(&one), Some(Err(REVOKED)));
        assert!(known(&two).expect("known").is_ok());
        revoke(Revocation::Subject("u1"));
        assert_eq!(known(&two), Some(Err(REVOKED)));
        assert_eq!(issuer.verify(&one, fingerprint(&one)).await, Err(REVOKED));
    }
}
