//! How large the body of a request may be: one that tells its length is refused at once, and one
//! that turns out too large is cut off there. Nothing is kept of it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use kernel::problem::codes;
use kernel::{Kind, Problem};
use wire::{Body, BoxError};

/// What is known of the length of a body.
pub(super) enum Length {
    /// It is larger than it may be.
    Above,
    /// It cannot turn out too large.
    Within(Body),
    /// It is cut where it is too large; then this says so.
    Watched(Body, Arc<AtomicBool>),
}

impl Length {
    pub(super) fn of(body: Body, limit: u64) -> Self {
        let size = body.size_hint();
        if size.lower() > limit {
            return Self::Above;
        }
        if size.upper().is_some_and(|most| most <= limit) {
            return Self::Within(body);
        }
        let exceeded = Arc::new(AtomicBool::new(false));
        let cut = Cut {
            body,
            left: limit,
            limit,
            exceeded: exceeded.clone(),
        };
        Self::Watched(Body::new(cut), exceeded)
    }
}

pub(super) fn too_large(limit: u64) -> Problem {
    let detail = format!("the body is larger than {limit} bytes");
    Problem::new(Kind::TooLarge, codes::TOO_LARGE, detail)
}

struct Cut {
    body: Body,
    left: u64,
    limit: u64,
    exceeded: Arc<AtomicBool>,
}

impl http_body::Body for Cut {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let bytes = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, |data| data.len() as u64),
            _ => 0,
        };
        let Some(left) = self.left.checked_sub(bytes) else {
            self.exceeded.store(true, Ordering::Relaxed);
            // What the client still sends is nobody's any more.
            self.body = Body::empty();
            return Poll::Ready(Some(Err(too_large(self.limit).into())));
        };
        self.left = left;
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    /// A body whose length nobody knows before.
    fn streamed(frames: &[&'static str]) -> Body {
        let frames: Vec<_> = frames
            .iter()
            .map(|frame| Ok::<_, BoxError>(Frame::data(Bytes::from_static(frame.as_bytes()))))
            .collect();
        Body::new(StreamBody::new(stream::iter(frames)))
    }

    #[test]
    fn a_length_that_is_told_needs_no_watching() {
        assert!(matches!(
            Length::of(Body::full("12345"), 5),
            Length::Within(_)
        ));
        assert!(matches!(Length::of(Body::empty(), 0), Length::Within(_)));
        assert!(matches!(Length::of(Body::full("123456"), 5), Length::Above));
    }

    #[tokio::test]
    async fn a_body_is_cut_where_it_is_too_large() {
        for (limit, frames, cut) in [
            (5, ["123", "45"], false),
            (5, ["123", "456"], true),
            (0, ["1", ""], true),
        ] {
            let Length::Watched(body, exceeded) = Length::of(streamed(&frames), limit) else {
                panic!("nobody knows its length");
            };
            assert_eq!(body.collect().await.is_err(), cut, "{frames:?}");
            assert_eq!(exceeded.load(Ordering::Relaxed), cut, "{frames:?}");
        }
    }
}
