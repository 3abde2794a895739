//! A deadline that moves with each request.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::task::coop;
use tokio::time::{Instant, Sleep};

use crate::turn;
use crate::woken::Woken;

/// How long a connection waits for what its peer is to do next.
///
/// Hardly any deadline is ever met, and each request sets some: so the timer stays where it is when
/// a deadline moves away, and looks for the new one only when it fires. Until then it need not be
/// polled either, as long as it wakes the same task.
#[derive(Debug)]
pub(crate) struct Patience {
    ends: Instant,
    timer: Option<Timer>,
}

#[derive(Debug)]
pub(crate) struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// Whom it wakes; nobody before it is polled.
    wakes: Option<Woken>,
    /// The thread that it fires on, where that is known.
    thread: Option<usize>,
}

impl Patience {
    /// No patience at all, before the first [`Patience::until`].
    pub(crate) fn new() -> Self {
        Self::ending(turn::now())
    }

    /// Waits until `ends`.
    pub(crate) fn ending(ends: Instant) -> Self {
        Self { ends, timer: None }
    }

    /// Whether it has a timer.
    pub(crate) fn is_timed(&self) -> bool {
        self.timer.is_some()
    }

    /// Makes use of a timer of somebody else.
    pub(crate) fn be_timed_by(&mut self, timer: Timer) {
        self.timer = Some(timer);
        self.until(self.ends);
    }

    /// Takes its timer away, if it has one.
    pub(crate) fn take_timer(&mut self) -> Option<Timer> {
        self.timer.take()
    }

    /// Waits from now on for as long as `limit`.
    pub(crate) fn within(&mut self, limit: Duration) {
        self.until(turn::now() + limit);
    }

    /// Waits until `ends`.
    pub(crate) fn until(&mut self, ends: Instant) {
        self.ends = ends;
        if let Some(timer) = &mut self.timer
            && timer.sleep.deadline() > ends
        {
            timer.move_to(ends);
        }
    }

    /// Whether it is over.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let ends = self.ends;
        let timer = self.timer.get_or_insert_with(|| Timer {
            sleep: Box::pin(tokio::time::sleep_until(ends)),
            wakes: None,
            thread: turn::thread(),
        });
        loop {
            ready!(timer.poll(cx));
            if timer.sleep.deadline() >= ends {
                return Poll::Ready(());
            }
            timer.move_to(ends);
        }
    }
}

impl Timer {
    fn move_to(&mut self, ends: Instant) {
        self.sleep.as_mut().reset(ends);
        self.wakes = None;
    }

    /// The time. What fires elsewhere may have fired since the last look.
    fn now(&self) -> Instant {
        if self.thread.is_some() && self.thread == turn::thread() {
            turn::now()
        } else {
            Instant::now()
        }
    }

    /// Whether it has fired. It is asked when it may have; whoever is woken by it comes after its time.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let task = Woken::by(cx.waker());
        if self.wakes == Some(task) && self.now() < self.sleep.deadline() {
            return Poll::Pending;
        }
        // Who has done much in this poll is put off, before the timer knows whom to wake.
        let heard = coop::has_budget_remaining();
        let polled = self.sleep.as_mut().poll(cx);
        self.wakes = (heard && polled.is_pending()).then_some(task);
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Wake, Waker};

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

    #[tokio::test(start_paused = true)]
    async fn who_was_put_off_is_woken_all_the_same() {
        let mut patience = Patience::new();
        patience.within(Duration::from_secs(10));
        std::future::poll_fn(|cx| {
            while let Poll::Ready(step) = coop::poll_proceed(cx) {
                step.made_progress();
            }
            assert!(patience.poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        tokio::task::yield_now().await;
        let waits = tokio::time::timeout(Duration::from_secs(20), over(&mut patience)).await;
        assert_eq!(waits.map(|waits| waits.as_secs()), Ok(10));
    }

    struct Heard(AtomicBool);

    impl Wake for Heard {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Release);
        }
    }

    #[test]
    fn what_fires_on_another_thread_has_fired_in_this_turn() {
        let elsewhere = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .build()
            .expect("a runtime");
        let _entered = elsewhere.enter();
        let heard = Arc::new(Heard(AtomicBool::new(false)));
        let waker = Waker::from(heard.clone());
        let mut cx = Context::from_waker(&waker);
        let mut patience = Patience::new();
        patience.within(Duration::from_millis(50));
        if patience.poll(&mut cx).is_ready() {
            return; // This thread was held up for so long.
        }
        let turn = turn::turns(Box::pin(std::future::poll_fn(move |cx| {
            turn::now();
            while !heard.0.load(Ordering::Acquire) {
                std::hint::spin_loop();
            }
            patience.poll(cx)
        })));
        assert!(std::pin::pin!(turn).poll(&mut cx).is_ready());
    }
}
