//! HTTP/1.1: one request after the other, each answered in the task of its connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, UPGRADE};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body::{Body as _, Frame};
use parking_lot::Mutex;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{Answers, Connection, Settings};
use crate::body::{Body, BoxError, Incoming};
use crate::http1::write::{self, Persistence};
use crate::http1::{Decoded, Decoder, Framing, Malformed, Parsed, RequestHead, parse_request};
use crate::link::{Link, SharedLink};
use crate::spare::Spare;
use crate::tunnel::{self, Upgrade, Upgraded};
use crate::turn::Turn;

/// What of a body that nobody has read is read and thrown away, so that the connection can go on.
const LEFTOVER: usize = 64 << 10;
/// For how long the rest of what a client sends is read after an answer that ends the connection:
/// closing at once would take the answer away from it (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(2);
/// Up to this size the first part of a body is copied behind the head, and goes out in one write.
const COPIED: usize = 8 << 10;

pub(super) async fn serve<A: Answers>(
    link: Link,
    connection: Connection,
    answers: A,
    settings: &Settings,
    drain: CancellationToken,
) {
    let line = Line {
        link: Arc::new(Mutex::new(link)),
        settings,
        drained: Box::pin(drain.clone().cancelled_owned()),
        drain,
    };
    let mut served = Served {
        line,
        connection,
        answers,
    };
    // How a connection ends is nobody's affair but the two peers'.
    let _ = served.run().await;
}

struct Served<'a, A> {
    line: Line<'a>,
    connection: Connection,
    answers: A,
}

/// The connection with what reading and writing it must keep to.
struct Line<'a> {
    link: SharedLink,
    settings: &'a Settings,
    drain: CancellationToken,
    /// Registered once, not for each request.
    drained: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// Whether there will be another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Request,
    Close,
    /// The connection belongs to another protocol now, and is over with it.
    Gone,
}

/// What came of waiting for a head.
enum Begun<F> {
    Answering(Asked, F),
    Malformed(Malformed),
    Over,
}

impl<A: Answers> Served<'_, A> {
    async fn run(&mut self) -> io::Result<()> {
        loop {
            let head = self.line.head().await?;
            // Whatever can be done at once is done by functions that are not futures: those that are
            // hold what they are given for as long as there is a connection.
            let next = match self.begin(head) {
                Begun::Answering(asked, answering) => self.answer(asked, answering).await?,
                // Boxed, as all that is rare: every connection would have room for it.
                Begun::Malformed(malformed) => Box::pin(self.line.refuse(malformed)).await?,
                Begun::Over => return Ok(()),
            };
            match next {
                Next::Request => {}
                Next::Close => return Box::pin(self.line.close()).await,
                Next::Gone => return Ok(()),
            }
        }
    }

    fn begin(&mut self, head: Option<Result<RequestHead, Malformed>>) -> Begun<A::Future> {
        let head = match head {
            Some(Ok(head)) => head,
            Some(Err(malformed)) => return Begun::Malformed(malformed),
            None => return Begun::Over,
        };
        let asked = Asked {
            method: head.method.clone(),
            version: head.version,
            keep_alive: head.keep_alive,
        };
        let request = self.request(head);
        Begun::Answering(asked, self.answers.call(request))
    }

    async fn answer(&mut self, asked: Asked, answering: A::Future) -> io::Result<Next> {
        let mut response = match answering.await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS
            && let Some(Upgraded(other)) = response.extensions_mut().remove::<Upgraded>()
        {
            return Box::pin(self.line.tunnel(response, other)).await;
        }
        let mut outgoing = self.line.prepare(&asked, response);
        self.line.write(&mut outgoing).await?;
        Ok(if outgoing.keep && self.line.discard_rest() {
            Next::Request
        } else {
            Next::Close
        })
    }

    fn request(&self, head: RequestHead) -> Request<Body> {
        let mut link = self.line.link.lock();
        link.generation = link.generation.wrapping_add(1);
        let body = match head.framing {
            Framing::Length(0) => Body::empty(),
            Framing::Length(length) if length <= link.buffer.len() as u64 => {
                // Here already; the cast cannot lose anything, as the buffer is as long.
                Body::full(link.buffer.split_to(length as usize))
            }
            framing => {
                link.decoder = Decoder::new(framing);
                link.before_body = if head.expects_continue {
                    b"HTTP/1.1 100 Continue\r\n\r\n"
                } else {
                    b""
                };
                drop(link);
                Body::http1(Incoming::new(&self.line.link, None))
            }
        };
        let mut request = Request::new(body);
        *request.method_mut() = head.method;
        *request.uri_mut() = head.uri;
        *request.version_mut() = head.version;
        *request.headers_mut() = head.headers;
        request.extensions_mut().insert(self.connection.clone());
        if let Some(protocol) = head.upgrade {
            request.extensions_mut().insert(Upgrade(protocol));
        }
        request
    }
}

