//! Limits of requests that are there at once. What is too much is refused at once, with 503: who
//! waits for room would keep the room that waiting takes.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicIsize, AtomicUsize};
use std::time::{Duration, Instant};

use kernel::Problem;
use kernel::problem::codes;
use parking_lot::Mutex;
use wire::workers::PerWorker;

use super::adaptive::{AdaptiveSettings, Controller, Window};

/// Permits that a worker takes at once, at the most.
const AT_ONCE: usize = 64;

/// So many at once, never more. Every request enters and leaves, and one number that all workers moved
/// would have them wait for each other: so each has some permits at hand, which it takes from those that
/// are free, and from the others when none are.
#[derive(Debug)]
pub(crate) struct Concurrency {
    limit: AtomicUsize,
    /// Permits that nobody has; below zero while more are inside than a lowered limit allows.
    free: AtomicIsize,
    at_hand: PerWorker<AtomicUsize>,
}

impl Concurrency {
    /// `limit` at once.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: AtomicUsize::new(limit),
            free: AtomicIsize::new(permits(limit)),
            at_hand: PerWorker::by_processors(AtomicUsize::default),
        }
    }

    /// Limits to `limit` from now on; who is inside stays.
    pub(crate) fn set_limit(&self, limit: usize) {
        let before = self.limit.swap(limit, Relaxed);
        self.free
            .fetch_add(permits(limit) - permits(before), Relaxed);
        self.gather();
    }

    /// Makes free what workers have at hand.
    fn gather(&self) {
        for own in self.at_hand.all().filter(|own| own.load(Relaxed) > 0) {
            self.free.fetch_add(permits(own.swap(0, Relaxed)), Relaxed);
        }
    }

    /// How many more may enter; below zero as `free` is.
    fn left(&self) -> isize {
        let at_hand: usize = self.at_hand.all().map(|own| own.load(Relaxed)).sum();
        self.free.load(Relaxed) + permits(at_hand)
    }

    /// How many are inside.
    pub(crate) fn inside(&self) -> usize {
        usize::try_from(permits(self.limit()) - self.left()).unwrap_or(0)
    }

    /// The present limit.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Relaxed)
    }

    /// Whether there is a place.
    pub(crate) fn is_free(&self) -> bool {
        self.left() > 0
    }

    /// A place, if there is one.
    pub(crate) fn enter(&self) -> Option<Place<'_>> {
        if self.free.load(Relaxed) < 0 {
            // Who left when the limit was lowered may not have known.
            self.gather();
            if self.free.load(Relaxed) < 0 {
                return None;
            }
        }
        let own = self.at_hand.own();
        let entered = take_one(own) || self.take_some(own) || self.at_hand.all().any(take_one);
        entered.then(|| Place(self))
    }

    /// Takes some of the permits that are free, one of them to be used now.
    fn take_some(&self, own: &AtomicUsize) -> bool {
        let some = |free: isize| free.min(permits(self.at_once()));
        let left = |free: isize| (free > 0).then(|| free - some(free));
        let taken = self.free.fetch_update(Relaxed, Relaxed, left).map(some);
        let Ok(taken) = taken.and_then(|taken| usize::try_from(taken).map_err(|_| 0)) else {
            return false;
        };
        own.fetch_add(taken - 1, Relaxed);
        true
    }

    fn leave(&self) {
        let own = self.at_hand.own();
        let wanted = self.free.load(Relaxed) < 0;
        if wanted || own.load(Relaxed) >= 2 * self.at_once() {
            self.free.fetch_add(1, Relaxed);
        } else {
            own.fetch_add(1, Relaxed);
        }
    }

    /// How many a worker takes at once: few of all.
    fn at_once(&self) -> usize {
        (self.limit() / 256).clamp(1, AT_ONCE)
    }
}

fn take_one(at_hand: &AtomicUsize) -> bool {
    // Mostly there are, or there were none for long.
    let one_less = |has: usize| has.checked_sub(1);
    at_hand.fetch_update(Relaxed, Relaxed, one_less).is_ok()
}

fn permits(count: usize) -> isize {
    isize::try_from(count).unwrap_or(isize::MAX)
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Place<'a>(&'a Concurrency);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// The answer to what is too much.
pub(crate) fn overloaded() -> Problem {
    let detail = "more requests are being answered than the server takes on";
    Problem::unavailable(codes::OVERLOADED, detail, 1)
}

/// How long a window of the controller lasts, and how many answers it takes to tell something.
const WINDOW: Duration = Duration::from_millis(100);
const ANSWERS: u64 = 20;

/// A limit for one upstream that finds itself; see [`adaptive`](super::adaptive).
#[derive(Debug)]
pub(crate) struct Adaptive {
    places: Concurrency,
    learning: Mutex<Learning>,
}

#[derive(Debug)]
struct Learning {
    controller: Controller,
    window: Window,
    began: Option<Instant>,
}

