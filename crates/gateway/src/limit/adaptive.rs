//! A limit of requests at once that finds itself, from how long answers take.
//!
//! As long as an upstream has room, answers take their shortest time, whatever the number of
//! requests. Beyond that they queue, and the time grows with the number. So the limit follows the
//! *gradient*: what answers take without a queue, over what they take now. A small allowance, the
//! square root of the limit, lets it grow where there is room; what was dropped makes it shrink at
//! once. (The idea is that of Netflix's concurrency-limits and of Envoy's adaptive concurrency.)
//!
//! What answers take without a queue changes: with the hour, a deployment, the requests. So it is
//! measured anew every now and then. If there is more to do than the limit allows, that takes two
//! windows in which only a third of the limit is granted: one for the queue to drain, one to
//! measure.
//!
//! Pure: knows no clock and counts nothing itself. [`concurrency`](super::concurrency) does.

use std::time::Duration;

use serde::Deserialize;

/// Within which bounds a limit finds itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", default)]
pub(crate) struct AdaptiveSettings {
    /// Where it begins.
    pub initial: u32,
    /// Never lower; at least 1.
    pub lowest: u32,
    /// Never higher.
    pub highest: u32,
    /// By how many percent answers may be slower than without a queue.
    pub tolerance_percent: u32,
    /// How many windows there are from one measurement without a queue to the next.
    pub measure_every: u32,
}

impl Default for AdaptiveSettings {
    fn default() -> Self {
        Self {
            initial: 50,
            lowest: 5,
            highest: 2000,
            tolerance_percent: 50,
            measure_every: 300,
        }
    }
}

/// What was seen in a window of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Window {
    /// Requests that were answered.
    pub answered: u64,
    /// The time that they took together, in microseconds.
    pub took: u64,
    /// Requests that timed out, or that the upstream refused because it had too many.
    pub dropped: u64,
    /// The most requests that were there at once.
    pub at_once: u32,
}

impl Window {
    /// One more request.
    pub(crate) fn add(&mut self, took: Duration, dropped: bool, at_once: u32) {
        self.at_once = self.at_once.max(at_once);
        if dropped {
            self.dropped = self.dropped.saturating_add(1);
        } else {
            let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            self.answered = self.answered.saturating_add(1);
            self.took = self.took.saturating_add(took);
        }
    }

    /// Whether it tells anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.answered == 0 && self.dropped == 0
    }

    fn mean(&self) -> Option<u64> {
        self.took.checked_div(self.answered).map(|mean| mean.max(1))
    }
}

/// Finds the limit.
#[derive(Debug, Clone)]
pub(crate) struct Controller {
    settings: AdaptiveSettings,
    /// In thousandths.
    limit: u64,
    /// What answers take without a queue, in microseconds.
    unqueued: Option<u64>,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Follows the gradient, for so many more windows.
    Follows(u32),
    /// A part of the limit, until the queue is gone.
    Drains,
    /// The same part, and measures.
    Measures,
}

const SCALE: u64 = 1000;
/// Which part of the limit is granted to measure what answers take without a queue.
const PART: u64 = 3;

impl Controller {
    /// A limit that begins where the settings say.
    pub(crate) fn new(settings: AdaptiveSettings) -> Self {
        let mut controller = Self {
            limit: 0,
            unqueued: None,
            phase: Phase::Follows(settings.measure_every),
            settings,
        };
        controller.set(u64::from(controller.settings.initial) * SCALE);
        controller
    }

    /// How many requests may be there at once.
    pub(crate) fn limit(&self) -> u32 {
        let limit = match self.phase {
            Phase::Follows(_) => self.limit,
            Phase::Drains | Phase::Measures => self.limit / PART,
        };
        let limit = u32::try_from(limit / SCALE).unwrap_or(u32::MAX);
        limit.max(self.settings.lowest).max(1)
    }

    /// Learns from a window that has ended. Windows should be long enough for some tens of
    /// answers; an empty one changes nothing.
    pub(crate) fn observe(&mut self, window: &Window) {
        if window.is_empty() {
            return;
        }
        if window.dropped > 0 {
            // Too much, whatever the answers took.
            self.set(self.limit / 10 * 9);
            self.phase = Phase::Follows(self.settings.measure_every);
            return;
        }
        let Some(mean) = window.mean() else {
            return;
        };
        // Where much of the limit is unused, there is no queue of our making.
        let busy = u64::from(window.at_once) * SCALE * 2 > self.limit;
        match self.phase {
            Phase::Drains => self.phase = Phase::Measures,
            Phase::Measures => {
                self.unqueued = Some(mean);
                self.phase = Phase::Follows(self.settings.measure_every);
            }
            Phase::Follows(0) if busy => self.phase = Phase::Drains,
            Phase::Follows(0) => {
                self.unqueued = Some(mean);
                self.phase = Phase::Follows(self.settings.measure_every);
            }
            Phase::Follows(windows) => {
                self.phase = Phase::Follows(windows - 1);
                self.follow(mean, busy);
            }
        }
    }

