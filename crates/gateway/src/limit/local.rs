//! Counters of this process.

use std::convert::Infallible;
use std::sync::Arc;

use parking_lot::Mutex;
use quick_cache::sync::Cache;

use super::rule::Ask;

/// Keys that are remembered at once, about 100 bytes each; the least used are forgotten first. A
/// key that has paid is worth no more than one that was forgotten.
const KEYS: usize = 100_000;

/// When each key of each rule will have paid, each behind a lock of its own: a request holds those
/// of all its rules while it decides, for some nanoseconds, or none of them would know of the
/// others. Locks are taken in the order of their keys, so that nobody waits in a circle.
pub(crate) struct Local {
    paid_at: Cache<(u64, u128), Arc<Mutex<i64>>>,
}

impl Local {
    pub(crate) fn new() -> Self {
        Self {
            paid_at: Cache::new(KEYS),
        }
    }

    /// Takes from all rules, or from none if one of them refuses. Fills in what was used before.
    pub(crate) fn take(&self, asks: &mut [Ask], now: i64) {
        match asks {
            [] => {}
            [ask] => {
                let counter = self.counter(ask);
                let mut paid_at = counter.lock();
                ask.used = ask.quota.used(*paid_at, now);
                if ask.fits() {
                    *paid_at = now + ask.used + ask.charge;
                }
            }
            asks => {
                asks.sort_unstable_by_key(|ask| (ask.id, ask.key));
                self.take_all(asks, now);
                asks.sort_unstable_by_key(|ask| ask.rule);
            }
        }
    }

    fn take_all(&self, asks: &mut [Ask], now: i64) {
        let counters: Vec<_> = asks.iter().map(|ask| self.counter(ask)).collect();
        let mut held: Vec<_> = counters.iter().map(|counter| counter.lock()).collect();
        for (ask, paid_at) in asks.iter_mut().zip(&held) {
            ask.used = ask.quota.used(**paid_at, now);
        }
        if asks.iter().any(Ask::refuses) {
            return;
        }
        for (ask, paid_at) in asks.iter().zip(&mut held) {
            if ask.fits() {
                **paid_at = now + ask.used + ask.charge;
            }
        }
    }

    fn counter(&self, ask: &Ask) -> Arc<Mutex<i64>> {
        let fresh = || Ok::<_, Infallible>(Arc::new(Mutex::new(0)));
        let Ok(counter) = self.paid_at.get_or_insert_with(&(ask.id, ask.key), fresh);
        counter
    }
}
