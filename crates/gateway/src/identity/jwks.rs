//! The public keys of an issuer, and how they are kept up to date.
//!
//! Known keys never wait: when it is time to ask again, a task asks, and they go on counting
//! meanwhile. A key that is unknown is asked for once, however many wait for it, and not more often
//! than [`REST`] allows, whatever tokens name.

mod set;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jsonwebtoken::{Algorithm, DecodingKey};
use kernel::{Sources, Timestamp};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::set::{Found, KeySet};
use super::fetch::Remote;
use super::refusal::Refused;
use crate::table;

/// The least time between two questions.
const REST: Duration = Duration::from_secs(10);
/// How long a name that no key has is remembered.
const UNKNOWN: Duration = Duration::from_secs(60);
/// How many of those.
const UNKNOWN_KEPT: usize = 1024;
/// The longest name of a key.
const KID_LIMIT: usize = 256;
/// Bytes of a document with keys.
const DOCUMENT_LIMIT: usize = 256 << 10;

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct Keyring {
    shared: Arc<Shared>,
    /// The task that asks, one at most; it ends with its deadline, or when nobody needs the keys.
    errand: Mutex<JoinSet<()>>,
    unknown: quick_cache::sync::Cache<String, Timestamp>,
    patience: Duration,
}

#[derive(Debug)]
struct Shared {
    name: Arc<str>,
    remote: Remote,
    refresh: Duration,
    stale: Duration,
    sources: Sources,
    state: ArcSwap<State>,
    done: watch::Sender<()>,
}

/// What is known.
#[derive(Debug, Clone, Default)]
struct State {
    keys: Arc<KeySet>,
    /// When they came.
    fetched: Option<Timestamp>,
    /// When they were asked for last, in vain or not.
    asked: Option<Timestamp>,
    /// Goes up whenever a key is withdrawn: what it has verified no longer counts.
    generation: u64,
}

/// A key, and the state that it comes from.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) key: DecodingKey,
    pub(super) generation: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asking {
    UnderWay,
    Resting,
}

impl Keyring {
    /// The keys at `url`; nothing is asked for yet.
    pub(super) fn new(
        name: &Arc<str>,
        url: &str,
        definition: &table::Issuer,
        sources: &Sources,
    ) -> Result<Self, String> {
        Ok(Self {
            shared: Arc::new(Shared {
                name: name.clone(),
                remote: Remote::new(url, definition.deadline, DOCUMENT_LIMIT, 0)?,
                refresh: definition.refresh,
                stale: definition.stale,
                sources: sources.clone(),
                state: ArcSwap::default(),
                done: watch::Sender::default(),
            }),
            errand: Mutex::default(),
            unknown: quick_cache::sync::Cache::new(UNKNOWN_KEPT),
            patience: definition.deadline + Duration::from_secs(1),
        })
    }

    /// The key of a token.
    pub(super) async fn key(&self, kid: Option<&str>, way: Algorithm) -> Result<Key, Refused> {
        let now = self.shared.sources.now();
        if kid.is_some_and(|kid| kid.len() > KID_LIMIT) {
            return Err(Refused::BadToken("no key has such a name"));
        }
        if self.generation(now).is_some() {
            let state = self.shared.state.load();
            match state.keys.find(kid, way) {
                Found::Key(key) => return Ok(state.give(key)),
                Found::OtherAlgorithm => return Err(OTHER_ALGORITHM),
                Found::Nothing => {}
            }
            let name = kid.unwrap_or_default();
            if self.unknown.get(name).is_some_and(|until| now < until) {
                return Err(UNKNOWN_KEY);
            }
        }
        let mut done = self.shared.done.subscribe();
        let asking = self.begin(now);
        if asking == Asking::UnderWay {
            // Who comes too late is told by the state.
            let _ = tokio::time::timeout(self.patience, done.changed()).await;
        }
        let state = self.shared.state.load();
        if !self.shared.is_usable(&state, now) {
            return Err(Refused::Away("the keys that verify it cannot be had"));
        }
        match state.keys.find(kid, way) {
            Found::Key(key) => Ok(state.give(key)),
            Found::OtherAlgorithm => Err(OTHER_ALGORITHM),
            Found::Nothing => {
                if asking == Asking::UnderWay && state.fetched == state.asked {
                    let name = kid.unwrap_or_default().to_owned();
                    self.unknown.insert(name, now.plus(UNKNOWN));
                }
                Err(UNKNOWN_KEY)
            }
        }
    }

    /// The number of the present keys, if they count; asks for the next ones when it is time.
    pub(super) fn generation(&self, now: Timestamp) -> Option<u64> {
        let state = self.shared.state.load();
        if state
            .fetched
            .is_none_or(|then| now.since(then) >= self.shared.refresh)
        {
            self.begin(now);
        }
        self.shared
            .is_usable(&state, now)
            .then_some(state.generation)
    }

    /// Asks for the keys, unless somebody does, or has done a moment ago.
    fn begin(&self, now: Timestamp) -> Asking {
        let mut errand = self.errand.lock();
        while errand.try_join_next().is_some() {}
        let asked = self.shared.state.load().asked;
        if asked.is_some_and(|then| now.since(then) < REST) {
            return Asking::Resting;
        }
        if errand.is_empty() {
            let shared = self.shared.clone();
            errand.spawn(async move { shared.fetch().await });
        }
        Asking::UnderWay
    }
}

const OTHER_ALGORITHM: Refused = Refused::BadToken("its key is not for its algorithm");
const UNKNOWN_KEY: Refused = Refused::BadToken("no key has verified it");

impl State {
    fn give(&self, key: DecodingKey) -> Key {
        Key {
            key,
            generation: Some(self.generation),
        }
    }
}

impl Shared {
    fn is_usable(&self, state: &State, now: Timestamp) -> bool {
        let limit = self.refresh + self.stale;
        state.fetched.is_some_and(|then| now.since(then) < limit)
    }

    async fn fetch(&self) {
        let answer = self.remote.get().await;
        let now = self.sources.now();
        let before = self.state.load_full();
        let mut next = State {
            asked: Some(now),
            ..State::clone(&before)
        };
        let read = answer
            .map_err(|error| super::chain(&error))
            .and_then(|document| KeySet::read(&document));
        match read {
            Ok(keys) => {
                next.generation += u64::from(before.keys.misses_any_of(&keys));
                next.keys = Arc::new(keys);
                next.fetched = Some(now);
            }
            Err(error) => {
                tracing::warn!(issuer = %self.name, error, "keys cannot be had; those known stay for a while");
            }
        }
        self.state.store(Arc::new(next));
        self.done.send_replace(());
    }
}
