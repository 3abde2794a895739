//! Trailers of requests: what clients may not say before a body they may not say behind it.

use std::task::Poll;

use http::HeaderName;
use platform::http::entry::{REQUEST_ID, TRACEPARENT};
use wire::Body;
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

fn is_of_gateway(name: &HeaderName) -> bool {
    is_foreign(name) || is_of_hops(name) || [REQUEST_ID, TRACEPARENT].contains(name)
}

fn without(body: Body, such: fn(&HeaderName) -> bool) -> Body {
    if body.whole().is_some() {
        return body;
    }
    body.through(move |mut polled| {
        if let Poll::Ready(Some(Ok(frame))) = &mut polled
            && let Some(trailers) = frame.trailers_mut()
        {
            remove_if(trailers, such);
        }
        polled
    })
}