impl Adaptive {
    /// A limit that begins where the settings say.
    pub(crate) fn new(settings: AdaptiveSettings) -> Self {
        let controller = Controller::new(settings);
        Self {
            places: Concurrency::new(controller.limit() as usize),
            learning: Mutex::new(Learning {
                controller,
                window: Window::default(),
                began: None,
            }),
        }
    }

    /// The present limit, for a metric.
    pub(crate) fn limit(&self) -> usize {
        self.places.limit()
    }

    /// Whether there is a place.
    pub(crate) fn is_free(&self) -> bool {
        self.places.is_free()
    }

    /// A place at the upstream, if there is one.
    pub(crate) fn enter(&self, now: Instant) -> Option<Visit<'_>> {
        let place = self.places.enter()?;
        Some(Visit {
            adaptive: self,
            at_once: u32::try_from(self.places.inside()).unwrap_or(u32::MAX),
            entered: now,
            _place: place,
        })
    }

    fn learn(&self, now: Instant, took: Duration, dropped: bool, at_once: u32) {
        let mut learning = self.learning.lock();
        let Learning {
            controller,
            window,
            began,
        } = &mut *learning;
        window.add(took, dropped, at_once);
        let over = now.saturating_duration_since(*began.get_or_insert(now)) >= WINDOW;
        if over && window.answered + window.dropped >= ANSWERS {
            controller.observe(window);
            (*window, *began) = (Window::default(), Some(now));
            self.places.set_limit(controller.limit() as usize);
        }
    }
}

/// A place at an upstream, until this is dropped. Who gives up without telling how it ended
/// teaches nothing.
#[derive(Debug)]
pub(crate) struct Visit<'a> {
    adaptive: &'a Adaptive,
    at_once: u32,
    entered: Instant,
    _place: Place<'a>,
}

impl Visit<'_> {
    /// The head of the answer is there.
    pub(crate) fn answered(&self, now: Instant) {
        let took = now.saturating_duration_since(self.entered);
        self.adaptive.learn(now, took, false, self.at_once);
    }

    /// It timed out, or the upstream said that it has too much to do (429, 503).
    pub(crate) fn dropped(&self, now: Instant) {
        let took = now.saturating_duration_since(self.entered);
        self.adaptive.learn(now, took, true, self.at_once);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use wire::workers::acting_as;

    use super::*;

    fn entered(places: &Concurrency) -> Vec<Place<'_>> {
        std::iter::from_fn(|| places.enter()).collect()
    }

    #[test]
    fn never_more_than_the_limit_are_inside_and_no_permit_is_lost() {
        for limit in [1, 3, 700] {
            let (places, inside) = (Concurrency::new(limit), AtomicUsize::new(0));
            let work = |worker: usize| {
                let mut held = Vec::new();
                for step in 0..20_000 {
                    match places.enter() {
                        Some(place) => {
                            assert!(inside.fetch_add(1, Relaxed) < limit);
                            held.push(place);
                        }
                        None => assert!(inside.load(Relaxed) <= limit),
                    }
                    // Not all in the same order.
                    if step % (worker + 2) == 0 {
                        inside.fetch_sub(held.len(), Relaxed);
                        held.clear();
                    }
                }
                inside.fetch_sub(held.len(), Relaxed);
            };
            std::thread::scope(|scope| {
                for worker in 0..4 {
                    scope.spawn(move || acting_as(worker, || work(worker)));
                }
            });
            assert_eq!(places.inside(), 0);
            assert_eq!(entered(&places).len(), limit, "all that there are");
        }
    }

    #[test]
    fn what_one_worker_has_at_hand_is_there_for_all() {
        let places = Concurrency::new(1_000);
        acting_as(1, || drop(entered(&places)));
        assert!(places.is_free());
        let held = entered(&places);
        assert_eq!((held.len(), places.inside()), (1_000, 1_000));
        assert!(!places.is_free());
    }

    #[test]
    fn a_lower_limit_counts_for_who_comes_then() {
        let places = Concurrency::new(600);
        acting_as(1, || drop(entered(&places)));
        let mut held = entered(&places);
        held.truncate(5);
        places.set_limit(3);
        assert_eq!((places.inside(), places.limit()), (5, 3));
        assert!(!places.is_free() && places.enter().is_none());
        held.truncate(3);
        assert!(places.enter().is_none(), "three are as many as may be");
        held.truncate(2);
        assert_eq!(entered(&places).len(), 1);
        places.set_limit(10);
        assert_eq!(entered(&places).len(), 8);
    }

    #[test]
    fn who_did_not_know_of_a_lower_limit_keeps_nobody_out() {
        let places = Concurrency::new(1);
        // As if two had left at once while a limit of 3 was lowered.
        places.free.store(-1, Relaxed);
        places.at_hand.own().store(2, Relaxed);
        assert!(places.is_free());
        assert_eq!(entered(&places).len(), 1);
    }
}
