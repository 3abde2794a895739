//! How long 19 of 20 answers take at most, in one number: a longer answer raises the estimate by 19
//! steps, another one lowers it by one. It rests where one answer of 20 is longer.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Answers before there is an estimate.
const ENOUGH: u32 = 100;
/// Which part of the estimate is a step.
const STEP: u64 = 256;
/// The longest time that makes a difference, in microseconds.
const LONGEST: u64 = 60_000_000;

/// The estimate.
#[derive(Debug, Default)]
pub(super) struct Usual {
    nanos: AtomicU64,
    seen: AtomicU32,
}

impl Usual {
    /// Notes that an answer took so many microseconds. An update may be lost to another one, which
    /// does no harm.
    pub(super) fn observe(&self, took: u64) {
        let took = took.clamp(1, LONGEST) * 1_000;
        let present = self.nanos.load(Ordering::Relaxed);
        let step = (present / STEP).max(1);
        let next = match present {
            0 => took,
            _ if took > present => present + 19 * step,
            _ => present - step,
        };
        self.nanos.store(next.max(1), Ordering::Relaxed);
        let seen = self.seen.load(Ordering::Relaxed);
        if seen < ENOUGH {
            self.seen.store(seen + 1, Ordering::Relaxed);
        }
    }

    /// The estimate, once there were enough answers.
    pub(super) fn p95(&self) -> Option<Duration> {
        let enough = self.seen.load(Ordering::Relaxed) >= ENOUGH;
        enough.then(|| Duration::from_nanos(self.nanos.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn one_of_twenty_is_longer(
            base in 10..100_000_u64,
            luck in prop::collection::vec(0..1_000_u64, 8_000),
        ) {
            let usual = Usual::default();
            let mut longer = 0;
            for (number, luck) in luck.into_iter().enumerate() {
                let took = base + base * luck / 100;
                let known = usual.p95().unwrap_or_default();
                if number >= 4_000 && Duration::from_micros(took) > known {
                    longer += 1;
                }
                usual.observe(took);
            }
            prop_assert!((120..=280).contains(&longer), "{longer} of 4000");
        }
    }

    #[test]
    fn nothing_is_known_at_first() {
        let usual = Usual::default();
        (0..99).for_each(|_| usual.observe(10));
        assert_eq!(usual.p95(), None);
        usual.observe(10);
        assert!(usual.p95().is_some());
    }
}
