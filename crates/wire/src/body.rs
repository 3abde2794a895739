//! Bodies of requests and responses, from wherever they come.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderName, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;

use crate::fields::remove_if;
use crate::http1::Decoded;
use crate::link::{BodyError, SharedLink};

/// Whatever a body of somebody else fails with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a body is polled to.
pub type Polled = Poll<Option<Result<Frame<Bytes>, BoxError>>>;

/// A body. Nothing is read before somebody asks for it.
///
/// It is one pointer, as answers are moved through many hands: with it they are what a processor moves
/// without a loop.
#[derive(Debug, Default)]
pub struct Body(Option<Box<Kind>>);

/// A body that is not empty.
enum Kind {
    Full(Bytes),
    Http1(Incoming),
    Http2(hyper::body::Incoming),
    Other(UnsyncBoxBody<Bytes, BoxError>),
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full",
            Self::Http1(_) => "Http1",
            Self::Http2(_) => "Http2",
            Self::Other(_) => "Other",
        })
    }
}

/// A body that is read from an HTTP/1 connection.
pub(crate) struct Incoming {
    link: SharedLink,
    generation: u32,
    over: bool,
    companion: Option<Box<dyn Companion>>,
}

/// What accompanies the reading of a body.
pub(crate) trait Companion: Send {
    /// Goes on with what has to go on meanwhile.
    fn poll_beside(&mut self, cx: &mut Context<'_>);
    /// The body was read to its end.
    fn ended(self: Box<Self>);
}

impl Body {
    /// No body.
    pub const fn empty() -> Self {
        Self(None)
    }

    /// These bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Self::empty();
        }
        Self::of(Kind::Full(bytes))
    }

    /// Any body.
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        if body.is_end_stream() {
            return Self::empty();
        }
        Self::of(Kind::Other(body.map_err(Into::into).boxed_unsync()))
    }

    /// The same body, of which everything that it is polled to passes `through`; it is as long as it was.
    #[must_use]
    pub fn through(self, through: impl FnMut(Polled) -> Polled + Send + Unpin + 'static) -> Self {
        let body = self;
        Self::new(Through { body, through })
    }

    fn of(kind: Kind) -> Self {
        Self(Some(Box::new(kind)))
    }

    pub(crate) fn http1(incoming: Incoming) -> Self {
        Self::of(Kind::Http1(incoming))
    }

    pub(crate) fn http2(incoming: hyper::body::Incoming) -> Self {
        if http_body::Body::is_end_stream(&incoming) {
            return Self::empty();
        }
        Self::of(Kind::Http2(incoming))
    }

    /// The whole body, if it is here already.
    pub fn whole(&self) -> Option<&[u8]> {
        match self.0.as_deref() {
            None => Some(b""),
            Some(Kind::Full(bytes)) => Some(bytes),
            Some(_) => None,
        }
    }

    /// All of it, if it is here already; else the body.
    pub fn into_whole(self) -> Result<Bytes, Self> {
        match self.0 {
            None => Ok(Bytes::new()),
            Some(kind) => match *kind {
                Kind::Full(bytes) => Ok(bytes),
                other => Err(Self::of(other)),
            },
        }
    }

    /// A copy, if it is here already; nothing is copied but a reference.
    pub fn try_clone(&self) -> Option<Self> {
        match self.0.as_deref() {
            None => Some(Self::empty()),
            Some(Kind::Full(bytes)) => Some(Self::full(bytes.clone())),
            Some(_) => None,
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::full(bytes)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(kind) = self.0.as_deref_mut() else {
            return Poll::Ready(None);
        };
        match kind {
            Kind::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = None;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Kind::Http1(incoming) => incoming.poll_frame(cx),
            Kind::Http2(incoming) => {
                let frame = ready!(Pin::new(incoming).poll_frame(cx));
                Poll::Ready(frame.map(|frame| frame.map(trailing).map_err(Into::into)))
            }
            Kind::Other(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_deref().is_none_or(|kind| match kind {
            Kind::Full(_) => false,
            Kind::Http1(incoming) => incoming.over,
            Kind::Http2(incoming) => incoming.is_end_stream(),
            Kind::Other(body) => body.is_end_stream(),
        })
    }

    fn size_hint(&self) -> SizeHint {
        let Some(kind) = self.0.as_deref() else {
            return SizeHint::with_exact(0);
        };
        match kind {
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Http1(incoming) => incoming
                .left()
                .map_or_else(SizeHint::default, SizeHint::with_exact),
            Kind::Http2(incoming) => incoming.size_hint(),
            Kind::Other(body) => body.size_hint(),
        }
    }
}

struct Through<F> {
    body: Body,
    through: F,
}

impl<F: FnMut(Polled) -> Polled + Unpin> http_body::Body for Through<F> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        (self.through)(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Without what no trailers may say (RFC 9110, section 6.5.1): how a message is framed, routed, authenticated
/// and read is known before its body.
fn trailing(mut frame: Frame<Bytes>) -> Frame<Bytes> {
    if let Some(trailers) = frame.trailers_mut() {
        remove_if(trailers, |name| LEADING.contains(name));
    }
    frame
}

const LEADING: [HeaderName; 23] = [
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::EXPECT,
    header::HOST,
    HeaderName::from_static("keep-alive"),
    header::LOCATION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::RANGE,
    header::SET_COOKIE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::VARY,
    header::WWW_AUTHENTICATE,
];

impl Incoming {
    /// The body that `link` decodes in this generation.
    pub(crate) fn new(
        link: SharedLink,
        generation: u32,
        companion: Option<Box<dyn Companion>>,
    ) -> Self {
        Self {
            link,
            generation,
            over: false,
            companion,
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.over {
            return Poll::Ready(None);
        }
        if let Some(companion) = &mut self.companion {
            companion.poll_beside(cx);
        }
        let mut link = self.link.lock();
        let decoded = if link.generation == self.generation {
            ready!(link.poll_body(cx))
        } else {
            Err(BodyError::Abandoned)
        };
        let over = link.decoder.is_done();
        drop(link);
        if over || decoded.is_err() {
            self.end(decoded.is_ok());
        }
        Poll::Ready(match decoded {
            Ok(Decoded::Data(data)) => Some(Ok(Frame::data(data))),
            Ok(Decoded::Trailers(trailers)) => Some(Ok(trailing(Frame::trailers(trailers)))),
            Ok(Decoded::End | Decoded::NeedsMore) => None,
            Err(error) => Some(Err(error.into())),
        })
    }

    /// Lets go of the connection; another message may follow on it if this one ended `well`.
    fn end(&mut self, well: bool) {
        self.over = true;
        if let Some(companion) = self.companion.take().filter(|_| well) {
            companion.ended();
        }
    }

    fn left(&self) -> Option<u64> {
        let link = self.link.lock();
        let mine = link.generation == self.generation && !self.over;
        if mine { link.decoder.left() } else { Some(0) }
    }
}
