//! Tokens that no longer count although nothing in them says so.
//!
//! Each instance looks into its own memory, and nowhere else, when it is shown a token. With
//! `gateway.revocations` in Redis all instances [share](shared) what is there.

mod record;
mod shared;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicUsize, Ordering};

use kernel::{Sources, Timestamp};
use parking_lot::RwLock;
use platform::redis::Away;

use self::record::Record;
pub(crate) use self::shared::SharedRevocations;
use super::Identity;

/// The longest name of a token or a subject.
const NAME_LIMIT: usize = 512;

/// What shall no longer count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation<'a> {
    /// The token with this `jti`.
    Token(&'a str),
    /// Every token of this subject that has been issued so far.
    Subject(&'a str),
}

/// There is no room for more: what is there has not expired, and is not forgotten for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no more can be revoked at once, or the name is too long; nothing was revoked")]
pub struct Full;

/// Why something is not revoked, or not everywhere.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RevokeError {
    /// It is not revoked.
    #[error(transparent)]
    Full(#[from] Full),
    /// Nothing would be revoked by it.
    #[error("no issuer, introspection or kind of certificates of the table is called `{0}`")]
    UnknownSource(String),
    /// Nobody has such a certificate.
    #[error("`token` is the SHA-256 of a certificate: 64 hexadecimal digits")]
    NotAFingerprint,
    /// Nothing would be left of it.
    #[error("`until` is over: what was to be revoked has expired")]
    Expired,
    /// Redis has not taken it.
    #[error(
        "it is revoked in this instance; whether the others hear of it is not known, so repeat the \
         call: {0}"
    )]
    Unshared(#[source] Away),
    /// Redis has no room for it.
    #[error("it is revoked in this instance alone: no more can be revoked in all of them at once")]
    NoRoomToShare,
}

/// What was revoked, until it would have expired anyway. In the memory of this process; outlives
/// reloads of the table.
#[derive(Debug)]
pub(crate) struct Revocations {
    sources: Sources,
    capacity: usize,
    /// How many there are, for those who need not look.
    count: AtomicUsize,
    by_source: RwLock<HashMap<String, Sets>>,
}

#[derive(Debug, Default)]
struct Sets {
    tokens: HashMap<String, Kept>,
    subjects: HashMap<String, Kept>,
}

/// A revocation as it is kept.
#[derive(Debug, Clone, Copy)]
struct Kept {
    /// Tokens that were issued up to then are concerned.
    before: Timestamp,
    /// Until when.
    until: Timestamp,
    /// The last [reading](Revocations::learn) that has shown it as it is here; 0 for none.
    reading: u64,
}

impl Sets {
    fn len(&self) -> usize {
        self.tokens.len() + self.subjects.len()
    }

    fn of(&mut self, what: Revocation<'_>) -> &mut HashMap<String, Kept> {
        match what {
            Revocation::Token(_) => &mut self.tokens,
            Revocation::Subject(_) => &mut self.subjects,
        }
    }

    fn all(&self) -> impl Iterator<Item = (Revocation<'_>, &Kept)> {
        let tokens = self.tokens.iter();
        let subjects = self.subjects.iter();
        tokens
            .map(|(name, kept)| (Revocation::Token(name), kept))
            .chain(subjects.map(|(name, kept)| (Revocation::Subject(name), kept)))
    }
}

impl<'a> Revocation<'a> {
    pub(super) fn name(self) -> &'a str {
        let (Self::Token(name) | Self::Subject(name)) = self;
        name
    }

    /// The same, called so.
    pub(crate) fn called(self, name: &str) -> Revocation<'_> {
        match self {
            Self::Token(_) => Revocation::Token(name),
            Self::Subject(_) => Revocation::Subject(name),
        }
    }
}

impl Revocations {
    /// Room for `capacity` revocations.
    pub(crate) fn new(sources: Sources, capacity: usize) -> Self {
        Self {
            sources,
            capacity,
            count: AtomicUsize::new(0),
            by_source: RwLock::default(),
        }
    }

