//! How processes of one shop know each other: by a key that all of them hold and that never
//! travels.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderName, HeaderValue};
use kernel::{Secret, Sources, Timestamp};
use ring::hmac;

/// Carries the proof of the sender, and of the receiver in the answer.
pub(crate) const PROOF: HeaderName = HeaderName::from_static("rialto-peer");

/// How far the clocks of two machines may be apart, and how long a proof can be replayed. The
/// contract's methods are idempotent, so that a replay changes nothing.
const TOLERANCE_MICROS: i64 = 60_000_000;
const SHORTEST: usize = 32;

/// The key is too short to be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key must have at least 32 characters")]
pub struct WeakKey;

/// The shared key, ready to prove and to check with HMAC-SHA256 (RFC 2104).
#[derive(Clone)]
pub struct PeerKey(hmac::Key);

impl PeerKey {
    /// The key that the configuration holds.
    pub fn new(key: &Secret<String>) -> Result<Self, WeakKey> {
        let bytes = key.expose().as_bytes();
        if bytes.len() < SHORTEST {
            return Err(WeakKey);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }

    /// A proof that the sender of `method path` knows the key, fresh at this moment:
    /// `micros.nonce.tag`.
    pub(crate) fn prove(&self, sources: &Sources, method: &str, path: &str) -> HeaderValue {
        let nonce = URL_SAFE_NO_PAD.encode(sources.random::<12>());
        let head = format!("{}.{nonce}", sources.now().micros());
        let tag = self.tag(&["request", &head, method, path]);
        HeaderValue::try_from(format!("{head}.{tag}")).expect("digits, dots and base64")
    }

    /// Whether `proof` was made with this key, for this request, just now.
    pub(crate) fn proved(&self, proof: &str, now: Timestamp, method: &str, path: &str) -> bool {
        let Some((head, tag)) = proof.rsplit_once('.') else {
            return false;
        };
        let micros = head
            .split('.')
            .next()
            .and_then(|micros| micros.parse::<i64>().ok());
        let fresh = micros.is_some_and(|micros| {
            now.micros().saturating_sub(micros).saturating_abs() <= TOLERANCE_MICROS
        });
        fresh && self.checks(&["request", head, method, path], tag)
    }

    /// A proof that the one who answers a request with `proof` knows the key too.
    pub(crate) fn acknowledge(&self, proof: &str, status: u16) -> HeaderValue {
        let tag = self.tag(&["answer", proof, &status.to_string()]);
        HeaderValue::try_from(tag).expect("base64")
    }

    /// Whether the answer with this status comes from somebody who knows the key.
    pub(crate) fn acknowledged(&self, answer: &str, proof: &str, status: u16) -> bool {
        self.checks(&["answer", proof, &status.to_string()], answer)
    }

    fn tag(&self, parts: &[&str]) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, parts.join("\n").as_bytes()))
    }

    /// In constant time.
    fn checks(&self, parts: &[&str], tag: &str) -> bool {
        let Ok(tag) = URL_SAFE_NO_PAD.decode(tag) else {
            return false;
        };
        hmac::verify(&self.0, parts.join("\n").as_bytes(), &tag).is_ok()
    }
}

impl std::fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PeerKey")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(text: &str) -> PeerKey {
        PeerKey::new(&Secret::new(text.repeat(32))).expect("long enough")
    }

    #[test]
    fn a_proof_is_for_one_request_and_one_moment() {
        let (sources, key) = (Sources::system(), key("a"));
        let now = sources.now();
        let proof = key.prove(&sources, "POST", "/internal/product/reserve_stock");
        let proof = proof.to_str().expect("text");
        assert!(key.proved(proof, now, "POST", "/internal/product/reserve_stock"));
        assert!(!key.proved(proof, now, "POST", "/internal/product/release_stock"));
        assert!(!key.proved(
            proof,
            now.plus(Duration::from_secs(61)),
            "POST",
            "/internal/product/reserve_stock"
        ));
        assert!(!self::key("b").proved(proof, now, "POST", "/internal/product/reserve_stock"));
        assert!(!key.proved("", now, "POST", "/"));
    }

    #[test]
    fn an_answer_proves_itself_too() {
        let key = key("a");
        let answer = key.acknowledge("proof", 200);
        let answer = answer.to_str().expect("text");
        assert!(key.acknowledged(answer, "proof", 200));
        assert!(!key.acknowledged(answer, "proof", 500));
        assert!(!key.acknowledged(answer, "other", 200));
    }

    #[test]
    fn short_keys_are_refused() {
        assert!(PeerKey::new(&Secret::new("short".into())).is_err());
    }
}
