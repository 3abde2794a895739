//! A document with keys (RFC 7517).

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// Keys of a document; more are passed over.
const KEYS: usize = 128;

/// The keys of a document that verify signatures.
#[derive(Debug, Default)]
pub(super) struct KeySet(Vec<Published>);

#[derive(Debug)]
struct Published {
    kid: Option<String>,
    /// As it was published.
    source: Value,
    key: DecodingKey,
    ways: Vec<Algorithm>,
}

/// What a set has for a token.
#[derive(Debug)]
pub(super) enum Found {
    Key(DecodingKey),
    /// The key is there, but not for this algorithm.
    OtherAlgorithm,
    Nothing,
}

impl KeySet {
    /// Reads a document. Keys that are not understood, or not for signatures, are passed over.
    pub(super) fn read(document: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let document: Document = serde_json::from_slice(document)
            .map_err(|error| format!("the document is no JWK set: {error}"))?;
        let keys = document.keys.into_iter().filter_map(Published::read);
        Ok(Self(keys.take(KEYS).collect()))
    }

    /// The key that a token names; a token may leave that out where only one key fits.
    pub(super) fn find(&self, kid: Option<&str>, way: Algorithm) -> Found {
        let fits = |key: &&Published| key.ways.contains(&way);
        let Some(kid) = kid else {
            let mut all = self.0.iter().filter(fits);
            return match (all.next(), all.next()) {
                (Some(only), None) => Found::Key(only.key.clone()),
                _ => Found::Nothing,
            };
        };
        let mut named = self.0.iter().filter(|key| key.kid.as_deref() == Some(kid));
        match (named.clone().find(fits), named.next()) {
            (Some(key), _) => Found::Key(key.key.clone()),
            (None, Some(_)) => Found::OtherAlgorithm,
            (None, None) => Found::Nothing,
        }
    }

    /// Whether a key of this set is not in `next` as it is here.
    pub(super) fn misses_any_of(&self, next: &Self) -> bool {
        let stays = |key: &Published| next.0.iter().any(|other| other.source == key.source);
        !self.0.iter().all(stays)
    }
}

impl Published {
    fn read(source: Value) -> Option<Self> {
        let jwk = Jwk::deserialize(&source).ok()?;
        let usage = jwk.common.public_key_use.as_ref();
        let signs = usage.is_none_or(|usage| *usage == PublicKeyUse::Signature);
        let operations = jwk.common.key_operations.as_ref();
        let verifies = operations.is_none_or(|all| all.contains(&KeyOperations::Verify));
        let mut ways = ways(&jwk.algorithm);
        if let Some(only) = jwk.common.key_algorithm {
            ways.retain(|way| stands_for(only, *way));
        }
        if !signs || !verifies || ways.is_empty() {
            return None;
        }
        Some(Self {
            kid: jwk.common.key_id.clone(),
            key: DecodingKey::from_jwk(&jwk).ok()?,
            source,
            ways,
        })
    }
}

/// What the type of a key allows. A shared secret has no place in a public document.
fn ways(parameters: &AlgorithmParameters) -> Vec<Algorithm> {
    match parameters {
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => vec![Algorithm::ES256],
            EllipticCurve::P384 => vec![Algorithm::ES384],
            _ => Vec::new(),
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            vec![Algorithm::EdDSA]
        }
        AlgorithmParameters::RSA(_) => vec![
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ],
        _ => Vec::new(),
    }
}

fn stands_for(named: KeyAlgorithm, way: Algorithm) -> bool {
    named.to_string().parse::<Algorithm>().ok() == Some(way)
}
