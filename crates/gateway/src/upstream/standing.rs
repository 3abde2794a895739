//! Whether a server is asked: what its answers say (outlier ejection), what the checks say (active
//! health). Pure: time is handed in, in microseconds.

use std::time::Duration;

use super::micros;
use crate::table::{Ejection, Health};

/// The longest ejection.
const LONGEST: u64 = 300_000_000;

/// What is known of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    /// Failures in a row.
    failures: u32,
    /// Ejections in a row.
    ejections: u32,
    /// Until when nobody is sent there; 0 for never ejected.
    ejected_until: u64,
    /// When the request was sent there that decides about its return.
    probed: Option<u64>,
    /// What the checks say.
    well: bool,
    /// Checks in a row that say otherwise.
    contrary: u32,
    /// Since when it is there, or back.
    since: u64,
}

impl Standing {
    pub(super) fn new(now: u64) -> Self {
        Self {
            failures: 0,
            ejections: 0,
            ejected_until: 0,
            probed: None,
            well: true,
            contrary: 0,
            since: now,
        }
    }

    pub(super) fn is_usable(&self, now: u64) -> bool {
        self.well && self.ejected_until <= now
    }

    pub(super) fn is_well(&self) -> bool {
        self.well
    }

    /// Takes the right to send a request there. After an ejection there is one for a single
    /// request, whose answer decides.
    pub(super) fn claim(&mut self, now: u64, rule: &Ejection) -> bool {
        if !self.is_usable(now) {
            return false;
        }
        if self.ejected_until != 0 {
            self.ejected_until = now.saturating_add(self.length(rule));
            self.probed = Some(now);
        }
        true
    }

    /// It has answered: it is no outlier.
    pub(super) fn answered(&mut self, now: u64) {
        self.failures = 0;
        if self.ejected_until != 0 {
            self.ejected_until = 0;
            self.probed = None;
            self.ejections = 0;
            self.since = now;
        }
    }

    /// What it was `asked` then, it has failed to do; whether that ejects it.
    pub(super) fn failed(&mut self, asked: u64, now: u64, rule: &Ejection) -> bool {
        if rule.failures == 0 {
            return false;
        }
        if self.ejected_until == 0 {
            self.failures = self.failures.saturating_add(1);
            if self.failures < rule.failures {
                return false;
            }
        } else if self.probed.is_none_or(|probed| asked < probed) {
            // Of what was under way when it was ejected nothing else was to be expected.
            return false;
        }
        self.ejections = self.ejections.saturating_add(1);
        self.ejected_until = now.saturating_add(self.length(rule));
        self.probed = None;
        self.failures = 0;
        true
    }

    fn length(&self, rule: &Ejection) -> u64 {
        let doubled = self.ejections.saturating_sub(1).min(16);
        micros(rule.duration)
            .saturating_mul(1 << doubled)
            .clamp(1, LONGEST)
    }

    /// A check has ended; whether that changes anything.
    pub(super) fn checked(&mut self, good: bool, now: u64, rule: &Health) -> bool {
        if good == self.well {
            self.contrary = 0;
            return false;
        }
        self.contrary += 1;
        let needed = if good { rule.healthy } else { rule.unhealthy };
        if self.contrary < needed {
            return false;
        }
        self.well = good;
        self.contrary = 0;
        if good {
            self.since = now;
            self.ejected_until = 0;
            self.probed = None;
            self.ejections = 0;
        }
        true
    }

    /// By how much its cost counts more, in hundredths, while it is new.
    pub(super) fn handicap(&self, now: u64, slow_start: Duration) -> u64 {
        let (age, length) = (now.saturating_sub(self.since), micros(slow_start));
        if age >= length {
            return 100;
        }
        // From ten times the cost to the plain one.
        (length.saturating_mul(100) / age.max(1)).clamp(100, 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn rule() -> Ejection {
        Ejection {
            failures: 3,
            duration: Duration::from_secs(5),
        }
    }

    #[test]
    fn failures_in_a_row_eject_and_one_request_decides_about_the_return() {
        let mut standing = Standing::new(0);
        assert!(!standing.failed(0, 1, &rule()) && !standing.failed(0, 2, &rule()));
        standing.answered(3);
        assert!(!standing.failed(3, 4, &rule()) && !standing.failed(3, 5, &rule()));
        assert!(standing.failed(3, 6, &rule()));
        assert!(!standing.claim(6 + SECOND, &rule()));
        // What was asked before it was ejected changes nothing any more.
        (0..20).for_each(|_| assert!(!standing.failed(5, 7, &rule())));
        let back = 6 + 5 * SECOND;
        assert!(standing.claim(back, &rule()), "one may try");
        assert!(!standing.claim(back, &rule()), "and only one");
        assert!(!standing.failed(5, back, &rule()), "it is not the one");
        assert!(standing.failed(back, back + 1, &rule()), "which has failed");
        assert!(!standing.failed(back, back + 2, &rule()), "and no other");
        assert!(!standing.is_usable(back + 9 * SECOND), "twice as long");
        assert!(standing.claim(back + 11 * SECOND, &rule()));
        standing.answered(back + 11 * SECOND);
        assert!(standing.claim(back + 11 * SECOND, &rule()));
        assert!(
            !standing.failed(back + 12 * SECOND, back + 12 * SECOND, &rule()),
            "all is forgotten"
        );
    }

    #[test]
    fn a_probe_that_is_lost_does_not_keep_a_server_out_for_good() {
        let mut standing = Standing::new(0);
        (0..3).for_each(|now| assert_eq!(standing.failed(now, now, &rule()), now == 2));
        assert!(standing.claim(6 * SECOND, &rule()));
        assert!(
            standing.claim(12 * SECOND, &rule()),
            "nobody told how the first one ended"
        );
    }

    #[test]
    fn checks_in_a_row_take_a_server_out_and_bring_it_back() {
        let rule = Health {
            path: String::from("/"),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            healthy: 2,
            unhealthy: 3,
        };
        let mut standing = Standing::new(0);
        assert!(!standing.checked(false, 1, &rule) && !standing.checked(false, 2, &rule));
        assert!(!standing.checked(true, 3, &rule));
        assert!(!standing.checked(false, 4, &rule) && !standing.checked(false, 5, &rule));
        assert!(standing.checked(false, 6, &rule) && !standing.is_usable(6));
        assert!(!standing.checked(true, 7, &rule));
        assert!(standing.checked(true, 8, &rule) && standing.is_usable(8));
    }

    #[test]
    fn a_new_server_is_dear_at_first() {
        let standing = Standing::new(0);
        let window = Duration::from_secs(10);
        assert_eq!(standing.handicap(0, window), 1_000);
        assert_eq!(standing.handicap(5 * SECOND, window), 200);
        assert_eq!(standing.handicap(10 * SECOND, window), 100);
        assert_eq!(standing.handicap(0, Duration::ZERO), 100);
    }
}
