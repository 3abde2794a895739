//! The token that is checked.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

/// Nothing that is secret is kept by it.
pub(super) const SECRET: &str = "what the proxies of a benchmark share";
pub(super) const ISSUER: &str = "https://bench.example";
pub(super) const AUDIENCE: &str = "bench";
/// As long as any benchmark.
const LASTS: Duration = Duration::from_secs(24 * 3600);

/// A token that every proxy lets through (HS256).
#[expect(
    clippy::disallowed_methods,
    reason = "tokens expire by the clock of other programs"
)]
pub(super) fn token() -> String {
    let expires = SystemTime::now() + LASTS;
    let expires = expires.duration_since(UNIX_EPOCH).unwrap_or_default();
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let claims = format!(
        r#"{{"iss":"{ISSUER}","aud":"{AUDIENCE}","sub":"u1","exp":{}}}"#,
        expires.as_secs()
    );
    let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, text.as_bytes()));
    format!("{text}.{signature}")
}

/// As a JWK has it.
pub(super) fn encoded_secret() -> String {
    URL_SAFE_NO_PAD.encode(SECRET)
}
