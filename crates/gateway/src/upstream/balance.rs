//! Which server is asked: of two drawn by lot, the one with the lower cost. Cost is the peak-sensitive
//! moving average of its latency times the requests that it is at (Finagle's "Peak EWMA"; two choices
//! after Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tokio::time::Instant;

use super::room::Guest;
use super::{Member, Upstream};

/// Over how many microseconds a latency is forgotten.
const DECAY: u64 = 10_000_000;
/// The longest latency that makes a difference, in microseconds.
const LONGEST: u64 = 60_000_000;
/// What is assumed of a server that has not answered yet, in microseconds: it gets its chance.
const UNKNOWN: u64 = 1;

/// How busy and how slow a server is.
#[derive(Debug, Default)]
pub(super) struct Load {
    in_flight: AtomicU32,
    /// The moving average, in microseconds.
    latency: AtomicU64,
    /// When that was last changed.
    stamp: AtomicU64,
}

impl Load {
    pub(super) fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Microseconds.
    pub(super) fn latency(&self) -> u64 {
        self.latency.load(Ordering::Relaxed)
    }

    /// Notes that an answer took `latency`. A slower one counts at once, a faster one little by
    /// little. An update may be lost to another one, which does no harm.
    pub(super) fn observe(&self, latency: u64, now: u64) {
        let last = self.stamp.swap(now, Ordering::Relaxed);
        let present = self.latency.load(Ordering::Relaxed);
        let next = if latency >= present {
            latency
        } else {
            let elapsed = now.saturating_sub(last).clamp(1, DECAY);
            present - (present - latency).saturating_mul(elapsed).div_ceil(DECAY)
        };
        self.latency.store(next, Ordering::Relaxed);
    }

    /// The average fades while nobody asks, so that a server is not shunned for one slow answer.
    pub(super) fn cost(&self, now: u64) -> u64 {
        let idle = now.saturating_sub(self.stamp.load(Ordering::Relaxed));
        let left = DECAY.saturating_sub(idle);
        // Both factors are far below the square root of the largest number.
        (self.latency().min(LONGEST) * left / DECAY)
            .max(UNKNOWN)
            .saturating_mul(u64::from(self.in_flight()) + 1)
    }
}

/// The right to send a request to a server.
#[derive(Debug)]
pub(super) struct Admission<'a> {
    pub(super) index: usize,
    pub(super) member: &'a Member,
    pub(super) guest: Guest<'a>,
    /// When, in microseconds since the upstream was made.
    pub(super) asked: u64,
}

impl Upstream {
    /// A server to ask, none that was `tried`; `None` if there is none that is well and has room.
    pub(super) fn choose<'a>(
        &self,
        members: &'a [Arc<Member>],
        tried: &[usize],
        now: Instant,
    ) -> Option<Admission<'a>> {
        let now = self.at(now);
        let usable = |index: &usize| {
            let member = &members[*index];
            !tried.contains(index) && member.is_usable(now) && member.room.is_free()
        };
        let count = members.len();
        let chosen = match count {
            0 => None,
            1 => Some(0).filter(usable),
            _ => {
                let lot = self.lot();
                let from = |start: u64| {
                    let start = usize::try_from(start).unwrap_or_default() % count;
                    (start..count).chain(0..start)
                };
                let first = from(lot >> 32).find(usable)?;
                let second =
                    from(lot & u64::from(u32::MAX)).find(|index| *index != first && usable(index));
                let slow_start = self.definition.slow_start;
                let cost = |index: usize| members[index].cost(now, slow_start);
                // Only a clear difference counts: servers that are alike shall share the work.
                second
                    .filter(|second| {
                        cost(*second).saturating_mul(4) < cost(first).saturating_mul(3)
                    })
                    .or(Some(first))
            }
        };
        let claim = |index: usize| {
            let member = &*members[index];
            let guest = member.room.enter(|| self.instant(now))?;
            let claimed = member.claim(now, &self.definition);
            claimed.then_some(Admission {
                index,
                member,
                guest,
                asked: now,
            })
        };
        // Two may want the last place, or the one request that a server gets after its ejection.
        chosen
            .and_then(claim)
            .or_else(|| (0..count).filter(usable).find_map(claim))
    }

    /// Sixty-four bits by chance (SplitMix64 on a counter): good enough to spread, and nothing to
    /// wait for.
    pub(crate) fn lot(&self) -> u64 {
        let mut z = self
            .dice
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_counts_at_once_and_is_forgotten_slowly() {
        let load = Load::default();
        load.observe(1_000, 1);
        load.observe(50_000, 2);
        assert_eq!(load.latency(), 50_000);
        load.observe(1_000, 3);
        assert!(load.latency() > 49_000, "{}", load.latency());
        load.observe(1_000, 5_000_000);
        assert!(load.latency() < 30_000, "{}", load.latency());
        load.observe(1_000, 60_000_000);
        assert_eq!(load.latency(), 1_000);
    }

    #[test]
    fn the_average_falls_even_when_answers_come_fast() {
        let load = Load::default();
        load.observe(100, 0);
        (0..100).for_each(|now| load.observe(10, now));
        assert!(load.latency() < 100, "{}", load.latency());
    }
}
