//! Trailers of requests: what clients may not say before a body they may not say behind it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderName;
use http_body::{Frame, SizeHint};
use platform::http::entry::{REQUEST_ID, TRACEPARENT};
use wire::{Body, BoxError};

use wire::fields::remove_if;

use crate::client_address::is_of_hops;
use crate::door::is_foreign;

/// The body without such trailers, if it has any.
pub(crate) fn clear(body: Body) -> Body {
    without(body, is_of_gateway)
}

/// The body without any trailers.
pub(crate) fn none(body: Body) -> Body {
    without(body, |_| true)
}

fn without(body: Body, such: fn(&HeaderName) -> bool) -> Body {
    if body.whole().is_some() {
        return body;
    }
    Body::new(Without { body, such })
}

struct Without {
    body: Body,
    such: fn(&HeaderName) -> bool,
}

fn is_of_gateway(name: &HeaderName) -> bool {
    is_foreign(name) || is_of_hops(name) || [REQUEST_ID, TRACEPARENT].contains(name)
}

impl http_body::Body for Without {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &mut frame
            && let Some(trailers) = frame.trailers_mut()
        {
            remove_if(trailers, self.such);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
