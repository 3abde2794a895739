//! The time, as often as it is needed.
//!
//! A request asks for the time in many places: for deadlines, for how long a server took, for how long
//! all of it took. Each look at the clock costs as much as a few hundred instructions, and what a task
//! does between two waits takes less than anybody measures. So a [worker](crate::workers) looks once for
//! each turn of a connection, when the first one asks, as nginx and HAProxy look once for each round of
//! their loops. Who measures [looks](look) again where something may have taken long.

use std::cell::Cell;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::Instant;

use crate::workers::Serving;

thread_local! {
    static TURN: Cell<Turn> = const { Cell::new(Turn::None) };
    /// A number that no other thread has.
    static THREAD: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed)
    };
}

/// What is known of the time.
#[derive(Clone, Copy)]
enum Turn {
    /// There are no turns: the clock is asked each time.
    None,
    /// Nobody has asked yet.
    Begun,
    /// It was asked in this turn.
    At(Instant),
}

/// The time: in a turn, that of the last look in it.
pub fn now() -> Instant {
    match TURN.get() {
        Turn::At(time) => time,
        Turn::Begun | Turn::None => look(),
    }
}

/// The time, by the clock. It is that of the turn from now on.
pub fn look() -> Instant {
    let time = Instant::now();
    if !matches!(TURN.get(), Turn::None) {
        TURN.set(Turn::At(time));
    }
    time
}

/// The thread whose turn this runs in, which has a runtime of its own; `None` if this is no turn.
pub(crate) fn thread() -> Option<usize> {
    (!matches!(TURN.get(), Turn::None)).then(|| THREAD.with(|thread| *thread))
}

/// The serving of a connection, in turns: each ends when it waits.
pub(crate) fn turns(mut serving: Serving) -> impl Future<Output = ()> + Send {
    poll_fn(move |cx| {
        TURN.set(Turn::Begun);
        let _ends = Ends;
        serving.as_mut().poll(cx)
    })
}

/// Ends the turn, also if it panics.
struct Ends;

impl Drop for Ends {
    fn drop(&mut self) {
        TURN.set(Turn::None);
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
        turns(Box::pin(async move {
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
