//! Deadlines of work that is mostly done in time.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::task::coop;
use tokio::time::{Instant, Sleep};

use crate::turn;

/// When something must be done: how long a connection waits for what its peer is to do next, by when a
/// request must be answered.
///
/// Hardly any deadline is ever met, and each request has some. In a [turn] none of them has a
/// timer: it tells when its task has to be woken, each time that it is polled, and the task has one timer
/// for all. Elsewhere, and where somebody stands between it and the task (a future that many share, for
/// one), a deadline has a timer of its own.
#[derive(Debug)]
pub struct Deadline {
    ends: Instant,
    timer: Timer,
}

impl Deadline {
    /// One at `ends`.
    pub fn at(ends: Instant) -> Self {
        let timer = Timer::default();
        Self { ends, timer }
    }

    /// One that has come, until it is told another time.
    pub(crate) fn now() -> Self {
        Self::at(turn::now())
    }

    /// From now on it is so far away.
    pub(crate) fn within(&mut self, limit: Duration) {
        self.until(turn::now() + limit);
    }

    /// From now on it is at `ends`.
    pub fn until(&mut self, ends: Instant) {
        self.ends = ends;
    }

    /// Whether it has come; wakes the task when it does. Who waits for it polls it whenever the task is
    /// polled.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ends <= turn::now() {
            return Poll::Ready(());
        }
        if turn::wakes(cx, self.ends) {
            // Whom it has woken before is gone.
            self.timer = Timer::default();
            return Poll::Pending;
        }
        self.timer.poll(cx, self.ends)
    }
}

/// Wakes a task, mostly never.
#[derive(Debug, Default)]
pub(crate) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Whether the task that has polled it last will be woken between now and then.
    pub(crate) fn wakes_between(&self, now: Instant, then: Instant) -> bool {
        let deadline = self.0.as_ref().map(|sleep| sleep.deadline());
        deadline.is_some_and(|deadline| now < deadline && deadline <= then)
    }

    /// Whether `ends` has come. The timer stays where it is when that moves away, and looks for it when it
    /// fires.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, ends: Instant) -> Poll<()> {
        let sleep = self
            .0
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(ends)));
        if sleep.deadline() > ends {
            sleep.as_mut().reset(ends);
        }
        loop {
            // Whoever always has something to do is put off at last, and would never hear of it.
            ready!(pin!(coop::unconstrained(sleep.as_mut())).poll(cx));
            if sleep.deadline() >= ends {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(ends);
        }
    }
}

/// What `work` comes to before `ends`; `None` if that comes first.
pub async fn before<T>(ends: Instant, work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    in_time(|| ends, work).await
}

/// The same, where `ends` says when that is, which may be put off while `work` goes on.
pub async fn in_time<T>(
    ends: impl Fn() -> Instant,
    mut work: Pin<&mut impl Future<Output = T>>,
) -> Option<T> {
    let mut late = Deadline::at(ends());
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        late.until(ends());
        late.poll(cx).map(|()| None)
    })
    .await
}

#[cfg(test)]
mod tests;
