//! Bodies whose bytes are counted.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::SizeHint;
use wire::{Body, BoxError, Polled};

use super::Trail;

/// What was read of the body of a request.
#[derive(Debug)]
pub(super) enum Received {
    /// It was here as a whole.
    Whole(u64),
    /// It is counted while it is read.
    Counted(Arc<AtomicU64>),
}

impl Received {
    pub(super) fn of(body: &mut Body) -> Self {
        // What is here as a whole can be sent again, and stays so.
        if let Some(bytes) = body.whole() {
            return Self::Whole(bytes.len() as u64);
        }
        let bytes = Arc::new(AtomicU64::new(0));
        let read = bytes.clone();
        *body = std::mem::take(body).through(move |polled| {
            read.fetch_add(length(&polled), Ordering::Relaxed);
            polled
        });
        Self::Counted(bytes)
    }

    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Whole(bytes) => *bytes,
            Self::Counted(bytes) => bytes.load(Ordering::Relaxed),
        }
    }
}

/// The body of an answer, whose trail ends with it.
pub(super) struct Sent {
    body: Body,
    trail: Trail,
}

impl Sent {
    pub(super) fn watched(body: Body, trail: Trail) -> Body {
        Body::new(Self { body, trail })
    }
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let more = match &polled {
            // An answer to HEAD is never read: it does not break off.
            Poll::Pending | Poll::Ready(Some(Err(_))) => true,
            Poll::Ready(Some(Ok(_))) => !self.body.is_end_stream(),
            Poll::Ready(None) => false,
        };
        let bytes = length(&polled);
        if let Some(answer) = &mut self.trail.answer {
            answer.sent = Some(answer.sent.unwrap_or_default() + bytes);
            answer.cut = more;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn length(polled: &Polled) -> u64 {
    let data = match polled {
        Poll::Ready(Some(Ok(frame))) => frame.data_ref(),
        _ => None,
    };
    data.map_or(0, |data| data.len() as u64)
}
