//! HTTP/1.1: one request after the other, each answered in the task of its connection.

mod drain;
mod outgoing;
mod send;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::UPGRADE;
use http::{Method, Request, Response, StatusCode, Version};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use self::drain::Drain;
use self::outgoing::{Asked, Outgoing};
use super::{Answers, Settings};
use crate::body::{Body, Incoming};
use crate::http1::write::{self, Persistence};
use crate::http1::{Decoded, Decoder, Framing, Malformed, Parsed, RequestHead, parse_request};
use crate::link::{Link, SharedLink};
use crate::post;
use crate::tunnel::{self, Upgrade, Upgraded};

/// What of a body that nobody has read is read and thrown away, so that the connection can go on.
const LEFTOVER: usize = 64 << 10;
/// For how long the rest of what a client sends is read after an answer that ends the connection:
/// closing at once would take the answer away from it (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(2);

pub(super) async fn serve<A: Answers>(
    link: Link,
    answers: A,
    settings: &Settings,
    drain: CancellationToken,
) {
    let line = Line {
        link: Arc::new(Mutex::new(link)),
        settings,
        drain: Drain::new(drain),
    };
    let mut served = Served { line, answers };
    // How a connection ends is nobody's affair but the two peers'.
    let _ = served.run().await;
}

struct Served<'a, A> {
    line: Line<'a>,
    answers: A,
}

/// The connection with what reading and writing it must keep to.
struct Line<'a> {
    link: SharedLink,
    settings: &'a Settings,
    drain: Drain,
}

/// Whether there will be another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Request,
    Close,
    /// The connection belongs to another protocol now, and is over with it.
    Gone,
}

/// What is waited for between two requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    /// The client to make room for more of the answer.
    Room,
    /// The next head.
    Head,
    /// The rest of one. The time for it counts from its first byte.
    Rest,
}

impl Awaited {
    fn limit(self, settings: &Settings) -> Duration {
        match self {
            Self::Room => settings.write_timeout,
            Self::Head => settings.idle_timeout,
            Self::Rest => settings.head_timeout,
        }
    }

    /// What to do when it has not come in time.
    fn in_vain<T>(self) -> io::Result<Option<Result<T, Malformed>>> {
        match self {
            Self::Room => Err(io::ErrorKind::TimedOut.into()),
            Self::Head => Ok(None),
            Self::Rest => Ok(Some(Err(Malformed::Slow))),
        }
    }
}

impl<A: Answers> Served<'_, A> {
    async fn run(&mut self) -> io::Result<()> {
        loop {
            let Self { line, answers } = self;
            // Begun where it has come, by what is no future: futures hold what they are given for as long
            // as there is a connection.
            let begin = |(asked, request): Head| (asked, answers.call(request));
            let next = match line.head(begin).await? {
                Some(Ok((asked, answering))) => self.answer(asked, answering).await?,
                // Boxed, as all that is rare: every connection would have room for it.
                Some(Err(malformed)) => Box::pin(self.line.refuse(malformed)).await?,
                None => return Ok(()),
            };
            match next {
                Next::Request => {}
                Next::Close => return Box::pin(self.line.close()).await,
                Next::Gone => return Ok(()),
            }
        }
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
        let outgoing = self.line.prepare(&asked, response);
        if outgoing.keep && outgoing.is_whole() {
            let mut link = self.line.link.lock();
            if asked.whole || discard_rest(&mut link) {
                link.outbox.put(outgoing.out);
                return Ok(Next::Request);
            }
        }
        Box::pin(self.line.answer(outgoing)).await
    }
}

