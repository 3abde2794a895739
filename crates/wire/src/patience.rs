//! A deadline that moves with each request.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::turn;

/// How long a connection waits for what its peer is to do next.
///
/// Hardly any deadline is ever met, and each request sets some: so the timer stays where it is when
/// a deadline moves away, and looks for the new one only when it fires.
#[derive(Debug)]
pub(crate) struct Patience {
    ends: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// No patience at all, before the first [`Patience::until`].
    pub(crate) fn new() -> Self {
        Self {
            ends: Instant::now(),
            timer: None,
        }
    }

    /// Waits from now on for as long as `limit`.
    pub(crate) fn within(&mut self, limit: Duration) {
        self.until(turn::now() + limit);
    }

    /// Waits until `ends`.
    pub(crate) fn until(&mut self, ends: Instant) {
        self.ends = ends;
        if let Some(timer) = &mut self.timer
            && timer.deadline() > ends
        {
            timer.as_mut().reset(ends);
        }
    }

    /// Whether it is over.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let ends = self.ends;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(ends)));
        loop {
            ready!(Future::poll(timer.as_mut(), cx));
            if timer.deadline() >= ends {
                return Poll::Ready(());
            }
            timer.as_mut().reset(ends);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn over(patience: &mut Patience) -> Duration {
        let began = Instant::now();
        std::future::poll_fn(|cx| patience.poll(cx)).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_it_was_last_told_to() {
        let mut patience = Patience::new();
        for seconds in [10, 75, 10, 30] {
            let limit = Duration::from_secs(seconds);
            // Moved away and back while the timer runs.
            for moved in [limit, limit * 3, limit] {
                patience.within(moved);
                let polled = std::future::poll_fn(|cx| Poll::Ready(patience.poll(cx))).await;
                assert!(polled.is_pending());
            }
            assert_eq!(over(&mut patience).await.as_secs(), seconds);
        }
    }
}
