use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::*;
use crate::turn::Turns;

async fn over(deadline: &mut Deadline) -> Duration {
    let began = Instant::now();
    poll_fn(|cx| deadline.poll(cx)).await;
    began.elapsed()
}

/// Moved away and back while it is waited for.
async fn moved() {
    let mut deadline = Deadline::now();
    assert_eq!(over(&mut deadline).await, Duration::ZERO);
    for seconds in [10, 75, 10, 30] {
        let limit = Duration::from_secs(seconds);
        for moved in [limit, limit * 3, limit] {
            deadline.within(moved);
            let polled = poll_fn(|cx| Poll::Ready(deadline.poll(cx))).await;
            assert!(polled.is_pending());
        }
        assert_eq!(over(&mut deadline).await.as_secs(), seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_it_was_last_told_to() {
    moved().await;
    Turns::new(Box::pin(moved())).await;
}

async fn waits(limit: Duration) -> Duration {
    let begun = Instant::now();
    let done = before(begun + limit, pin!(pending::<()>())).await;
    assert_eq!(done, None);
    begun.elapsed()
}

/// Each of several that are waited for at once, in one another and side by side.
async fn nested() {
    let second = Duration::from_secs(1);
    let begun = Instant::now();
    let mut inner = pin!(waits(10 * second));
    let outer = before(begun + 20 * second, inner.as_mut());
    let (inner, beside) = tokio::join!(outer, waits(5 * second));
    assert_eq!((inner, beside), (Some(10 * second), 5 * second));
    let late = before(begun + 15 * second, pin!(waits(60 * second))).await;
    assert_eq!(late, None);
    assert_eq!(begun.elapsed(), 15 * second);
}

#[tokio::test(start_paused = true)]
async fn each_ends_in_its_time() {
    nested().await;
    Turns::new(Box::pin(nested())).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_polled_by_somebody_between_is_woken_by_a_timer_of_its_own() {
    let turns = Turns::new(Box::pin(async {
        let limits = [30, 10, 20].map(Duration::from_secs);
        let waiting: FuturesUnordered<_> = limits.into_iter().map(waits).collect();
        let waited: Vec<_> = waiting.collect().await;
        assert_eq!(waited, [10, 20, 30].map(Duration::from_secs));
        let shared = waits(Duration::from_secs(5)).shared();
        assert_eq!(shared.await, Duration::from_secs(5));
    }));
    let patience = Duration::from_secs(600);
    assert!(tokio::time::timeout(patience, turns).await.is_ok());
}

/// Work that uses all that a task may do in one poll, again and again.
async fn busy() {
    let begun = Instant::now();
    let limit = Duration::from_secs(1);
    let mut busy = pin!(poll_fn(|cx| {
        while let Poll::Ready(step) = coop::poll_proceed(cx) {
            step.made_progress();
        }
        Poll::<()>::Pending
    }));
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

#[tokio::test(start_paused = true)]
async fn who_has_always_something_to_do_has_to_end_as_well() {
    busy().await;
    Turns::new(Box::pin(busy())).await;
}

#[tokio::test(start_paused = true)]
async fn who_was_put_off_is_woken_all_the_same() {
    let put_off = || async {
        let mut deadline = Deadline::now();
        deadline.within(Duration::from_secs(10));
        poll_fn(|cx| {
            while let Poll::Ready(step) = coop::poll_proceed(cx) {
                step.made_progress();
            }
            assert!(deadline.poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        tokio::task::yield_now().await;
        let waits = tokio::time::timeout(Duration::from_secs(20), over(&mut deadline)).await;
        assert_eq!(waits.map(|waits| waits.as_secs()), Ok(10));
    };
    put_off().await;
    Turns::new(Box::pin(put_off())).await;
}

#[tokio::test]
async fn a_turn_that_takes_as_long_as_the_deadline_is_followed_by_another() {
    let mut deadline = Deadline::at(Instant::now() + Duration::from_millis(50));
    let turns = Turns::new(Box::pin(poll_fn(move |cx| {
        let polled = deadline.poll(cx);
        while Instant::now() <= deadline.ends {
            std::hint::spin_loop();
        }
        polled
    })));
    let patience = Duration::from_secs(60);
    assert!(tokio::time::timeout(patience, turns).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_task_is_not_woken_for_each_of_its_deadlines() {
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = polls.clone();
    let second = Duration::from_secs(1);
    Turns::new(Box::pin(async move {
        for _ in 0..100 {
            // In time, each after a while.
            let mut work = pin!(tokio::time::sleep(second));
            let work = poll_fn(|cx| {
                counted.fetch_add(1, Ordering::Relaxed);
                work.as_mut().poll(cx)
            });
            let done = before(Instant::now() + 60 * second, pin!(work)).await;
            assert_eq!(done, Some(()));
        }
    }))
    .await;
    let polls = polls.load(Ordering::Relaxed);
    assert!(
        polls <= 202,
        "{polls}: twice each, and when the timer is moved"
    );
}

#[test]
fn what_is_done_at_once_needs_no_timer() {
    // There is no runtime here that could make one.
    let done = before(Instant::now(), pin!(ready(5))).now_or_never();
    assert_eq!(done, Some(Some(5)));
}