    /// From now on `what` of the issuer or introspection `source` does not count. It is forgotten
    /// at `until`: no token that it concerns may live longer than that. Returns what is kept of it.
    pub(crate) fn revoke(
        &self,
        source: &str,
        what: Revocation<'_>,
        until: Timestamp,
    ) -> Result<Record, Full> {
        let before = self.sources.now();
        let record = Record::new(source, what, before, until);
        let kept = self.keep(&record, 0, self.capacity)?;
        Ok(Record::new(source, what, kept.before, kept.until))
    }

    /// What another instance has revoked counts here too, as the reading of this number (or an
    /// announcement after it) tells. There is twice as much room as for what is revoked here, as
    /// Redis may have lost in between what it had, and have room for others.
    pub(crate) fn learn(&self, record: &Record, reading: u64) -> Result<(), Full> {
        self.keep(record, reading, self.capacity * 2).map(drop)
    }

    /// Some of what still counts, and was not shown as it is by the reading of this number: at most
    /// `limit`.
    pub(crate) fn missed_by(&self, reading: u64, limit: usize) -> Vec<Record> {
        let now = self.sources.now();
        let all = self.by_source.read();
        let missed = all.iter().flat_map(|(source, sets)| {
            let missed = sets
                .all()
                .filter(|(_, kept)| kept.reading != reading && kept.until > now);
            missed.map(move |(what, kept)| Record::new(source, what, kept.before, kept.until))
        });
        missed.take(limit).collect()
    }

    fn keep(&self, record: &Record, reading: u64, capacity: usize) -> Result<Kept, Full> {
        let (source, what) = (&*record.source, record.what());
        if what.name().len() > NAME_LIMIT || source.len() > NAME_LIMIT {
            return Err(Full);
        }
        let told = Kept {
            before: record.before,
            until: record.until,
            reading,
        };
        let mut all = self.by_source.write();
        let known = all
            .get_mut(source)
            .and_then(|sets| sets.of(what).get_mut(what.name()));
        if let Some(known) = known {
            return Ok(known.merge(told));
        }
        if self.count.load(Ordering::Relaxed) >= capacity {
            let now = self.sources.now();
            for sets in all.values_mut() {
                sets.tokens.retain(|_, kept| kept.until > now);
                sets.subjects.retain(|_, kept| kept.until > now);
            }
            all.retain(|_, sets| sets.len() > 0);
            let count = all.values().map(Sets::len).sum();
            self.count.store(count, Ordering::Release);
            if count >= capacity {
                return Err(Full);
            }
        }
        let sets = all.entry(source.to_owned()).or_default();
        if let Entry::Vacant(entry) = sets.of(what).entry(what.name().to_owned()) {
            entry.insert(told);
            self.count.fetch_add(1, Ordering::Release);
        }
        Ok(told)
    }

    /// Whether what was verified has been revoked since.
    pub(crate) fn has(&self, identity: &Identity) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let all = self.by_source.read();
        let Some(sets) = all.get(&*identity.source) else {
            return false;
        };
        let token = identity.token_id();
        if token.is_some_and(|id| sets.tokens.contains_key(id)) {
            return true;
        }
        // A token that does not say when it was issued may be older.
        let subject = sets.subjects.get(&identity.subject);
        subject.is_some_and(|kept| {
            // `iat` has whole seconds.
            identity.issued().is_none_or(|issued| issued <= kept.before)
        })
    }
}