impl Line<'_> {
    /// The next head; `None` if there will be none.
    async fn head(&mut self) -> io::Result<Option<Result<RequestHead, Malformed>>> {
        let mut begun = None;
        std::future::poll_fn(|cx| {
            let mut link = self.link.lock();
            if let Poll::Ready(head) = poll_head(&mut link, cx, self.settings.head_limit) {
                return Poll::Ready(head);
            }
            let begins = !link.buffer.is_empty();
            if begun != Some(begins) {
                // The time for a head counts from its first byte.
                begun = Some(begins);
                link.patience.within(if begins {
                    self.settings.head_timeout
                } else {
                    self.settings.idle_timeout
                });
            }
            if link.patience.poll(cx).is_ready() {
                return Poll::Ready(Ok(begins.then_some(Err(Malformed::Slow))));
            }
            drop(link);
            if !begins && self.drained.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(None));
            }
            Poll::Pending
        })
        .await
    }

    /// Takes what is left of a body that was not read, if it is little and here; whether the next
    /// request can follow.
    fn discard_rest(&self) -> bool {
        let mut link = self.link.lock();
        let mut discarded = 0;
        while !link.decoder.is_done() && discarded <= LEFTOVER {
            let Link {
                decoder, buffer, ..
            } = &mut *link;
            match decoder.decode(buffer) {
                Ok(Decoded::Data(data)) => discarded += data.len(),
                Ok(Decoded::Trailers(_)) => {}
                Ok(Decoded::End) => break,
                Ok(Decoded::NeedsMore) | Err(_) => return false,
            }
        }
        link.decoder.is_done()
    }

    /// Answers what is no request.
    async fn refuse(&mut self, malformed: Malformed) -> io::Result<Next> {
        let asked = Asked {
            method: Method::GET,
            version: Version::HTTP_11,
            keep_alive: false,
        };
        let mut outgoing = self.prepare(&asked, (self.settings.refuse)(malformed));
        self.write(&mut outgoing).await.map(|()| Next::Close)
    }

    /// What is to be sent of an answer.
    fn prepare(&self, asked: &Asked, response: Response<Body>) -> Outgoing {
        let (parts, body) = response.into_parts();
        let mut body = Counted::new(&parts.headers, body);
        let framing = asked.framing(parts.status, &parts.headers, &body);
        // A body that nobody will read in full ends the connection, unless it is little.
        let keep = asked.keep_alive
            && framing != Some(Framing::UntilClose)
            && !self.drain.is_cancelled()
            && !self.leaves_much();
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
        Outgoing {
            out,
            body,
            chunked: framing == Some(Framing::Chunked),
            keep,
        }
    }

    /// Writes an answer.
    async fn write(&mut self, outgoing: &mut Outgoing) -> io::Result<()> {
        if let Some(whole) = outgoing.body.body.whole() {
            // Mostly it is here, and as long as its head has promised.
            return self.send(&outgoing.out, whole, &[]).await;
        }
        Box::pin(self.stream(outgoing)).await
    }

    /// Writes an answer whose body is not here yet.
    async fn stream(&mut self, outgoing: &mut Outgoing) -> io::Result<()> {
        let Outgoing {
            out, body, chunked, ..
        } = outgoing;
        let chunked = *chunked;
        // Who is slow to begin gets the head at once.
        let mut first = match std::future::poll_fn(|cx| Poll::Ready(body.poll(cx))).await {
            Poll::Ready(first) => Some(first),
            Poll::Pending => {
                self.send(out, &[], &[]).await?;
                out.clear();
                None
            }
        };
        loop {
            let frame = match first.take() {
                Some(frame) => frame,
                None => std::future::poll_fn(|cx| body.poll(cx)).await,
            };
            let Some(frame) = frame else { break };
            let frame = frame.map_err(io::Error::other)?;
            match frame.into_data() {
                Ok(data) => self.part(out, &data, chunked, body.is_over()).await?,
                Err(frame) => {
                    let trailers = frame.into_trailers().ok().filter(|_| chunked);
                    if chunked {
                        write::last_chunk(out, trailers.as_ref());
                    }
                    return self.send(out, &[], &[]).await;
                }
            }
            out.clear();
            if body.is_over() {
                return Ok(());
            }
        }
        if chunked {
            write::last_chunk(out, None);
        }
        if out.is_empty() {
            return Ok(());
        }
        self.send(out, &[], &[]).await
    }

    /// Writes a part of a body, after what is in `out`.
    async fn part(
        &mut self,
        out: &mut Vec<u8>,
        data: &Bytes,
        chunked: bool,
        last: bool,
    ) -> io::Result<()> {
        if data.is_empty() {
            return if out.is_empty() {
                Ok(())
            } else {
                self.send(out, &[], &[]).await
            };
        }
        let end: &[u8] = match (chunked, last) {
            (true, true) => b"\r\n0\r\n\r\n",
            (true, false) => b"\r\n",
            (false, _) => b"",
        };
        if chunked {
            write::chunk_size(out, data.len());
        }
        if data.len() <= COPIED {
            out.extend_from_slice(data);
            out.extend_from_slice(end);
            return self.send(out, &[], &[]).await;
        }
        self.send(out, data, end).await
    }

    async fn send(&mut self, one: &[u8], two: &[u8], three: &[u8]) -> io::Result<()> {
        let mut slices = [
            io::IoSlice::new(one),
            io::IoSlice::new(two),
            io::IoSlice::new(three),
        ];
        let count = if two.is_empty() { 1 } else { 3 };
        let mut left = &mut slices[..count];
        // Mostly there is room then, and no need to watch the time.
        let mut turn = Turn::default();
        let now = std::future::poll_fn(|cx| {
            let turn = turn.poll(cx);
            turn.map(|()| self.link.lock().poll_write(cx, &mut left))
        });
        if let Poll::Ready(written) = now.await {
            return written;
        }
        self.link
            .lock()
            .patience
            .within(self.settings.write_timeout);
        std::future::poll_fn(|cx| {
            let mut link = self.link.lock();
            if let Poll::Ready(written) = link.poll_write(cx, &mut left) {
                return Poll::Ready(written);
            }
            ready!(link.patience.poll(cx));
            Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
        })
        .await
    }

    fn leaves_much(&self) -> bool {
        let link = self.link.lock();
        !link.decoder.is_done()
            && link
                .decoder
                .left()
                .is_none_or(|left| left > link.buffer.len() as u64)
    }

    async fn tunnel(&mut self, response: Response<Body>, other: SharedLink) -> io::Result<Next> {
        let mut out = Vec::with_capacity(256);
        let (status, headers) = (response.status(), response.headers());
        debug_assert!(headers.contains_key(UPGRADE), "the protocol is named");
        write::response_head(&mut out, status, headers, None, Persistence::Upgrade);
        self.send(&out, &[], &[]).await?;
        let joined = tunnel::join(&self.link, &other, self.settings.tunnel_timeout);
        joined.await.map(|()| Next::Gone)
    }

    /// Ends the connection in a way that lets the client read the last answer.
    async fn close(&self) -> io::Result<()> {
        use tokio::io::AsyncWrite;
        std::future::poll_fn(|cx| Pin::new(&mut self.link.lock().stream).poll_shutdown(cx)).await?;
        let rest = std::future::poll_fn(|cx| {
            loop {
                let mut link = self.link.lock();
                link.buffer.clear();
                if ready!(link.poll_fill(cx))? == 0 {
                    return Poll::Ready(io::Result::Ok(()));
                }
            }
        });
        tokio::time::timeout(LINGER, rest).await.unwrap_or(Ok(()))
    }
}

