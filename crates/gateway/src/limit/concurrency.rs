//! Limits of requests that are there at once. What is too much is refused at once, with 503: who
//! waits for room would keep the room that waiting takes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;
use kernel::Problem;
use kernel::problem::codes;
use parking_lot::Mutex;

use super::adaptive::{AdaptiveSettings, Controller, Window};

/// So many at once.
#[derive(Debug)]
pub(crate) struct Concurrency {
    /// What everybody moves, apart from what everybody reads.
    inside: CachePadded<AtomicUsize>,
    limit: AtomicUsize,
}

impl Concurrency {
    /// `limit` at once.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            inside: CachePadded::default(),
            limit: AtomicUsize::new(limit),
        }
    }

    /// Limits to `limit` from now on; who is inside stays.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// How many are inside.
    pub(crate) fn inside(&self) -> usize {
        self.inside.load(Ordering::Relaxed)
    }

    /// The present limit.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Whether there is a place.
    pub(crate) fn is_free(&self) -> bool {
        self.inside() < self.limit()
    }

    /// A place, if there is one.
    pub(crate) fn enter(&self) -> Option<Place<'_>> {
        let limit = self.limit();
        let free = |inside| (inside < limit).then_some(inside + 1);
        let entered = self
            .inside
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        entered.is_ok().then(|| Place(self))
    }
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Place<'a>(&'a Concurrency);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
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
