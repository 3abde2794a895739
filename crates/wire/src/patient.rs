//! Bodies that are not waited for for ever.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::SizeHint;

use crate::body::{Body, BoxError, Polled};
use crate::deadline::Deadline;

/// A body that breaks off when nothing of it has come for a while.
struct Patient {
    body: Body,
    limit: Duration,
    late: Deadline,
    /// Whether the next part is waited for.
    waits: bool,
}

/// Nothing has come for so long.
#[derive(Debug, thiserror::Error)]
#[error("nothing has come for {0:?}")]
struct Silent(Duration);

impl Body {
    /// The same body, which breaks off when nothing of it has come for `limit` while it was waited for.
    #[must_use]
    pub(crate) fn within(self, limit: Duration) -> Self {
        if self.whole().is_some() {
            return self;
        }
        Self::new(Patient {
            body: self,
            limit,
            late: Deadline::now(),
            waits: false,
        })
    }
}

impl http_body::Body for Patient {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_ready() {
            self.waits = false;
            return polled;
        }
        let limit = self.limit;
        if !std::mem::replace(&mut self.waits, true) {
            self.late.within(limit);
        }
        ready!(self.late.poll(cx));
        // Whatever it still holds is let go of.
        self.body = Body::empty();
        Poll::Ready(Some(Err(Silent(limit).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
