//! Writing when everybody else has had a turn.
//!
//! A worker that is busy finds many connections ready at once. If each were read from, answered and
//! written to before the next is looked at, the kernel's code for sending, which is many times larger
//! than the fastest caches, would throw out ours between any two of them, and every write would wake a
//! peer for a single message. So whoever has something to write waits until all that are ready have
//! come as far: then the same code runs for all of them, and peers get many messages at once (batches,
//! as in Barach et al., "High-Speed Software Data Plane via Vectorized Packet Processing", 2018). A
//! connection that is alone gets its turn at once.

use std::task::{Context, Poll};

/// A turn that is given once.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    given: bool,
}

impl Turn {
    /// Whether all others that were ready when this was first asked have been looked at.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.given {
            return Poll::Ready(());
        }
        self.given = true;
        // To the end of the queue of those that are ready.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
