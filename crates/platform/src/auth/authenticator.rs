//! Verifying tokens, and remembering those that were verified.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use kernel::{Caller, CustomerId, Problem, Sources, StaffId, Timestamp};
use parking_lot::RwLock;
use ring::digest;

use super::{Claims, JwkSet, TokenError, ring_provider};
use crate::metrics::{CacheLabels, Metrics};

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
    keys: RwLock<Keys>,
    /// One asks for the keys; who needs the answer waits for it.
    asking: tokio::sync::Mutex<()>,
    verified: quick_cache::sync::Cache<[u8; 32], Arc<(Caller, Timestamp)>>,
    hits: crate::metrics::Tally,
    misses: crate::metrics::Tally,
}

/// What the source said last.
#[derive(Default)]
struct Keys {
    by_kid: BTreeMap<String, DecodingKey>,
    asked: Option<Timestamp>,
}

/// How long keys are used before they are asked for again. After that a key that was withdrawn no
/// longer counts, and one that was published is known before it signs.
const FRESH: Duration = Duration::from_secs(60);
/// The least time between two questions: unknown keys ask earlier, but not at every request.
const REFETCH: Duration = Duration::from_secs(10);
/// How long to wait for an answer that can be done without.
const PATIENCE: Duration = Duration::from_secs(1);
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
            asking: tokio::sync::Mutex::default(),
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
        if let Some(known) = self.known(kid) {
            return known;
        }
        let stale = self.0.keys.read().by_kid.get(kid).cloned();
        let Some(stale) = stale else {
            let _turn = self.0.asking.lock().await;
            // Somebody may have asked meanwhile.
            return match self.known(kid) {
                Some(known) => known,
                None => self.ask(kid).await,
            };
        };
        let Ok(_turn) = self.0.asking.try_lock() else {
            return Ok(stale);
        };
        match tokio::time::timeout(PATIENCE, self.ask(kid)).await {
            Ok(Ok(key)) => Ok(key),
            Ok(Err(TokenError::Invalid)) => Err(TokenError::Invalid),
            _ => {
                // Better the keys of a minute ago than none; the next question is for later.
                let again = self.0.sources.now().minus(FRESH - REFETCH);
                self.0.keys.write().asked = Some(again);
                Ok(stale)
            }
        }
    }

    /// What a key is worth without asking; `None` if it is time to ask.
    fn known(&self, kid: &str) -> Option<Result<DecodingKey, TokenError>> {
        let keys = self.0.keys.read();
        let age = self.0.sources.now().since(keys.asked?);
        match keys.by_kid.get(kid) {
            Some(key) if age < FRESH => Some(Ok(key.clone())),
            None if age < REFETCH => Some(Err(TokenError::Invalid)),
            _ => None,
        }
    }

    async fn ask(&self, kid: &str) -> Result<DecodingKey, TokenError> {
        let now = self.0.sources.now();
        let set = self.0.source.keys().await.map_err(|_| TokenError::NoKeys)?;
        let decoded = set.keys.into_iter().filter_map(|jwk| {
            DecodingKey::from_ed_components(&jwk.x)
                .ok()
                .map(|key| (jwk.kid, key))
        });
        let mut keys = self.0.keys.write();
        keys.by_kid = decoded.collect();
        keys.asked = Some(now);
        keys.by_kid.get(kid).cloned().ok_or(TokenError::Invalid)
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
    use kernel::problem::codes;
    use kernel::{ManualClock, StaffRole, SystemRandom};

    use super::super::{SigningKey, Subject, base64url};
    use super::*;

    /// A source whose keys can be changed, and that can be away.
    #[derive(Clone, Default)]
    struct Board(Arc<parking_lot::Mutex<(Option<JwkSet>, u32)>>);

    impl Board {
        fn publish(&self, keys: &[&SigningKey]) {
            let keys = keys.iter().map(|key| key.jwk()).collect();
            self.0.lock().0 = Some(JwkSet { keys });
        }

        fn questions(&self) -> u32 {
            self.0.lock().1
        }
    }

    impl KeySource for Board {
        fn keys(&self) -> Pin<Box<dyn Future<Output = Result<JwkSet, Problem>> + Send + '_>> {
            let mut board = self.0.lock();
            board.1 += 1;
            let away = || Problem::unavailable(codes::UNAVAILABLE, "away", 1);
            Box::pin(std::future::ready(board.0.clone().ok_or_else(away)))
        }
    }

    struct Desk {
        clock: Arc<ManualClock>,
        sources: Sources,
        key: SigningKey,
        board: Board,
        authenticator: Authenticator,
    }

    fn desk() -> Desk {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(
            1_800_000_000_000_000,
        )));
        let sources = Sources::new(clock.clone(), Arc::new(SystemRandom));
        let key = SigningKey::from_pkcs8(&SigningKey::generate()).expect("a key");
        let board = Board::default();
        board.publish(&[&key]);
        let authenticator = Authenticator::new(
            Box::new(board.clone()),
            sources.clone(),
            "rialto".into(),
            10,
            &Metrics::new(),
        );
        Desk {
            clock,
            sources,
            key,
            board,
            authenticator,
        }
    }

    const TTL: Duration = Duration::from_secs(900);

    impl Desk {
        fn token_by(&self, key: &SigningKey) -> String {
            let subject = Subject::Customer(self.sources.id());
            let (session, now) = (self.sources.id(), self.sources.now());
            key.sign("rialto", &subject, session, now, TTL)
        }

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

    #[tokio::test]
    async fn a_new_key_counts_and_a_withdrawn_one_stops_counting() {
        let desk = desk();
        let verify = async |token: String| desk.authenticator.verify(&token).await.map(drop);
        verify(desk.token_by(&desk.key)).await.expect("valid");
        let next = SigningKey::from_pkcs8(&SigningKey::generate()).expect("a key");
        desk.board.publish(&[&next]);
        let unknown = verify(desk.token_by(&next)).await;
        assert_eq!(
            unknown,
            Err(TokenError::Invalid),
            "not asked at every token"
        );
        desk.clock.advance(REFETCH);
        verify(desk.token_by(&next)).await.expect("asked again");
        let withdrawn = verify(desk.token_by(&desk.key)).await;
        assert_eq!(withdrawn, Err(TokenError::Invalid));
        desk.board.publish(&[&desk.key]);
        desk.clock.advance(FRESH);
        let withdrawn = verify(desk.token_by(&next)).await;
        assert_eq!(
            withdrawn,
            Err(TokenError::Invalid),
            "known, but asked again by and by"
        );
    }

    #[tokio::test]
    async fn known_keys_outlive_a_source_that_is_away() {
        let desk = desk();
        let verify = async |token: String| desk.authenticator.verify(&token).await.map(drop);
        verify(desk.token_by(&desk.key)).await.expect("valid");
        desk.board.0.lock().0 = None;
        desk.clock.advance(FRESH);
        for _ in 0..3 {
            verify(desk.token_by(&desk.key)).await.expect("still valid");
        }
        assert_eq!(desk.board.questions(), 2, "one at the start, one in vain");
        desk.clock.advance(REFETCH);
        let stranger = SigningKey::from_pkcs8(&SigningKey::generate()).expect("a key");
        let unknown = verify(desk.token_by(&stranger)).await;
        assert_eq!(unknown, Err(TokenError::NoKeys));
    }
}