impl Line<'_> {
    /// Waits for the next request, once the answer before it was written, and begins to answer it; `None`
    /// if there will be none.
    async fn head<T>(
        &mut self,
        mut begin: impl FnMut(Head) -> T,
    ) -> io::Result<Option<Result<T, Malformed>>> {
        let (shared, limit) = (&self.link, self.settings.head_limit);
        let mut awaited = None;
        std::future::poll_fn(|cx| {
            let mut link = shared.lock();
            let written = post::poll(shared, &mut link, cx)?.is_ready();
            if written && let Poll::Ready(head) = poll_head(shared, &mut link, cx, limit) {
                // Whoever answers may read the body at once.
                drop(link);
                return Poll::Ready(head.map(|head| head.map(|head| head.map(&mut begin))));
            }
            let awaits = match (written, link.outbox.is_posted()) {
                (true, _) if !link.buffer.is_empty() => Awaited::Rest,
                (false, false) => Awaited::Room,
                _ => Awaited::Head,
            };
            if awaited != Some(awaits) {
                awaited = Some(awaits);
                link.patience.within(awaits.limit(self.settings));
            }
            if link.patience.poll(cx).is_ready() {
                return Poll::Ready(awaits.in_vain());
            }
            let ends = awaits == Awaited::Head && self.drain.poll(cx).is_ready();
            if ends && written {
                return Poll::Ready(Ok(None));
            }
            if link.outbox.is_posted() {
                link.watch(cx);
                if ends {
                    link.outbox.wake_then();
                }
            }
            self.drain.has_waited();
            Poll::Pending
        })
        .await
    }

    /// Answers what is no request.
    async fn refuse(&mut self, malformed: Malformed) -> io::Result<Next> {
        let asked = Asked {
            method: Method::GET,
            version: Version::HTTP_11,
            keep_alive: false,
            whole: false,
        };
        let outgoing = self.prepare(&asked, (self.settings.refuse)(malformed));
        self.answer(outgoing).await
    }

    /// What is to be sent of an answer.
    fn prepare(&mut self, asked: &Asked, response: Response<Body>) -> Outgoing {
        // A body that nobody will read in full ends the connection, unless it is little.
        let may_go_on = !self.drain.has_begun() && (asked.whole || !self.leaves_much());
        Outgoing::new(asked, response, may_go_on)
    }

    /// Writes an answer, and tells what follows.
    async fn answer(&mut self, mut outgoing: Outgoing) -> io::Result<Next> {
        let written = self.write(&mut outgoing).await;
        self.drain.has_waited();
        written?;
        Ok(if outgoing.keep && discard_rest(&mut self.link.lock()) {
            Next::Request
        } else {
            Next::Close
        })
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

/// Takes what is left of a body that was not read, if it is little and here; whether the next request can
/// follow.
fn discard_rest(link: &mut Link) -> bool {
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

/// A request, and what matters to the writing of its answer.
type Head = (Asked, Request<Body>);

fn poll_head(
    shared: &SharedLink,
    link: &mut Link,
    cx: &mut Context<'_>,
    limit: usize,
) -> Poll<io::Result<Option<Result<Head, Malformed>>>> {
    loop {
        if !link.buffer.is_empty() {
            match parse_request(&mut link.buffer, limit) {
                Ok(Parsed::Head(head)) => {
                    return Poll::Ready(Ok(Some(Ok(request(shared, link, head)))));
                }
                Ok(Parsed::Partial) => {}
                Err(malformed) => return Poll::Ready(Ok(Some(Err(malformed)))),
            }
        }
        if ready!(link.poll_fill(cx))? == 0 {
            return Poll::Ready(Ok(None));
        }
    }
}

/// The request that has this head, with its body as far as it is here.
fn request(shared: &SharedLink, link: &mut Link, head: RequestHead) -> Head {
    link.generation = link.generation.wrapping_add(1);
    let (body, whole) = match head.framing {
        Framing::Length(0) => (Body::empty(), true),
        Framing::Length(length) if length <= link.buffer.len() as u64 => {
            // Here already; the cast cannot lose anything, as the buffer is as long.
            (Body::full(link.buffer.split_to(length as usize)), true)
        }
        framing => {
            link.decoder = Decoder::new(framing);
            link.before_body = if head.expects_continue {
                b"HTTP/1.1 100 Continue\r\n\r\n"
            } else {
                b""
            };
            let incoming = Incoming::new(shared.clone(), link.generation, None);
            (Body::http1(incoming), false)
        }
    };
    let asked = Asked {
        method: head.method.clone(),
        version: head.version,
        keep_alive: head.keep_alive,
        whole,
    };
    let mut request = Request::new(body);
    *request.method_mut() = head.method;
    *request.uri_mut() = head.uri;
    *request.version_mut() = head.version;
    *request.headers_mut() = head.headers;
    if let Some(protocol) = head.upgrade {
        request.extensions_mut().insert(Upgrade(protocol));
    }
    (asked, request)
}
