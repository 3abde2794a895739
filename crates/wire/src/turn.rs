//! What a task does between two waits, and what it has once for all that happens meanwhile: the time, and
//! a timer.
//!
//! A request asks for the time in many places: for deadlines, for how long a server took, for how long
//! all of it took. Each look at the clock costs as much as a few hundred instructions, and what a task
//! does between two waits takes less than anybody measures. So who serves a connection looks once for
//! each turn, when the first one asks, as nginx and HAProxy look once for each round of their loops. Who
//! measures [looks](look) again where something may have taken long.
//!
//! What waits has a deadline, and mostly several that lie in one another. A timer for each would be told
//! anew with each request whom to wake. So they tell the turn when they would have to be woken, and the
//! task has a timer for the first of them, which stays where it is while it is early enough.

use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::Instant;

use crate::deadline::Timer;
use crate::woken::Woken;
use crate::workers::Serving;

thread_local! {
    static TURN: Turn = const {
        Turn {
            task: Cell::new(None),
            time: Cell::new(None),
            wakes: Cell::new(None),
        }
    };
}

/// The turn that lasts on a thread.
struct Turn {
    /// Whose turn it is; `None` while there is none.
    task: Cell<Option<Woken>>,
    /// What the clock said when it was asked last in the turn.
    time: Cell<Option<Instant>>,
    /// When the first of those that wait in the turn has to be woken.
    wakes: Cell<Option<Instant>>,
}

impl Turn {
    fn is(&self, task: Option<Woken>) {
        self.task.set(task);
        self.time.set(None);
        self.wakes.set(None);
    }
}

/// The time: in a turn, that of the last look in it.
pub fn now() -> Instant {
    TURN.with(|turn| turn.time.get()).unwrap_or_else(look)
}

/// The time, by the clock. It is that of the turn from now on.
pub fn look() -> Instant {
    let time = Instant::now();
    TURN.with(|turn| {
        if turn.task.get().is_some() {
            turn.time.set(Some(time));
        }
    });
    time
}

/// Whether the turn sees to it that whoever `cx` wakes is polled again `then` at the latest, which is later
/// than the time of the turn. It does so once: who goes on to wait asks again when it is polled again.
pub(crate) fn wakes(cx: &Context<'_>, then: Instant) -> bool {
    TURN.with(|turn| {
        let task = turn.task.get();
        if task.is_none() || task != Some(Woken::by(cx.waker())) {
            return false;
        }
        let first = turn.wakes.get();
        turn.wakes
            .set(Some(first.map_or(then, |first| first.min(then))));
        true
    })
}

/// The serving of a connection, or of a stream of one, in turns: each ends when it waits. For whole tasks:
/// what is polled by somebody who has other wakers has no turns.
pub struct Turns {
    serving: Serving,
    timer: Timer,
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turns")
    }
}

impl Turns {
    /// None yet.
    pub fn new(serving: Serving) -> Self {
        let timer = Timer::default();
        Self { serving, timer }
    }
}

impl Future for Turns {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        TURN.with(|turn| turn.is(Some(Woken::by(cx.waker()))));
        let ends = Ends;
        if self.serving.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let (wakes, time) = TURN.with(|turn| (turn.wakes.get(), turn.time.get()));
        drop(ends);
        let Some((wakes, time)) = wakes.zip(time) else {
            // Nobody waits for a time.
            return Poll::Pending;
        };
        if !self.timer.wakes_between(time, wakes) && self.timer.poll(cx, wakes).is_ready() {
            // The turn took as long.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// Ends the turn, also if it panics.
struct Ends;

impl Drop for Ends {
    fn drop(&mut self) {
        TURN.with(|turn| turn.is(None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits until the clock has moved on.
    fn later(than: Instant) {
        while Instant::now() <= than {
            std::hint::spin_loop();
        }
    }

    #[tokio::test]
    async fn a_turn_has_one_time() {
        let before = now();
        later(before);
        Turns::new(Box::pin(async move {
            let first = now();
            assert!(first > before, "outside of turns the clock is asked");
            later(first);
            assert_eq!(now(), first, "nobody has looked since");
            let looked = look();
            assert!(looked > first);
            assert_eq!(now(), looked);
            tokio::task::yield_now().await;
            assert!(now() > looked, "a wait has ended the turn");
        }))
        .await;
        let after = now();
        later(after);
        assert!(now() > after, "the turn is over");
    }
}
