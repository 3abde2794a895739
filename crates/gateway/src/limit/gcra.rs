//! GCRA, the leaky bucket as a meter (ITU-T I.371): one number for each key, exact at any moment.
//!
//! The number is when a key will have paid for what it has used. Each unit of cost moves it on by
//! an interval; how far ahead of now it may lie is the capacity. Times are whole microseconds: the
//! clock of Redis is no finer, and its numbers carry no more.

use std::time::Duration;

use super::settings::Rate;

/// The longest time that a full bucket may take to drain: what Redis can still calculate with.
const LONGEST: i64 = 366 * 86_400 * 1_000_000;

/// What a rule grants to each key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    /// Microseconds for which one unit of cost is to be paid.
    interval: i64,
    /// Microseconds that may be used up in advance.
    capacity: i64,
}

impl Quota {
    /// `burst` units at once, and `rate` on the average. An interval that is no whole number of
    /// microseconds is rounded up, so that the rate is never exceeded.
    pub(crate) fn new(rate: Rate, burst: u32) -> Result<Self, String> {
        let window = i64::try_from(rate.window.as_micros()).unwrap_or(i64::MAX);
        let count = i64::from(rate.count);
        if count == 0 || burst == 0 {
            return Err(String::from(
                "a rate or burst of 0 lets nothing through; leave the rule out, or the route",
            ));
        }
        if window < count {
            return Err(String::from("a rate can be 1000000 a second at most"));
        }
        let interval = (window - 1) / count + 1;
        let capacity = interval.saturating_mul(i64::from(burst));
        if capacity > LONGEST {
            return Err(String::from(
                "the burst would take more than a year to be there again",
            ));
        }
        Ok(Self { interval, capacity })
    }

    /// What `cost` uses up.
    pub(crate) fn charge(self, cost: u32) -> i64 {
        self.interval.saturating_mul(i64::from(cost))
    }

    /// The microseconds that may be used up.
    pub(crate) fn capacity(self) -> i64 {
        self.capacity
    }

    /// What is used up at `now` by a key that will have paid at `paid_at`. A clock that was set
    /// back makes nobody wait longer than a full bucket takes.
    pub(crate) fn used(self, paid_at: i64, now: i64) -> i64 {
        paid_at.saturating_sub(now).clamp(0, self.capacity)
    }

    /// Whether `charge` is still free.
    pub(crate) fn fits(self, used: i64, charge: i64) -> bool {
        used.saturating_add(charge) <= self.capacity
    }

    /// How long until it is.
    pub(crate) fn wait(self, used: i64, charge: i64) -> i64 {
        used.saturating_add(charge) - self.capacity
    }

    /// Units of cost that are left.
    pub(crate) fn left(self, used: i64) -> i64 {
        (self.capacity - used) / self.interval
    }

    /// How many units in which time, as a policy tells it: the rate, or the burst and how long
    /// that takes to be there again if it is larger.
    pub(crate) fn policy(self, rate: Rate, burst: u32) -> (u32, i64) {
        if burst <= rate.count {
            (rate.count, seconds_of(rate.window))
        } else {
            (burst, seconds(self.capacity))
        }
    }
}

/// Whole seconds, rounded up.
pub(crate) fn seconds(micros: i64) -> i64 {
    (micros.max(0) + 999_999) / 1_000_000
}

fn seconds_of(window: Duration) -> i64 {
    seconds(i64::try_from(window.as_micros()).unwrap_or(i64::MAX)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(rate: &str, burst: u32) -> Result<Quota, String> {
        Quota::new(rate.parse().expect("a rate"), burst)
    }

    #[test]
    fn intervals_are_rounded_up() {
        assert_eq!(quota("7/1m", 1).expect("a quota").charge(1), 8_571_429);
        assert_eq!(quota("100/1s", 1).expect("a quota").charge(3), 30_000);
        assert_eq!(quota("1000000/1s", 1).expect("a quota").charge(1), 1);
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        assert!(quota("0/1s", 1).is_err());
        assert!(quota("1/1s", 0).is_err());
        assert!(quota("2000000/1s", 1).is_err());
        assert!(quota("1/365d", 2).is_err());
    }

    #[test]
    fn a_clock_that_was_set_back_costs_no_more_than_a_full_bucket() {
        let quota = quota("10/1s", 10).expect("a quota");
        assert_eq!(quota.used(10_000_000, 0), 1_000_000);
        assert_eq!(quota.used(0, 10_000_000), 0);
    }
}
