//! One request and its response on an HTTP/1.1 connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::header::{CONTENT_LENGTH, UPGRADE};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body::Body as _;
use parking_lot::MutexGuard;
use tokio::time::Instant;

use super::line::Place;
use super::{Asking, ExchangeError, Pool};
use crate::body::{Body, Companion, Incoming};
use crate::http1::write::{self, Persistence};
use crate::http1::{Decoder, Framing, Malformed, Parsed, ResponseHead, parse_response};
use crate::link::{Link, SharedLink};
use crate::post;
use crate::spare::Spare;
use crate::tunnel::{Upgrade, Upgraded};
use crate::turn;

/// Responses before the response: `100 Continue`, `103 Early Hints`.
const INTERIM: usize = 8;

/// A request, the `first` of those that share its connection if others are sent at once with it.
pub(super) async fn exchange(
    pool: &Pool,
    link: SharedLink,
    asking: Asking<'_>,
    body: Body,
    mut first: bool,
) -> Result<Response<Body>, ExchangeError> {
    let upgrade = asking.parts.extensions.get::<Upgrade>();
    let mut sending = Sending::new(asking, body, upgrade);
    let mut whole = sending.whole();
    let mut answer = Answer::to(pool, asking);
    let mut place = None;
    let arrived = std::future::poll_fn(|cx| {
        let mut held = link.lock();
        if let Some(message) = whole.take() {
            // Somebody else writes it.
            held.outbox.put(message);
        }
        // The response may come before the request is over.
        let sent = if sending.done {
            post::poll(&link, &mut held, cx).map_err(ExchangeError::Io)?
        } else {
            MutexGuard::unlocked(&mut held, || sending.poll(&link, cx))?
        };
        if held.outbox.is_posted() {
            if std::mem::take(&mut first) {
                place = Some(pool.0.sharing.offer(&link, &mut held));
            }
            held.watch(cx);
            ready!(held.patience.poll(cx));
            return Poll::Ready(Err(ExchangeError::Slow));
        }
        let head = match ready!(answer.poll(&mut held, cx)) {
            // A server that has not everything cannot answer.
            Err(ExchangeError::Slow) if sending.starves => Err(ExchangeError::Unsent),
            head => head,
        }?;
        let over = sent.is_ready() && sending.is_over(&held);
        let arrived = Arrived::of(&head, over, &mut held, &mut place);
        Poll::Ready(Ok((head, arrived)))
    })
    .await?;
    Ok(respond(pool, link, arrived, (sending, place), asking))
}

/// A request that is written with those before it.
pub(super) async fn behind(
    pool: &Pool,
    place: Place,
    asking: Asking<'_>,
) -> Result<Response<Body>, ExchangeError> {
    let link = place.link.clone();
    let sharing = &pool.0.sharing;
    let mut patience = sharing.patience(&asking);
    let mut answer = Answer::to(pool, asking);
    let mut waits = true;
    let mut place = Some(place);
    let arrived = std::future::poll_fn(|cx| {
        let mut held = link.lock();
        if waits && let Some(place) = &place {
            match place.poll(&mut held, cx) {
                Poll::Ready(true) => held.patience.until(asking.ends),
                Poll::Ready(false) => return Poll::Ready(Err(without_answer())),
                Poll::Pending => {
                    ready!(patience.poll(cx));
                    if asking.ends <= turn::now() {
                        return Poll::Ready(Err(ExchangeError::Slow));
                    }
                    sharing.too_slow(&held);
                    return Poll::Ready(Err(without_answer()));
                }
            }
            waits = false;
        }
        let head = ready!(answer.poll(&mut held, cx))?;
        let arrived = Arrived::of(&head, true, &mut held, &mut place);
        Poll::Ready(Ok((head, arrived)))
    })
    .await?;
    Ok(respond(
        pool,
        link,
        arrived,
        (Sending::sent(), place),
        asking,
    ))
}

/// Those before it on its connection have left none for it.
fn without_answer() -> ExchangeError {
    ExchangeError::Io(io::ErrorKind::ConnectionAborted.into())
}

/// The head of a response that comes next.
struct Answer<'a> {
    limit: usize,
    method: &'a Method,
    /// Responses that came before it.
    interim: usize,
}

impl<'a> Answer<'a> {
    fn to(pool: &Pool, asking: Asking<'a>) -> Self {
        Self {
            limit: pool.0.settings.head_limit,
            method: &asking.parts.method,
            interim: 0,
        }
    }

    fn poll(
        &mut self,
        held: &mut Link,
        cx: &mut Context<'_>,
    ) -> Poll<Result<ResponseHead, ExchangeError>> {
        loop {
            let head = ready!(ready_head(held, cx, self.limit, self.method))?;
            let last = !head.status.is_informational();
            if last || head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Poll::Ready(Ok(head));
            }
            self.interim += 1;
            if self.interim > INTERIM {
                let endless = Malformed::Syntax("one interim response after the other");
                return Poll::Ready(Err(ExchangeError::Malformed(endless)));
            }
        }
    }
}