impl Kept {
    /// Counts for all that it, or what was `told`, counts for.
    fn merge(&mut self, told: Self) -> Self {
        let before = self.before.max(told.before);
        let until = self.until.max(told.until);
        if (told.before, told.until) == (before, until) {
            // Who told has all of it.
            self.reading = told.reading;
        } else if (self.before, self.until) != (before, until) {
            self.reading = 0;
        }
        (self.before, self.until) = (before, until);
        *self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use kernel::{Clock, ManualClock, SystemRandom};
    use serde_json::json;

    use super::*;

    fn desk(capacity: usize) -> (Arc<ManualClock>, Revocations) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(
            1_800_000_000_500_000,
        )));
        let sources = Sources::new(clock.clone(), Arc::new(SystemRandom));
        (clock, Revocations::new(sources, capacity))
    }

    fn identity(source: &str, subject: &str, id: &str, issued: i64) -> Identity {
        let claims = json!({"jti": id, "iat": issued});
        let claims = claims.as_object().expect("an object").clone();
        Identity::from_claims(&source.into(), subject, "roles", claims)
    }

    #[test]
    fn a_token_is_revoked_for_its_source_only() {
        let (clock, revoked) = desk(10);
        let until = clock.now().plus(Duration::from_secs(60));
        let one = identity("acme", "u1", "t1", 1_800_000_000);
        assert!(!revoked.has(&one));
        revoked
            .revoke("acme", Revocation::Token("t1"), until)
            .expect("room");
        assert!(revoked.has(&one));
        assert!(!revoked.has(&identity("acme", "u1", "t2", 1_800_000_000)));
        assert!(!revoked.has(&identity("other", "u1", "t1", 1_800_000_000)));
    }

    #[test]
    fn a_subject_is_revoked_until_it_gets_a_new_token() {
        let (clock, revoked) = desk(10);
        let until = clock.now().plus(Duration::from_secs(60));
        revoked
            .revoke("acme", Revocation::Subject("u1"), until)
            .expect("room");
        assert!(revoked.has(&identity("acme", "u1", "t1", 1_800_000_000)));
        assert!(!revoked.has(&identity("acme", "u1", "t2", 1_800_000_001)));
        assert!(!revoked.has(&identity("acme", "u2", "t3", 1_800_000_000)));
        let mut silent = identity("acme", "u1", "t4", 0);
        silent.claims.remove("iat");
        assert!(revoked.has(&silent), "it may be older");
    }

    #[test]
    fn nothing_is_forgotten_to_make_room_but_what_has_expired() {
        let (clock, revoked) = desk(2);
        let until = |seconds| clock.now().plus(Duration::from_secs(seconds));
        let revoke = |id, until| revoked.revoke("acme", Revocation::Token(id), until);
        revoke("t1", until(10)).expect("room");
        revoke("t2", until(60)).expect("room");
        assert_eq!(revoke("t3", until(60)), Err(Full));
        revoke("t2", until(60)).expect("it has its room already");
        clock.advance(Duration::from_secs(10));
        revoke("t3", until(60)).expect("room again");
        for (id, is) in [("t1", false), ("t2", true), ("t3", true)] {
            assert_eq!(revoked.has(&identity("acme", "u", id, 0)), is, "{id}");
        }
        assert_eq!(revoke(&"x".repeat(600), until(60)), Err(Full));
    }

    #[test]
    fn what_a_reading_has_not_shown_as_it_is_was_missed_by_it() {
        let (clock, revoked) = desk(10);
        let until = |seconds| clock.now().plus(Duration::from_secs(seconds));
        let missed = |reading| revoked.missed_by(reading, 10).pop();
        let revoke = |until| revoked.revoke("acme", Revocation::Subject("u1"), until);
        let old = revoke(until(10)).expect("room");
        assert_eq!(missed(1), Some(old.clone()));
        revoked.learn(&old, 1).expect("room");
        assert_eq!(missed(1), None);
        assert_eq!(
            missed(2),
            Some(old.clone()),
            "each reading counts for itself"
        );
        clock.advance(Duration::from_secs(1));
        let longer = revoke(until(60)).expect("room");
        assert_eq!(missed(1), Some(longer.clone()), "it counts for more since");
        revoked.learn(&old, 1).expect("room");
        assert_eq!(missed(1), Some(longer.clone()), "that is not all of it");
        revoked.learn(&longer, 1).expect("room");
        revoked.learn(&old, 1).expect("room");
        assert_eq!(missed(1), None, "older news takes nothing back");
        clock.advance(Duration::from_secs(60));
        assert_eq!(missed(2), None, "what has expired is nobody's loss");
    }

    #[test]
    fn what_others_have_revoked_finds_room_where_own_revocations_do_not() {
        let (clock, revoked) = desk(1);
        let until = clock.now().plus(Duration::from_secs(60));
        let learn = |id| {
            let record = Record::new("acme", Revocation::Token(id), clock.now(), until);
            revoked.learn(&record, 1)
        };
        learn("t1").expect("room");
        let own = revoked.revoke("acme", Revocation::Token("t2"), until);
        assert_eq!(own, Err(Full));
        learn("t2").expect("room");
        assert_eq!(learn("t3"), Err(Full), "bounded all the same");
    }
}