    fn follow(&mut self, mean: u64, busy: bool) {
        let unqueued = self.unqueued.map_or(mean, |known| known.min(mean));
        self.unqueued = Some(unqueued);
        let tolerated = u128::from(unqueued) * u128::from(100 + self.settings.tolerance_percent);
        let gradient = tolerated * u128::from(SCALE) / (u128::from(mean) * 100);
        let gradient = u64::try_from(gradient).unwrap_or(SCALE);
        let gradient = gradient.clamp(SCALE / 2, SCALE);
        let allowance = (self.limit * SCALE).isqrt();
        let wanted = self.limit * gradient / SCALE + allowance;
        // A limit that nobody reaches says nothing about what lies above it.
        if busy || wanted < self.limit {
            self.set(wanted);
        }
    }

    fn set(&mut self, limit: u64) {
        let lowest = u64::from(self.settings.lowest.max(1)) * SCALE;
        let highest = (u64::from(self.settings.highest) * SCALE).max(lowest);
        self.limit = limit.clamp(lowest, highest);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A server that works on `room` requests at once, each of which takes `service` microseconds;
    /// the others queue. `offered` requests want to be there at once.
    fn window(room: u64, service: u64, offered: u32, limit: u32) -> Window {
        let at_once = offered.min(limit);
        let queued = u64::from(at_once).max(room);
        let answered = 100;
        Window {
            answered,
            took: answered * service * queued / room,
            dropped: 0,
            at_once,
        }
    }

    fn run(controller: &mut Controller, windows: u32, room: u64, service: u64, offered: u32) {
        for _ in 0..windows {
            let limit = controller.limit();
            controller.observe(&window(room, service, offered, limit));
        }
    }

    /// Not in the middle of a measurement.
    fn settled(controller: &mut Controller, room: u64, service: u64, offered: u32) -> u64 {
        while !matches!(controller.phase, Phase::Follows(_)) {
            run(controller, 1, room, service, offered);
        }
        controller.limit().into()
    }

    proptest! {
        #[test]
        fn never_leaves_its_bounds(
            windows in prop::collection::vec(
                (0..1000_u64, 0..u64::MAX / 2, 0..3_u64, 0..u32::MAX), 0..300
            ),
            lowest in 0..50_u32,
            highest in 0..500_u32,
        ) {
            let mut controller = Controller::new(AdaptiveSettings {
                lowest, highest, measure_every: 7, ..AdaptiveSettings::default()
            });
            for (answered, took, dropped, at_once) in windows {
                controller.observe(&Window { answered, took, dropped, at_once });
                let limit = controller.limit();
                prop_assert!(limit >= lowest.max(1) && limit <= highest.max(lowest).max(1));
            }
        }

        #[test]
        fn finds_what_the_server_can_do(room in 10..500_u64, service in 100..1_000_000_u64) {
            let mut controller = Controller::new(AdaptiveSettings::default());
            run(&mut controller, 2000, room, service, 100_000);
            let limit = settled(&mut controller, room, service, 100_000);
            // It is always busy, and its queue is shorter than what it works on.
            prop_assert!(limit >= room && limit <= room * 5 / 2, "{limit} for {room}");
        }

        #[test]
        fn a_server_that_slows_down_is_still_kept_busy(room in 20..300_u64, slower in 2..20_u64) {
            let mut controller = Controller::new(AdaptiveSettings::default());
            run(&mut controller, 1000, room, 1000, 100_000);
            run(&mut controller, 2000, room, 1000 * slower, 100_000);
            let limit = settled(&mut controller, room, 1000 * slower, 100_000);
            prop_assert!(limit >= room && limit <= room * 5 / 2, "{limit} for {room}");
        }

        #[test]
        fn a_server_that_loses_room_is_spared(room in 50..500_u64) {
            let mut controller = Controller::new(AdaptiveSettings::default());
            run(&mut controller, 1000, room, 1000, 100_000);
            run(&mut controller, 400, room / 5, 1000, 100_000);
            let limit = settled(&mut controller, room / 5, 1000, 100_000);
            prop_assert!(limit <= room * 4 / 5, "{limit} for {room} / 5");
        }

        #[test]
        fn what_is_dropped_lowers_it(at_once in 1..1000_u32, times in 1..100_usize) {
            let mut controller = Controller::new(AdaptiveSettings::default());
            let mut before = controller.limit();
            for _ in 0..times {
                controller.observe(&Window { answered: 10, took: 10, dropped: 1, at_once });
                let limit = controller.limit();
                prop_assert!(limit <= before);
                before = limit;
            }
            prop_assert!(before < 50 && (times < 50 || before == 5));
        }

        #[test]
        fn a_light_load_does_not_raise_it(offered in 1..24_u32, windows in 1..2000_u32) {
            let mut controller = Controller::new(AdaptiveSettings::default());
            run(&mut controller, windows, 1000, 1000, offered);
            prop_assert_eq!(controller.limit(), 50);
        }
    }

    #[test]
    fn an_empty_window_says_nothing() {
        let mut controller = Controller::new(AdaptiveSettings::default());
        controller.observe(&Window::default());
        assert_eq!(controller.limit(), 50);
    }
}