/// What of a request matters to the writing of its answer.
struct Asked {
    method: Method,
    version: Version,
    keep_alive: bool,
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
            Some(length) => Some(Framing::Length(length)),
            None if head => None,
            None if write::takes_chunks(self.version) => Some(Framing::Chunked),
            None => Some(Framing::UntilClose),
        }
    }
}

/// An answer, as far as it is to be sent.
struct Outgoing {
    /// Its head, and its body if that is here and small.
    out: Spare,
    /// The body, or what is left of it.
    body: Counted,
    chunked: bool,
    /// Whether the connection can go on.
    keep: bool,
}

/// A body that keeps to the length that its head has promised.
struct Counted {
    body: Body,
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

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
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
    fn is_over(&self) -> bool {
        self.body.is_end_stream() && self.length.is_none_or(|length| length == self.sent)
    }
}

fn poll_head(
    link: &mut Link,
    cx: &mut Context<'_>,
    limit: usize,
) -> Poll<io::Result<Option<Result<RequestHead, Malformed>>>> {
    loop {
        if !link.buffer.is_empty() {
            match parse_request(&mut link.buffer, limit) {
                Ok(Parsed::Head(head)) => return Poll::Ready(Ok(Some(Ok(head)))),
                Ok(Parsed::Partial) => {}
                Err(malformed) => return Poll::Ready(Ok(Some(Err(malformed)))),
            }
        }
        if ready!(link.poll_fill(cx))? == 0 {
            return Poll::Ready(Ok(None));
        }
    }
}
