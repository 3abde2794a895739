//! JSON bodies that are read as a whole before they go on: up to a limit, and not for ever.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, BodyStream, StreamBody};
use platform::context::RequestContext;
use wire::{Body, BoxError};

use crate::json_syntax;

/// Why a body cannot be read as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    NotJson,
    TooLong,
    Encoded,
}

/// A body that was looked at.
#[derive(Debug)]
pub(crate) enum Looked {
    /// All of it, and it is JSON.
    Document(Bytes),
    /// There is none.
    Empty,
    /// As it came, to be passed on.
    Unfit(Unfit, Body),
}

/// Why there is no body to look at.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It did not come in time.
    Late,
    /// It broke off.
    BrokeOff,
}

/// Reads a body of at most `limit` bytes, if it looks like JSON. It may take `patience` to come, or
/// what is left of the time of the request.
pub(crate) async fn look(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    patience: Duration,
) -> Result<Looked, Unread> {
    if body.whole().is_some_and(<[u8]>::is_empty) {
        return Ok(Looked::Empty);
    }
    let encoded = headers
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if encoded {
        return Ok(Looked::Unfit(Unfit::Encoded, body));
    }
    if !headers.get(CONTENT_TYPE).is_none_or(is_json) {
        return Ok(Looked::Unfit(Unfit::NotJson, body));
    }
    let longest = u64::try_from(limit).unwrap_or(u64::MAX);
    let known = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if known.is_some_and(|length| length > longest) {
        return Ok(Looked::Unfit(Unfit::TooLong, body));
    }
    let patience = RequestContext::with_current(|context| {
        context.map_or(patience, |context| context.remaining(patience))
    });
    let read = tokio::time::timeout(patience, read(body, limit)).await;
    read.map_err(|_| Unread::Late)?
        .map_err(|_| Unread::BrokeOff)
}

/// `application/json`, `application/problem+json`.
pub(crate) fn is_json(kind: &HeaderValue) -> bool {
    let kind = kind.as_bytes();
    let end = kind.iter().position(|byte| *byte == b';');
    let kind = kind[..end.unwrap_or(kind.len())].trim_ascii();
    let suffix = kind.last_chunk::<5>();
    kind.eq_ignore_ascii_case(b"application/json")
        || kind.eq_ignore_ascii_case(b"text/json")
        || suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case(b"+json"))
}

async fn read(mut body: Body, limit: usize) -> Result<Looked, BoxError> {
    let (mut frames, mut length) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        length += frame.data_ref().map_or(0, Bytes::len);
        frames.push(Ok::<_, BoxError>(frame));
        if length > limit {
            // What was read goes on before the rest.
            let rest = stream::iter(frames).chain(BodyStream::new(body));
            let body = Body::new(StreamBody::new(rest));
            return Ok(Looked::Unfit(Unfit::TooLong, body));
        }
    }
    if length == 0 {
        return Ok(Looked::Empty);
    }
    let mut whole = BytesMut::with_capacity(length);
    for frame in frames.iter().flatten() {
        whole.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
    }
    if !json_syntax::is_json(&whole) {
        let body = Body::new(StreamBody::new(stream::iter(frames)));
        return Ok(Looked::Unfit(Unfit::NotJson, body));
    }
    Ok(Looked::Document(whole.freeze()))
}
