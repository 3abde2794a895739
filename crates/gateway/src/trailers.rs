//! Trailers of requests: what clients may not say before a body they may not say behind it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderName;
use http_body::{Frame, SizeHint};
use platform::http::entry::{REQUEST_ID, TRACEPARENT};
use wire::{Body, BoxError};

use wire::fields::remove_if;

use crate::client_address::is_announced;
use crate::door::is_foreign;

/// The body without such trailers, if it has any.
pub(crate) fn clear(body: Body) -> Body {
    if body.whole().is_some() {
        return body;
    }
    Body::new(Cleared(body))
}

struct Cleared(Body);

fn is_of_gateway(name: &HeaderName) -> bool {
    is_foreign(name) || is_announced(name) || [REQUEST_ID, TRACEPARENT].contains(name)
}

impl http_body::Body for Cleared {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
        if let Some(Ok(frame)) = &mut frame
            && let Some(trailers) = frame.trailers_mut()
        {
            remove_if(trailers, is_of_gateway);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
