//! Time, chance and fresh identifiers, handed in so that tests can hold them still.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::{Clock, Id, SystemClock, Timestamp};

/// A source of random bytes fit for secrets.
pub trait Random: fmt::Debug + Send + Sync + 'static {
    /// Fills `bytes` with unpredictable bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

/// Bytes that a thread asks the operating system for at once.
const ASKED: usize = 1024;

thread_local! {
    /// Random bytes that nobody has used yet, and how many of them. Each is given out once and
    /// wiped: a call to the kernel for every id would cost more than the id.
    static FRESH: RefCell<([u8; ASKED], usize)> = const { RefCell::new(([0; ASKED], 0)) };
}

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        if bytes.len() > ASKED / 8 {
            return ask(bytes);
        }
        FRESH.with_borrow_mut(|(fresh, left)| {
            if *left < bytes.len() {
                ask(fresh);
                *left = ASKED;
            }
            let taken = &mut fresh[*left - bytes.len()..*left];
            bytes.copy_from_slice(taken);
            taken.fill(0);
            *left -= bytes.len();
        });
    }
}

fn ask(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}

/// The two things that make a run unrepeatable. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sources {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Sources {
    /// Sources with the given clock and generator.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { clock, random }
    }

    /// The machine's clock and generator.
    pub fn system() -> Self {
        Self::new(Arc::new(SystemClock), Arc::new(SystemRandom))
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// `N` bytes fit for a secret.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes);
        bytes
    }

    /// A fresh UUIDv7 (RFC 9562): 48 bits of milliseconds, then 74 random bits.
    pub fn uuid(&self) -> Uuid {
        let millis = u64::try_from(self.now().micros() / 1_000).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.random()).into_uuid()
    }

    /// A fresh identifier of any type.
    pub fn id<I: Id>(&self) -> I {
        I::from_uuid(self.uuid())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn random_bytes_are_given_out_once() {
        let sources = Sources::system();
        let mut seen: BTreeSet<[u8; 16]> = (0..10_000).map(|_| sources.random()).collect();
        let elsewhere = std::thread::spawn(|| Sources::system().random()).join();
        seen.insert(elsewhere.expect("the thread ends well"));
        assert_eq!(seen.len(), 10_001);
        let mut long = [0; 5000];
        SystemRandom.fill(&mut long);
        assert!(long.iter().any(|byte| *byte != 0));
    }
}
