//! A body that can be sent again as long as nobody has begun to read it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use parking_lot::Mutex;

/// Gives the body to whoever reads first. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Held(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    body: Body,
    begun: bool,
}

impl Held {
    pub(super) fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(State { body, begun: false })))
    }

    /// Whether nothing of it is gone.
    pub(super) fn is_whole(&self) -> bool {
        !self.0.lock().begun
    }

    /// A body that reads this one.
    pub(super) fn body(&self) -> Body {
        if self.is_end_stream() {
            return Body::empty();
        }
        Body::new(self.clone())
    }
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut state = self.0.lock();
        state.begun = true;
        Pin::new(&mut state.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().body.size_hint()
    }
}
