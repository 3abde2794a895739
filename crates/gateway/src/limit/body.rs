//! How large the body of a request may be: one that tells so is refused at once, and one that
//! turns out so is cut off there. Nothing is kept of it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use kernel::problem::codes;
use kernel::{Kind, Problem};
use platform::http::refuse;
use tower::{Layer, Service, ServiceExt};
use wire::{Body, BoxError};

/// Bodies of so many bytes at most.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimitLayer {
    limit: u64,
}

impl BodyLimitLayer {
    /// `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self { limit }
    }
}

impl<S> Layer<S> for BodyLimitLayer {
    type Service = BodyLimited<S>;

    fn layer(&self, inner: S) -> BodyLimited<S> {
        BodyLimited {
            limit: self.limit,
            inner,
        }
    }
}

/// A service that gets no larger bodies.
#[derive(Debug, Clone)]
pub struct BodyLimited<S> {
    limit: u64,
    inner: S,
}

impl<S> Service<Request<Body>> for BodyLimited<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The inner service is asked when there is a request for it.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let limit = self.limit;
        let size = request.body().size_hint();
        if size.lower() > limit {
            return Box::pin(std::future::ready(Ok(refuse(too_large(limit)))));
        }
        if size.upper().is_some_and(|most| most <= limit) {
            // It cannot turn out larger than it told: nothing to watch.
            return Box::pin(self.inner.clone().oneshot(request));
        }
        let exceeded = Arc::new(AtomicBool::new(false));
        let watched = request.map(|body| {
            Body::new(Cut {
                body,
                left: limit,
                limit,
                exceeded: exceeded.clone(),
            })
        });
        let answering = self.inner.clone().oneshot(watched);
        Box::pin(async move {
            let response = answering.await?;
            // Whatever the service makes of a body that breaks off, this is why.
            Ok(if exceeded.load(Ordering::Relaxed) {
                refuse(too_large(limit))
            } else {
                response
            })
        })
    }
}

fn too_large(limit: u64) -> Problem {
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
        if self.exceeded.load(Ordering::Relaxed) {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let bytes = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, |data| data.len() as u64),
            _ => 0,
        };
        let Some(left) = self.left.checked_sub(bytes) else {
            self.exceeded.store(true, Ordering::Relaxed);
            // What the client still sends is nobody's any more.
            self.body = Body::empty();
            return Poll::Ready(Some(Err(too_large(self.limit).detail.clone().into())));
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
