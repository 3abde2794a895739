//! The end of the listener, as a connection hears of it.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::woken::Woken;

/// Whether the listener ends. Every request asks twice, before its answer is written and when the next one
/// is waited for, and hardly ever does it: so the second time costs nothing if it comes right after the
/// first.
pub(super) struct Drain {
    token: CancellationToken,
    begun: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Whom it wakes when it begins.
    wakes: Option<Woken>,
    /// Whether it had not begun when it was asked last, in the turn that lasts.
    fresh: bool,
}

impl Drain {
    pub(super) fn new(token: CancellationToken) -> Self {
        Self {
            begun: Box::pin(token.clone().cancelled_owned()),
            token,
            wakes: None,
            fresh: false,
        }
    }

    /// Whether it has begun.
    pub(super) fn has_begun(&mut self) -> bool {
        self.fresh = !self.token.is_cancelled();
        !self.fresh
    }

    /// The turn in which it was asked is over: it may have begun meanwhile, and have woken somebody who did
    /// not ask.
    pub(super) fn has_waited(&mut self) {
        self.fresh = false;
    }

    /// Wakes the task when it begins.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let task = Some(Woken::by(cx.waker()));
        if std::mem::take(&mut self.fresh) && self.wakes == task {
            return Poll::Pending;
        }
        self.wakes = task;
        self.begun.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Wake, Waker};

    use super::*;

    struct Nobody;

    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn it_is_asked_once_in_a_turn_and_never_missed() {
        let waker = Waker::from(Arc::new(Nobody));
        let mut cx = Context::from_waker(&waker);
        for (waits, polls) in [(false, 2), (true, 1)] {
            let token = CancellationToken::new();
            let mut drain = Drain::new(token.clone());
            assert!(drain.poll(&mut cx).is_pending());
            assert!(!drain.has_begun());
            token.cancel();
            if waits {
                drain.has_waited();
            }
            // In the same turn it is as it was; whoever waits was woken, and asks again.
            let asked = (0..2).position(|_| drain.poll(&mut cx).is_ready());
            assert_eq!(asked, Some(polls - 1), "{waits}");
            assert!(drain.has_begun());
        }
    }
}