/// What has come with the head of a response.
enum Arrived {
    /// All of its body; another exchange may follow if the connection is clean.
    Whole { body: Bytes, clean: bool },
    /// The body, which the connection decodes in this generation, or a part of it.
    Part { generation: u32 },
    /// Another protocol is spoken from here on.
    Switched,
}

impl Arrived {
    /// Behind `head`; the request is `over`. If all is here, its `place` is left.
    fn of(head: &ResponseHead, over: bool, held: &mut Link, place: &mut Option<Place>) -> Self {
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Self::Switched;
        }
        if let Framing::Length(length) = head.framing
            && length <= held.buffer.len() as u64
        {
            let here = usize::try_from(length).unwrap_or(usize::MAX);
            let body = held.buffer.split_to(here);
            let goes_on = head.keep_alive && over;
            let clean = leave(place.take(), held, goes_on);
            return Self::Whole { body, clean };
        }
        if let Some(place) = place {
            place.begins(held, head.keep_alive && over);
        }
        held.decoder = Decoder::new(head.framing);
        held.generation = held.generation.wrapping_add(1);
        Self::Part {
            generation: held.generation,
        }
    }
}

/// Whether another exchange may follow on a connection that `goes_on`, when the answer to whoever had this
/// place has come.
fn leave(place: Option<Place>, held: &mut Link, goes_on: bool) -> bool {
    let last = place.is_none_or(|place| place.leave(held, goes_on));
    // More than was promised would be taken for the next response.
    goes_on && last && held.buffer.is_empty()
}

/// The response, whose body is read when it is asked for if it is not here yet.
fn respond(
    pool: &Pool,
    link: SharedLink,
    (head, arrived): (ResponseHead, Arrived),
    (sending, place): (Sending, Option<Place>),
    asking: Asking<'_>,
) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    match arrived {
        Arrived::Whole { body, clean } => {
            if clean {
                // What began a moment ago was used a moment ago: no need to ask the clock.
                pool.keep(link, asking.begun);
            }
            *response.body_mut() = Body::full(body);
        }
        Arrived::Part { generation } => {
            let rest = Box::new(Rest {
                pool: pool.clone(),
                keep_alive: head.keep_alive,
                sending,
                place,
                link: link.clone(),
            });
            let body = Body::http1(Incoming::new(link, generation, Some(rest)));
            *response.body_mut() = body.within(pool.0.settings.silence);
        }
        Arrived::Switched if asking.parts.extensions.get::<Upgrade>().is_some() => {
            response.extensions_mut().insert(Upgraded(link));
        }
        Arrived::Switched => {
            // Nobody has asked for that.
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response.headers_mut().remove(UPGRADE);
        }
    }
    response
}

fn ready_head(
    link: &mut Link,
    cx: &mut Context<'_>,
    limit: usize,
    method: &Method,
) -> Poll<Result<ResponseHead, ExchangeError>> {
    loop {
        if !link.buffer.is_empty() {
            match parse_response(&mut link.buffer, limit, method)? {
                Parsed::Head(head) => return Poll::Ready(Ok(head)),
                Parsed::Partial => {}
            }
        }
        match link.poll_fill(cx).map_err(ExchangeError::Io)? {
            Poll::Ready(0) => {
                let closed = io::Error::from(io::ErrorKind::UnexpectedEof);
                return Poll::Ready(Err(ExchangeError::Io(closed)));
            }
            Poll::Ready(_) => {}
            Poll::Pending => {
                ready!(link.patience.poll(cx));
                return Poll::Ready(Err(ExchangeError::Slow));
            }
        }
    }
}

/// The sending of a request, as far as it has come.
#[derive(Default)]
struct Sending {
    /// Written, but not yet taken by the connection.
    head: Spare,
    head_sent: usize,
    part: Bytes,
    end: &'static [u8],
    body: Body,
    chunked: bool,
    /// Bytes that the head has promised and that are still to come.
    left: Option<u64>,
    body_over: bool,
    /// For the server to take each part, and then to answer.
    timeout: Duration,
    /// Whether the next part of it is not here yet.
    starves: bool,
    done: bool,
}

impl Sending {
    fn new(asking: Asking<'_>, body: Body, upgrade: Option<&Upgrade>) -> Self {
        let Asking { parts, added, .. } = asking;
        let framing = framing(&parts.headers, &body);
        let mut out = Spare::take();
        let persistence = if upgrade.is_some() {
            Persistence::Upgrade
        } else {
            Persistence::Default
        };
        write::request_head(
            &mut out,
            (&parts.method, &parts.uri),
            &parts.headers,
            added,
            framing,
            persistence,
        );
        let (mut body, mut body_over) = (body, framing == Framing::Length(0));
        if let Some(whole) = body.whole() {
            // Head and body go out in one write.
            out.extend_from_slice(whole);
            (body, body_over) = (Body::empty(), true);
        }
        let left = match framing {
            Framing::Length(length) if !body_over => Some(length),
            _ => None,
        };
        Self {
            head: out,
            head_sent: 0,
            part: Bytes::new(),
            end: b"",
            body,
            chunked: framing == Framing::Chunked && !body_over,
            left,
            body_over,
            // Nobody waits for parts of what is here.
            timeout: if body_over {
                Duration::ZERO
            } else {
                asking.limit()
            },
            starves: false,
            done: false,
        }
    }

