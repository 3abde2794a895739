//! A budget of repetitions: when everything fails, repeating everything makes it worse. Each
//! request earns a share of a repetition; what is saved is bounded (as in Finagle's `RetryBudget`).

use std::sync::atomic::{AtomicU64, Ordering};

/// What one repetition costs; a request earns as many of it as the budget has per cent.
const COST: u64 = 100;

/// How many requests may be repeated.
#[derive(Debug)]
pub struct Budget {
    percent: u64,
    most: u64,
    saved: AtomicU64,
}

impl Budget {
    /// Allows `percent` repetitions for a hundred requests: `first` at the start, and at most `most` at
    /// once after a quiet time. None if `percent` is 0.
    pub fn new(percent: u32, first: u32, most: u32) -> Self {
        let first = if percent == 0 { 0 } else { first };
        Self {
            percent: percent.into(),
            most: u64::from(most) * COST,
            saved: AtomicU64::new(u64::from(first) * COST),
        }
    }

    /// A request was made.
    pub fn earn(&self) {
        // Not exact under contention, which does no harm: an update may be lost.
        let saved = self.saved.load(Ordering::Relaxed);
        if saved < self.most {
            self.saved.store(saved + self.percent, Ordering::Relaxed);
        }
    }

    /// Whether one may be repeated.
    pub fn spend(&self) -> bool {
        let spend = |saved: u64| saved.checked_sub(COST);
        self.saved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_are_a_share_of_requests() {
        let budget = Budget::new(20, 10, 50);
        while budget.spend() {}
        (0..1000).for_each(|_| budget.earn());
        let repeated = std::iter::from_fn(|| budget.spend().then_some(())).count();
        assert_eq!(repeated, 50, "200 were earned, but only 50 are saved");
        (0..10).for_each(|_| budget.earn());
        let repeated = std::iter::from_fn(|| budget.spend().then_some(())).count();
        assert_eq!(repeated, 2);
    }

    #[test]
    fn none_is_none() {
        let budget = Budget::new(0, 10, 50);
        (0..1000).for_each(|_| budget.earn());
        assert!(!budget.spend());
    }
}
