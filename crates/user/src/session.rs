//! Log-ins: the refresh token that stands for one, and what presenting a token comes to.
//!
//! A session keeps the SHA-256 of its present refresh token and of the one before, never a token.
//! Each refresh derives the next token from the one that is presented and a fresh salt. A client
//! that lost the answer and presents its token once more gets the same next token again, although
//! nobody has kept it: the session never forks, so any other use of an old token is theft.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::identity::SessionId;
use kernel::{CustomerId, Id, Sources, StaffId, Timestamp};
use ring::{digest, hmac};
use uuid::Uuid;

/// Whose session it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A customer.
    Customer(CustomerId),
    /// A member of staff.
    Staff(StaffId),
}

impl Owner {
    /// The key that sessions are distributed by.
    pub(crate) fn uuid(self) -> Uuid {
        match self {
            Self::Customer(id) => id.uuid(),
            Self::Staff(id) => id.uuid(),
        }
    }
}

const CUSTOMER: u8 = b'c';
const STAFF: u8 = b's';
const SECRET: usize = 32;
/// Kind of owner, owner, session, secret.
const LENGTH: usize = 1 + 16 + 16 + SECRET;

/// Stands for a log-in. It names its owner and its session, so that looking it up pins the shard;
/// the secret proves that it is genuine. Debug output shows the session only.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    pub(crate) owner: Owner,
    pub(crate) session: SessionId,
    bytes: [u8; LENGTH],
}

impl RefreshToken {
    /// The first token of a new session.
    pub(crate) fn fresh(sources: &Sources, owner: Owner) -> Self {
        Self::new(owner, sources.id(), &sources.random())
    }

    /// The token that follows this one; the same for the same salt.
    pub(crate) fn next(&self, salt: &[u8]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, salt);
        let tag = hmac::sign(&key, &self.bytes);
        let secret = tag.as_ref().try_into().expect("SHA-256 has 32 bytes");
        Self::new(self.owner, self.session, &secret)
    }

    fn new(owner: Owner, session: SessionId, secret: &[u8; SECRET]) -> Self {
        let kind = match owner {
            Owner::Customer(_) => CUSTOMER,
            Owner::Staff(_) => STAFF,
        };
        let mut bytes = [0; LENGTH];
        bytes[0] = kind;
        bytes[1..17].copy_from_slice(owner.uuid().as_bytes());
        bytes[17..33].copy_from_slice(session.uuid().as_bytes());
        bytes[33..].copy_from_slice(secret);
        Self {
            owner,
            session,
            bytes,
        }
    }

    /// Reads what a client presents; `None` if it cannot be a token.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let bytes: [u8; LENGTH] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let owner = Uuid::from_slice(&bytes[1..17]).ok()?;
        let owner = match bytes[0] {
            CUSTOMER => Owner::Customer(CustomerId::from_uuid(owner)),
            STAFF => Owner::Staff(StaffId::from_uuid(owner)),
            _ => return None,
        };
        let session = SessionId::from_uuid(Uuid::from_slice(&bytes[17..33]).ok()?);
        Some(Self {
            owner,
            session,
            bytes,
        })
    }

    /// The token as the client keeps it.
    pub(crate) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes)
    }

    /// What the database keeps of it.
    pub(crate) fn hash(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, &self.bytes)
            .as_ref()
            .to_vec()
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshToken({})", self.session)
    }
}

/// A session, as the database keeps it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) token_hash: Vec<u8>,
    pub(crate) previous_hash: Option<Vec<u8>>,
    pub(crate) salt: Option<Vec<u8>>,
    pub(crate) refreshed_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// What presenting a token comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict<'a> {
    /// It is the present one: the session goes on with the next.
    Rotate,
    /// It is the one before, and its answer may have been lost: the next one, which this salt
    /// derives, is told again. Once.
    Repeat(&'a [u8]),
    /// Nobody has used the session for too long.
    Expired,
    /// It was used before, by the client or by a thief: nobody can tell, so the session ends.
    Reused,
}

impl Session {
    /// Judges a token by its hash. A wrong secret counts as reuse as well: who can name a session
    /// has held one of its tokens.
    pub(crate) fn judge(&self, hash: &[u8], now: Timestamp, grace: Duration) -> Verdict<'_> {
        if self.expires_at <= now {
            return Verdict::Expired;
        }
        if self.token_hash == hash {
            return Verdict::Rotate;
        }
        let in_time = now < self.refreshed_at.plus(grace);
        match (&self.previous_hash, &self.salt) {
            (Some(previous), Some(salt)) if previous == hash && in_time => Verdict::Repeat(salt),
            _ => Verdict::Reused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);
    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn token() -> RefreshToken {
        let sources = Sources::system();
        RefreshToken::fresh(&sources, Owner::Customer(sources.id()))
    }

    #[test]
    fn a_token_names_its_owner_and_its_session() {
        let sources = Sources::system();
        for owner in [Owner::Customer(sources.id()), Owner::Staff(sources.id())] {
            let token = RefreshToken::fresh(&sources, owner);
            assert_eq!(RefreshToken::read(&token.text()), Some(token.clone()));
            assert_eq!(token.owner, owner);
            assert!(!format!("{token:?}").contains(&token.text()));
        }
        for nonsense in ["", "nonsense", &"A".repeat(87), &token().text()[1..]] {
            assert_eq!(RefreshToken::read(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn the_next_token_is_the_same_for_the_same_salt_only() {
        let token = token();
        assert_eq!(token.next(b"salt"), token.next(b"salt"));
        assert_ne!(token.next(b"salt"), token.next(b"pepper"));
        assert_ne!(token.next(b"salt").hash(), token.hash());
        assert_eq!(token.next(b"salt").session, token.session);
    }

    #[test]
    fn only_the_present_token_counts_and_shortly_the_one_before() {
        let before = token();
        let (long_ago, present) = (token(), before.next(b"salt"));
        let session = Session {
            token_hash: present.hash(),
            previous_hash: Some(before.hash()),
            salt: Some(b"salt".to_vec()),
            refreshed_at: NOW,
            expires_at: NOW.plus(Duration::from_secs(60)),
        };
        let judge = |token: &RefreshToken, after: Duration| {
            session.judge(&token.hash(), NOW.plus(after), GRACE)
        };
        assert_eq!(judge(&present, Duration::ZERO), Verdict::Rotate);
        assert_eq!(judge(&present, GRACE * 2), Verdict::Rotate);
        assert_eq!(judge(&before, Duration::ZERO), Verdict::Repeat(b"salt"));
        assert_eq!(judge(&before, GRACE), Verdict::Reused);
        assert_eq!(judge(&long_ago, Duration::ZERO), Verdict::Reused);
        assert_eq!(judge(&present, Duration::from_secs(60)), Verdict::Expired);
    }
}
