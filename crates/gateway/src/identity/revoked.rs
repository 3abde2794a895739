//! Tokens that no longer count although nothing in them says so.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use kernel::{Sources, Timestamp};
use parking_lot::RwLock;

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

/// What was revoked, until it would have expired anyway. In the memory of this process; outlives
/// reloads of the table.
#[derive(Debug)]
pub struct Revocations {
    sources: Sources,
    capacity: usize,
    /// How many there are, for those who need not look.
    count: AtomicUsize,
    by_source: RwLock<HashMap<String, Sets>>,
}

#[derive(Debug, Default)]
struct Sets {
    /// Until when.
    tokens: HashMap<String, Timestamp>,
    /// Issued up to when, and until when.
    subjects: HashMap<String, (Timestamp, Timestamp)>,
}

impl Sets {
    fn len(&self) -> usize {
        self.tokens.len() + self.subjects.len()
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
    /// at `until`: no token that it concerns may live longer than that.
    pub fn revoke(&self, source: &str, what: Revocation<'_>, until: Timestamp) -> Result<(), Full> {
        let now = self.sources.now();
        let (Revocation::Token(name) | Revocation::Subject(name)) = what;
        let mut all = self.by_source.write();
        let mut count: usize = all.values().map(Sets::len).sum();
        if count >= self.capacity {
            for sets in all.values_mut() {
                sets.tokens.retain(|_, until| *until > now);
                sets.subjects.retain(|_, (_, until)| *until > now);
            }
            all.retain(|_, sets| sets.len() > 0);
            count = all.values().map(Sets::len).sum();
        }
        if count >= self.capacity || name.len() > NAME_LIMIT || source.len() > NAME_LIMIT {
            return Err(Full);
        }
        let sets = all.entry(source.to_owned()).or_default();
        match what {
            Revocation::Token(_) => {
                let known = sets.tokens.entry(name.to_owned()).or_insert(until);
                *known = until.max(*known);
            }
            Revocation::Subject(_) => {
                let entry = sets.subjects.entry(name.to_owned());
                let known = entry.or_insert((now, until));
                *known = (now.max(known.0), until.max(known.1));
            }
        }
        count = all.values().map(Sets::len).sum();
        self.count.store(count, Ordering::Release);
        Ok(())
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
        subject.is_some_and(|(before, _)| {
            // `iat` has whole seconds.
            identity.issued().is_none_or(|issued| issued <= *before)
        })
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
        clock.advance(Duration::from_secs(10));
        revoke("t3", until(60)).expect("room again");
        for (id, is) in [("t1", false), ("t2", true), ("t3", true)] {
            assert_eq!(revoked.has(&identity("acme", "u", id, 0)), is, "{id}");
        }
        assert_eq!(revoke(&"x".repeat(600), until(60)), Err(Full));
    }
}
