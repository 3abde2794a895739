//! When a server is asked, and when it is left alone for a while.

use std::time::{Duration, Instant};

/// So many failures in a row, and the server is away.
const FAILURES: u32 = 3;
/// How long it is left alone then; twice as long after each probe in vain.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Knows nothing of time but what it is told.
#[derive(Debug)]
pub(super) struct Breaker {
    state: State,
    pause: Duration,
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    Probing,
}

/// What may be done with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Send it.
    Pass,
    /// Send it, and tell how it went: everything else waits for that.
    Probe,
    /// Do without.
    Refused,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self {
            state: State::Closed { failures: 0 },
            pause: FIRST_PAUSE,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    pub(super) fn admit(&mut self, now: Instant) -> Admission {
        match self.state {
            State::Closed { .. } => Admission::Pass,
            State::Open { until } if now >= until => {
                self.state = State::Probing;
                Admission::Probe
            }
            State::Open { .. } | State::Probing => Admission::Refused,
        }
    }

    /// A command, or the `probe`, was answered; tells whether that ends an absence.
    pub(super) fn succeeded(&mut self, probe: bool) -> bool {
        let was_closed = self.is_closed();
        if was_closed || probe {
            *self = Self::new();
        }
        probe && !was_closed
    }

    /// A command, or the `probe`, was not answered; tells whether that begins an absence.
    pub(super) fn failed(&mut self, now: Instant, probe: bool) -> bool {
        match &mut self.state {
            State::Closed { failures } => {
                *failures += 1;
                if *failures < FAILURES {
                    return false;
                }
                self.rest(now);
                true
            }
            State::Probing if probe => {
                self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
                self.rest(now);
                false
            }
            // Sent before the others failed: nothing new.
            State::Open { .. } | State::Probing => false,
        }
    }

    fn rest(&mut self, now: Instant) {
        self.state = State::Open {
            until: now + self.pause,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_open_it_and_one_probe_at_a_time_may_close_it() {
        let mut breaker = Breaker::new();
        let mut now = Instant::now();
        assert!(!breaker.failed(now, false) && !breaker.failed(now, false));
        assert!(!breaker.succeeded(false), "it was never away");
        assert!(!breaker.failed(now, false) && !breaker.failed(now, false));
        assert_eq!(breaker.admit(now), Admission::Pass, "not in a row");
        assert!(breaker.failed(now, false), "the third in a row");
        assert!(!breaker.failed(now, false), "told once");
        assert_eq!(breaker.admit(now), Admission::Refused);

        now += FIRST_PAUSE;
        assert_eq!(breaker.admit(now), Admission::Probe);
        assert_eq!(breaker.admit(now), Admission::Refused, "one probe");
        assert!(!breaker.failed(now, true));
        now += FIRST_PAUSE;
        assert_eq!(breaker.admit(now), Admission::Refused, "patience grows");
        now += FIRST_PAUSE;
        assert_eq!(breaker.admit(now), Admission::Probe);
        assert!(breaker.succeeded(true), "it is back");
        assert_eq!(breaker.admit(now), Admission::Pass);
    }

    #[test]
    fn late_news_from_before_change_nothing() {
        let mut breaker = Breaker::new();
        let now = Instant::now();
        for _ in 0..FAILURES {
            breaker.failed(now, false);
        }
        assert!(!breaker.succeeded(false), "sent before it went away");
        assert_eq!(breaker.admit(now), Admission::Refused);
    }

    #[test]
    fn the_pause_has_an_end() {
        let mut breaker = Breaker::new();
        let mut now = Instant::now();
        for _ in 0..FAILURES {
            breaker.failed(now, false);
        }
        for _ in 0..40 {
            now += LONGEST_PAUSE;
            assert_eq!(breaker.admit(now), Admission::Probe);
            breaker.failed(now, true);
        }
    }
}
