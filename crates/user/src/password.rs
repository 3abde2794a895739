//! Passwords: rules, and hashing off the async threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use kernel::{Secret, Sources, Violations};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::UserError;

/// Lengths in characters. NIST SP 800-63B asks for eight at least and forbids further rules of
/// composition; the upper bound keeps hashing cheap.
const LENGTH: std::ops::RangeInclusive<usize> = 8..=128;

/// What people choose first when eight characters are asked for.
const TOO_COMMON: [&str; 12] = [
    "password",
    "12345678",
    "123456789",
    "1234567890",
    "qwertyui",
    "qwertyuiop",
    "11111111",
    "password1",
    "iloveyou",
    "sunshine",
    "princess",
    "football",
];

/// Whether a password may be chosen.
pub(crate) fn check(password: &Secret<String>) -> Result<(), UserError> {
    let text = password.expose();
    if !LENGTH.contains(&text.chars().count()) {
        return Err(UserError::WeakPassword("must have 8 to 128 characters"));
    }
    if TOO_COMMON.contains(&text.to_lowercase().as_str()) {
        return Err(UserError::WeakPassword(
            "is among those that are tried first",
        ));
    }
    Ok(())
}

/// Whether a text can be the password of anybody; keeps what is hashed short.
pub(crate) fn limit(violations: &mut Violations, field: &str, password: &Secret<String>) {
    let length = password.expose().chars().count();
    let possible = (1..=*LENGTH.end()).contains(&length);
    violations.require(possible, field, "expected 1 to 128 characters");
}

/// Hashes passwords with argon2id, a few at a time: each takes 19 MiB and a core for tens of
/// milliseconds, which the async threads do not have. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Hasher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue: usize,
}

impl Hasher {
    pub(crate) fn new(at_once: usize, queue: usize) -> Self {
        let permits = Arc::new(Semaphore::new(at_once.max(1)));
        let waiting = AtomicUsize::new(0);
        Self(Arc::new(Inner {
            permits,
            waiting,
            queue,
        }))
    }

    /// The hash of `password` with a fresh salt, as a PHC string.
    pub(crate) async fn hash(
        &self,
        password: Secret<String>,
        sources: &Sources,
    ) -> Result<String, UserError> {
        let salt: [u8; 16] = sources.random();
        self.run(move || {
            let hash = argon2().hash_password_with_salt(password.expose().as_bytes(), &salt);
            hash.expect("the parameters and the salt are valid")
                .to_string()
        })
        .await
    }

    /// Whether `hash` is that of `password`. Without a hash it takes as long and says no, so that
    /// the time does not tell whether somebody exists.
    pub(crate) async fn verify(
        &self,
        password: Secret<String>,
        hash: Option<String>,
    ) -> Result<bool, UserError> {
        self.run(move || {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| String::from(NOBODY));
            let Ok(hash) = PasswordHash::new(&hash) else {
                return false;
            };
            argon2()
                .verify_password(password.expose().as_bytes(), &hash)
                .is_ok()
                && known
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, UserError> {
        let place = Place::take(&self.0).ok_or(UserError::HashersBusy)?;
        let permit = self.0.permits.clone().acquire_owned().await;
        let permit: OwnedSemaphorePermit = permit.map_err(|_| UserError::HashersBusy)?;
        // The work goes on when nobody waits for it any more, so it keeps its place itself.
        let work = move || {
            let _held = (place, permit);
            work()
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|_| UserError::HashersBusy)
    }
}

/// A place in the queue, for as long as it is held.
struct Place(Arc<Inner>);

impl Place {
    fn take(inner: &Arc<Inner>) -> Option<Self> {
        let place = Self(inner.clone());
        (inner.waiting.fetch_add(1, Ordering::Relaxed) < inner.queue).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The hash of a password that nobody has.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ibw$\
                      ETmCRKU1yFGzGkBRmeoxzGkTzJjbGgNMjM2RgsBhhPA";

/// OWASP's first recommendation for argon2id: 19 MiB, two passes, one lane.
fn argon2() -> Argon2<'static> {
    let params = Params::new(19_456, 2, 1, None).expect("the parameters are valid");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_hash_is_of_its_password_only() {
        let hasher = Hasher::new(1, 10);
        let password = Secret::new(String::from("correct horse"));
        let hash = hasher
            .hash(password.clone(), &Sources::system())
            .await
            .expect("hashed");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(
            hasher
                .verify(password.clone(), Some(hash.clone()))
                .await
                .expect("ran")
        );
        let wrong = Secret::new(String::from("wrong horse"));
        assert!(!hasher.verify(wrong, Some(hash)).await.expect("ran"));
        assert!(!hasher.verify(password, None).await.expect("ran"));
        assert!(
            PasswordHash::new(NOBODY).is_ok(),
            "nobody's hash must cost as much as another"
        );
    }

    #[tokio::test]
    async fn a_full_queue_refuses() {
        let hasher = Hasher::new(1, 0);
        let password = Secret::new(String::from("correct horse"));
        let refused = hasher.verify(password, None).await;
        assert!(matches!(refused, Err(UserError::HashersBusy)));
    }

    #[tokio::test]
    async fn a_hash_that_nobody_waits_for_keeps_its_place() {
        let hasher = Hasher::new(1, 1);
        let (begin, begun) = std::sync::mpsc::channel::<()>();
        let running = hasher.run(move || begun.recv());
        // It is running once it is polled; then whoever waits for it gives up.
        assert!(running.now_or_never().is_none());
        let refused = hasher.run(|| ()).await;
        assert!(matches!(refused, Err(UserError::HashersBusy)));
        begin.send(()).expect("it is running");
        while hasher.0.waiting.load(Ordering::Relaxed) > 0 {
            tokio::task::yield_now().await;
        }
        hasher.run(|| ()).await.expect("there is room again");
    }

    #[test]
    fn weak_passwords_are_refused() {
        for weak in ["short", "PASSWORD", &"x".repeat(129)] {
            assert!(check(&Secret::new(weak.to_owned())).is_err(), "{weak}");
        }
    }
}
