//! What is sent of an answer: its head, how its body ends, and whether the connection goes on.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Response, StatusCode, Version};
use http_body::{Body as _, Frame};

use crate::body::{Body, BoxError};
use crate::http1::Framing;
use crate::http1::write::{self, Persistence};
use crate::spare::Spare;

/// Up to this size the first part of a body is copied behind the head, and goes out in one write.
pub(super) const COPIED: usize = 8 << 10;

/// What of a request matters to the writing of its answer.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) version: Version,
    pub(super) keep_alive: bool,
    /// Whether nothing of its body is still to come.
    pub(super) whole: bool,
}

impl Asked {
    /// What the head says of the body, besides what is in its fields; `None` for nothing.
    fn framing(&self, status: StatusCode, headers: &HeaderMap, body: &Counted) -> Option<Framing> {
        let bodiless = status.is_informational()
            || status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED;
        let head = self.method == Method::HEAD;
        if bodiless || (head && headers.contains_key(CONTENT_LENGTH)) {
            return None;
        }
        match body.length {
            // Nobody knows how long it would be if it were asked for.
            None | Some(0) if head => None,
            Some(length) => Some(Framing::Length(length)),
            None if write::takes_chunks(self.version) => Some(Framing::Chunked),
            None => Some(Framing::UntilClose),
        }
    }
}

/// An answer, as far as it is to be sent.
pub(super) struct Outgoing {
    /// Its head, and its body if that is here and small.
    pub(super) out: Spare,
    /// The body, or what is left of it.
    pub(super) body: Counted,
    pub(super) chunked: bool,
    /// Whether the connection can go on.
    pub(super) keep: bool,
}

impl Outgoing {
    /// The answer to what was asked, on a connection that `may_go_on`.
    pub(super) fn new(asked: &Asked, response: Response<Body>, may_go_on: bool) -> Self {
        let (parts, body) = response.into_parts();
        let mut body = Counted::new(&parts.headers, body);
        let framing = asked.framing(parts.status, &parts.headers, &body);
        let keep = asked.keep_alive && framing != Some(Framing::UntilClose) && may_go_on;
        let persistence = match (keep, asked.version) {
            (false, _) => Persistence::Close,
            (true, Version::HTTP_10) => Persistence::KeepAlive,
            (true, _) => Persistence::Default,
        };
        let mut out = Spare::take();
        write::response_head(&mut out, parts.status, &parts.headers, framing, persistence);
        if asked.method == Method::HEAD || matches!(framing, None | Some(Framing::Length(0))) {
            body.body = Body::empty();
        }
        if let Some(whole) = body.body.whole().filter(|whole| whole.len() <= COPIED) {
            out.extend_from_slice(whole);
            body.body = Body::empty();
        }
        Self {
            out,
            body,
            chunked: framing == Some(Framing::Chunked),
            keep,
        }
    }

    /// Whether all of it is in `out`.
    pub(super) fn is_whole(&self) -> bool {
        self.body.body.whole() == Some(b"")
    }
}

/// A body that keeps to the length that its head has promised.
pub(super) struct Counted {
    pub(super) body: Body,
    length: Option<u64>,
    sent: u64,
}

impl Counted {
    fn new(headers: &HeaderMap, body: Body) -> Self {
        let named = || {
            let value = headers.get(CONTENT_LENGTH)?;
            value.to_str().ok()?.parse().ok()
        };
        let length = body.size_hint().exact().or_else(named);
        Self {
            body,
            length,
            sent: 0,
        }
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => self.sent += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) => {}
            None if self.length.is_some_and(|length| length != self.sent) => {
                return Poll::Ready(Some(Err(
                    "the body is shorter than its head has promised".into()
                )));
            }
            None => {}
        }
        if self.length.is_some_and(|length| self.sent > length) {
            return Poll::Ready(Some(Err(
                "the body is longer than its head has promised".into()
            )));
        }
        Poll::Ready(frame)
    }

    /// Whether everything was sent.
    pub(super) fn is_over(&self) -> bool {
        self.body.is_end_stream() && self.length.is_none_or(|length| length == self.sent)
    }
}
