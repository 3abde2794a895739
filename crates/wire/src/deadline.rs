//! Deadlines of work that is mostly done in time.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::task::coop;
use tokio::time::Instant;

use crate::patience::{Patience, Timer};
use crate::turn;

/// Timers that a worker keeps: about as many requests as it answers at once.
const KEPT: usize = 64;

thread_local! {
    static KEPT_TIMERS: RefCell<Vec<Timer>> = const { RefCell::new(Vec::new()) };
}

/// When something must be done. No timer is set before it is waited for; and a worker, whose requests
/// mostly have the same time to be answered in, sets one again that it has set before, which costs
/// nothing while the deadline is later.
#[derive(Debug)]
pub struct Deadline(Patience);

impl Deadline {
    /// One at `ends`.
    pub fn at(ends: Instant) -> Self {
        Self(Patience::ending(ends))
    }

    /// Whether it has come; wakes the task when it does.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.0.is_timed()
            && turn::thread().is_some()
            && let Some(timer) = KEPT_TIMERS.with_borrow_mut(Vec::pop)
        {
            self.0.be_timed_by(timer);
        }
        if coop::has_budget_remaining() {
            return self.0.poll(cx);
        }
        // Whoever always has something to do is put off at last, and would never hear of its deadline.
        let late = poll_fn(|cx| self.0.poll(cx));
        pin!(coop::unconstrained(late)).poll(cx)
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        // Others have no thread, and no runtime, of their own: a timer is of one only.
        if turn::thread().is_none() {
            return;
        }
        let Some(timer) = self.0.take_timer() else {
            return;
        };
        // What is dropped is dropped when nothing is borrowed: whoever it would wake may end with it.
        let _left = KEPT_TIMERS.with_borrow_mut(|kept| {
            if kept.len() == KEPT {
                return Some(timer);
            }
            kept.push(timer);
            None
        });
    }
}

/// What `work` comes to before `ends`; `None` if that comes first.
pub async fn before<T>(ends: Instant, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    let mut late = Deadline::at(ends);
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => late.poll(cx).map(|()| None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use super::*;
    use crate::turn::turns;

    async fn waits(limit: Duration) -> Duration {
        let begun = Instant::now();
        let done = before(begun + limit, pin!(pending::<()>())).await;
        assert_eq!(done, None);
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn each_ends_in_its_time() {
        let limits = [10, 30, 5, 60].map(Duration::from_secs);
        // The timer is one that was left by whoever was in time, or has fired.
        turns(Box::pin(async move {
            for limit in limits {
                let (ends, work) = (Instant::now() + limit, pin!(tokio::task::yield_now()));
                assert_eq!(before(ends, work).await, Some(()));
                assert_eq!(KEPT_TIMERS.with_borrow(Vec::len), 1, "one for all");
                assert_eq!(waits(limit).await, limit);
            }
        }))
        .await;
        for limit in limits {
            assert_eq!(waits(limit).await, limit);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_always_something_to_do_has_to_end_as_well() {
        let begun = Instant::now();
        let mut busy = pin!(poll_fn(|cx| {
            while let Poll::Ready(step) = coop::poll_proceed(cx) {
                step.made_progress();
            }
            Poll::<()>::Pending
        }));
        let limit = Duration::from_secs(1);
        let step = async {
            loop {
                tokio::task::yield_now().await;
                tokio::time::advance(limit / 10).await;
                if begun.elapsed() > 3 * limit {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            done = before(begun + limit, busy.as_mut()) => assert_eq!(done, None),
            () = step => panic!("it goes on and on"),
        }
    }

    #[tokio::test]
    async fn what_is_done_at_once_needs_no_timer() {
        let done = turns(Box::pin(async {
            let done = before(Instant::now(), pin!(ready(5))).await;
            assert_eq!(done, Some(5));
            assert_eq!(KEPT_TIMERS.with_borrow(Vec::len), 0);
        }));
        done.await;
    }
}
