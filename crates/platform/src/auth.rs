//! Access tokens: JSON Web Tokens signed with EdDSA (RFC 8037), verified against the public keys
//! of the user service. No other algorithm is accepted.

mod ring_provider;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use kernel::identity::SessionId;
use kernel::problem::codes;
use kernel::{
    Caller, Code, CustomerId, Fault, Kind, Problem, Secret, Sources, StaffId, StaffRole, Timestamp,
};
use parking_lot::{Mutex, RwLock};
use ring::digest;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};

use crate::metrics::{CacheLabels, Metrics};

/// Why a token does not count. Clients learn only that it does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Malformed, forged, for another audience, or signed by an unknown key.
    #[error("the access token is not valid")]
    Invalid,
    /// It was valid once.
    #[error("the access token has expired")]
    Expired,
    /// The keys cannot be had right now.
    #[error("the keys that verify tokens cannot be fetched")]
    NoKeys,
}

impl Fault for TokenError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoKeys => Kind::Unavailable,
            _ => Kind::Unauthenticated,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NoKeys => codes::UNAVAILABLE,
            _ => codes::BAD_TOKEN,
        }
    }
}

/// One public key (RFC 7517, RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Jwk {
    /// Names the key in the header of a token.
    pub kid: String,
    /// Always `OKP`.
    pub kty: String,
    /// Always `Ed25519`.
    pub crv: String,
    /// The 32 bytes of the key in base64url.
    pub x: String,
    /// Always `EdDSA`.
    pub alg: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub usage: String,
}

/// The public keys that verify tokens (RFC 7517).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JwkSet {
    /// The present key first, then those of the past whose tokens have not expired.
    pub keys: Vec<Jwk>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: SessionId,
    iat: i64,
    exp: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    roles: Vec<StaffRole>,
}

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A customer.
    Customer(CustomerId),
    /// A member of staff, with roles.
    Staff(StaffId, Vec<StaffRole>),
}

/// A private key, and the public half that goes to verifiers.
#[derive(Clone)]
pub struct SigningKey {
    kid: String,
    public: String,
    private: EncodingKey,
}

impl SigningKey {
    /// A fresh key pair in PKCS #8, to be kept.
    pub fn generate() -> Secret<Vec<u8>> {
        let random = ring::rand::SystemRandom::new();
        let document =
            Ed25519KeyPair::generate_pkcs8(&random).expect("the system gives randomness");
        Secret::new(document.as_ref().to_vec())
    }

    /// A key that was kept; `None` if the bytes are not a key.
    pub fn from_pkcs8(pkcs8: &Secret<Vec<u8>>) -> Option<Self> {
        ring_provider::install();
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.expose()).ok()?;
        let public = base64url(pair.public_key().as_ref());
        let digest = digest::digest(&digest::SHA256, pair.public_key().as_ref());
        let kid = base64url(&digest.as_ref()[..9]);
        Some(Self {
            kid,
            public,
            private: EncodingKey::from_ed_der(pkcs8.expose()),
        })
    }

    /// The public half.
    pub fn jwk(&self) -> Jwk {
        Jwk {
            kid: self.kid.clone(),
            kty: String::from("OKP"),
            crv: String::from("Ed25519"),
            x: self.public.clone(),
            alg: String::from("EdDSA"),
            usage: String::from("sig"),
        }
    }

    /// A token that speaks for `subject` from `now` for `ttl`.
    pub fn sign(
        &self,
        issuer: &str,
        subject: &Subject,
        session: SessionId,
        now: Timestamp,
        ttl: Duration,
    ) -> String {
        let (sub, roles) = match subject {
            Subject::Customer(id) => (id.to_string(), Vec::new()),
            Subject::Staff(id, roles) => (id.to_string(), roles.clone()),
        };
        let claims = Claims {
            iss: issuer.to_owned(),
            aud: issuer.to_owned(),
            sub,
            sid: session,
            iat: now.seconds(),
            exp: now.plus(ttl).seconds(),
            roles,
        };
        let header = Header {
            kid: Some(self.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, &claims, &self.private).expect("claims are plain data")
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Where the public keys come from: the user service, here or elsewhere.
pub trait KeySource: Send + Sync + 'static {
    /// The keys that are in force.
    fn keys(&self) -> Pin<Box<dyn Future<Output = Result<JwkSet, Problem>> + Send + '_>>;
}

/// Verifies tokens, and remembers those that were verified until they expire: a signature costs
/// more than the rest of a small request. Cheap to clone.
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    source: Box<dyn KeySource>,
    sources: Sources,
    issuer: String,
    keys: RwLock<BTreeMap<String, DecodingKey>>,
    /// When the keys were last asked for. An unknown key asks again, but not at every request.
    asked: Mutex<Option<Timestamp>>,
    verified: quick_cache::sync::Cache<[u8; 32], Arc<(Caller, Timestamp)>>,
    hits: prometheus_client::metrics::counter::Counter,
    misses: prometheus_client::metrics::counter::Counter,
}