    /// Of what somebody else writes.
    fn sent() -> Self {
        Self {
            done: true,
            ..Self::default()
        }
    }

    /// All of it, which is here mostly, for somebody else to write.
    fn whole(&mut self) -> Option<Spare> {
        self.done = self.body_over;
        self.done.then(|| std::mem::take(&mut self.head))
    }

    /// Whether all of it was written.
    fn is_over(&self, link: &Link) -> bool {
        self.done && link.outbox.is_empty()
    }

    /// Sends what can be sent now.
    fn poll(&mut self, link: &SharedLink, cx: &mut Context<'_>) -> Result<Poll<()>, ExchangeError> {
        let posted = post::poll(link, &mut link.lock(), cx).map_err(ExchangeError::Io)?;
        if posted.is_pending() {
            return Ok(Poll::Pending);
        }
        self.starves = false;
        while !self.done {
            if self
                .write(&mut link.lock(), cx)
                .map_err(ExchangeError::Io)?
                .is_pending()
            {
                return Ok(Poll::Pending);
            }
            if self.body_over {
                self.done = true;
                break;
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => {
                    self.starves = true;
                    return Ok(Poll::Pending);
                }
                Poll::Ready(Some(Ok(frame))) => self.take(frame)?,
                Poll::Ready(Some(Err(error))) => return Err(ExchangeError::Request(error)),
                Poll::Ready(None) => self.finish(None)?,
            }
            link.lock().patience.within(self.timeout);
        }
        Ok(Poll::Ready(()))
    }

    fn take(&mut self, frame: http_body::Frame<Bytes>) -> Result<(), ExchangeError> {
        match frame.into_data() {
            Ok(data) if data.is_empty() => Ok(()),
            Ok(data) => {
                if let Some(left) = &mut self.left {
                    let length = data.len() as u64;
                    *left = left.checked_sub(length).ok_or_else(not_as_promised)?;
                }
                if self.chunked {
                    self.head = Spare::take();
                    write::chunk_size(&mut self.head, data.len());
                    self.end = b"\r\n";
                }
                self.part = data;
                Ok(())
            }
            Err(frame) => self.finish(frame.into_trailers().ok()),
        }
    }

    fn finish(&mut self, trailers: Option<HeaderMap>) -> Result<(), ExchangeError> {
        if self.left.is_some_and(|left| left > 0) {
            return Err(not_as_promised());
        }
        if self.chunked {
            self.head = Spare::take();
            write::last_chunk(&mut self.head, trailers.as_ref());
        }
        self.body_over = true;
        Ok(())
    }

    fn write(&mut self, link: &mut Link, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let head = &self.head[self.head_sent..];
            if head.is_empty() && self.part.is_empty() && self.end.is_empty() {
                break;
            }
            let slices = [
                io::IoSlice::new(head),
                io::IoSlice::new(&self.part),
                io::IoSlice::new(self.end),
            ];
            let written = ready!(link.stream.poll_write_some(cx, &slices))?;
            let of_head = written.min(head.len());
            self.head_sent += of_head;
            let of_part = (written - of_head).min(self.part.len());
            self.part.advance(of_part);
            self.end = &self.end[written - of_head - of_part..];
        }
        // Others can use it while this exchange waits.
        (self.head, self.head_sent) = (Spare::default(), 0);
        link.poll_flush(cx)
    }
}

fn not_as_promised() -> ExchangeError {
    ExchangeError::Request("the body is not as long as its head has promised".into())
}

/// How the body of a request ends.
fn framing(headers: &HeaderMap, body: &Body) -> Framing {
    let named = || {
        headers
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok())
    };
    match body.size_hint().exact().or_else(named) {
        Some(length) => Framing::Length(length),
        None => Framing::Chunked,
    }
}

/// What is left of an exchange while the body of its response is read.
struct Rest {
    pool: Pool,
    keep_alive: bool,
    sending: Sending,
    place: Option<Place>,
    link: SharedLink,
}

impl Companion for Rest {
    fn poll_beside(&mut self, cx: &mut Context<'_>) {
        if self.sending.poll(&self.link, cx).is_err() {
            // The server has made up its mind without the rest; nothing may follow.
            self.keep_alive = false;
            self.sending.done = true;
        }
    }

    fn ended(mut self: Box<Self>) {
        let mut held = self.link.lock();
        let goes_on = self.keep_alive && self.sending.is_over(&held);
        let clean = leave(self.place.take(), &mut held, goes_on);
        drop(held);
        if clean {
            self.pool.keep(self.link, Instant::now());
        }
    }
}