/// The least time between two fetches of the keys.
const REFETCH: Duration = Duration::from_secs(10);
const TOKEN_LIMIT: usize = 4096;

impl Authenticator {
    /// An authenticator that remembers up to `capacity` tokens of `issuer`.
    pub fn new(
        source: Box<dyn KeySource>,
        sources: Sources,
        issuer: String,
        capacity: usize,
        metrics: &Metrics,
    ) -> Self {
        ring_provider::install();
        let count = |outcome| {
            metrics
                .cache
                .get_or_create(&CacheLabels {
                    cache: "tokens",
                    outcome,
                })
                .clone()
        };
        Self(Arc::new(Inner {
            source,
            sources,
            issuer,
            keys: RwLock::default(),
            asked: Mutex::default(),
            verified: quick_cache::sync::Cache::new(capacity.max(1)),
            hits: count("hit"),
            misses: count("miss"),
        }))
    }

    /// Who `token` speaks for.
    pub async fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        if token.len() > TOKEN_LIMIT {
            return Err(TokenError::Invalid);
        }
        let digest = digest::digest(&digest::SHA256, token.as_bytes());
        let fingerprint: [u8; 32] = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
        let now = self.0.sources.now();
        if let Some(known) = self.0.verified.get(&fingerprint) {
            self.0.hits.inc();
            return if known.1 > now {
                Ok(known.0.clone())
            } else {
                Err(TokenError::Expired)
            };
        }
        self.0.misses.inc();
        let claims = self.claims(token).await?;
        let expires = Timestamp::from_micros(claims.exp.saturating_mul(1_000_000));
        if expires <= now {
            return Err(TokenError::Expired);
        }
        let caller = caller(claims)?;
        self.0
            .verified
            .insert(fingerprint, Arc::new((caller.clone(), expires)));
        Ok(caller)
    }

    async fn claims(&self, token: &str) -> Result<Claims, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        if header.alg != Algorithm::EdDSA {
            return Err(TokenError::Invalid);
        }
        let key = self.key(&header.kid.ok_or(TokenError::Invalid)?).await?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[&self.0.issuer]);
        validation.set_audience(&[&self.0.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Expiry is checked against the injected clock.
        validation.validate_exp = false;
        let data = jsonwebtoken::decode::<Claims>(token, &key, &validation);
        data.map(|data| data.claims)
            .map_err(|_| TokenError::Invalid)
    }

    async fn key(&self, kid: &str) -> Result<DecodingKey, TokenError> {
        if let Some(key) = self.0.keys.read().get(kid) {
            return Ok(key.clone());
        }
        let now = self.0.sources.now();
        let recently = self
            .0
            .asked
            .lock()
            .is_some_and(|asked| now.since(asked) < REFETCH);
        if recently {
            return Err(TokenError::Invalid);
        }
        let set = self.0.source.keys().await.map_err(|_| TokenError::NoKeys)?;
        *self.0.asked.lock() = Some(now);
        let decoded = set.keys.into_iter().filter_map(|jwk| {
            DecodingKey::from_ed_components(&jwk.x)
                .ok()
                .map(|key| (jwk.kid, key))
        });
        let mut keys = self.0.keys.write();
        *keys = decoded.collect();
        keys.get(kid).cloned().ok_or(TokenError::Invalid)
    }
}

fn caller(claims: Claims) -> Result<Caller, TokenError> {
    let session = claims.sid;
    if let Ok(id) = claims.sub.parse::<CustomerId>() {
        return Ok(Caller::Customer { id, session });
    }
    let id = claims
        .sub
        .parse::<StaffId>()
        .map_err(|_| TokenError::Invalid)?;
    let permissions: BTreeSet<_> = claims
        .roles
        .iter()
        .flat_map(|role| role.permissions())
        .copied()
        .collect();
    Ok(Caller::Staff {
        id,
        session,
        permissions,
    })
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authenticator({})", self.0.issuer)
    }
}

#[cfg(test)]
mod tests {
    use kernel::{ManualClock, SystemRandom};

    use super::*;

    struct Fixed(JwkSet);

    impl KeySource for Fixed {
        fn keys(&self) -> Pin<Box<dyn Future<Output = Result<JwkSet, Problem>> + Send + '_>> {
            Box::pin(std::future::ready(Ok(self.0.clone())))
        }
    }

    struct Desk {
        clock: Arc<ManualClock>,
        sources: Sources,
        key: SigningKey,
        authenticator: Authenticator,
    }

    fn desk() -> Desk {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(
            1_800_000_000_000_000,
        )));
        let sources = Sources::new(clock.clone(), Arc::new(SystemRandom));
        let key = SigningKey::from_pkcs8(&SigningKey::generate()).expect("a key");
        let source = Box::new(Fixed(JwkSet {
            keys: vec![key.jwk()],
        }));
        let authenticator = Authenticator::new(
            source,
            sources.clone(),
            "rialto".into(),
            10,
            &Metrics::new(),
        );
        Desk {
            clock,
            sources,
            key,
            authenticator,
        }
    }

    const TTL: Duration = Duration::from_secs(900);

    impl Desk {
        fn token(&self, issuer: &str) -> String {
            let subject = Subject::Staff(self.sources.id(), vec![StaffRole::Warehouse]);
            self.key
                .sign(issuer, &subject, self.sources.id(), self.sources.now(), TTL)
        }
    }

    #[tokio::test]
    async fn a_token_speaks_for_its_subject_until_it_expires() {
        let desk = desk();
        let token = desk.token("rialto");
        for _ in 0..2 {
            let caller = desk.authenticator.verify(&token).await.expect("valid");
            assert!(caller.may(kernel::Permission::InventoryWrite));
            assert!(!caller.may(kernel::Permission::StaffManage));
        }
        desk.clock.advance(TTL);
        assert_eq!(
            desk.authenticator.verify(&token).await,
            Err(TokenError::Expired)
        );
    }

    #[tokio::test]
    async fn forged_foreign_and_unsigned_tokens_do_not_count() {
        let desk = desk();
        let token = desk.token("rialto");
        let other = SigningKey::from_pkcs8(&SigningKey::generate()).expect("a key");
        let subject = Subject::Customer(desk.sources.id());
        let now = desk.sources.now();
        let foreign_key = other.sign("rialto", &subject, desk.sources.id(), now, TTL);
        let (head, _) = token.rsplit_once('.').expect("three parts");
        let (_, signature) = foreign_key.rsplit_once('.').expect("three parts");
        let none = format!("{}.{}.", base64url(b"{\"alg\":\"none\"}"), base64url(b"{}"));
        for bad in [
            desk.token("elsewhere"),
            foreign_key.clone(),
            format!("{head}.{signature}"),
            format!("{head}."),
            none,
            String::from("x"),
            "x".repeat(5000),
        ] {
            assert_eq!(
                desk.authenticator.verify(&bad).await,
                Err(TokenError::Invalid),
                "{bad}"
            );
        }
    }
}
