//! After `101 Switching Protocols`: bytes in both directions, whatever they mean.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;
use tokio::time::{Instant, Sleep};

use crate::link::SharedLink;

/// In the extensions of a response with status 101: the connection to whoever gave it, which the
/// server joins with the client's.
#[derive(Debug, Clone)]
pub struct Upgraded(pub(crate) SharedLink);

/// In the extensions of a request: the protocol that the client would change to.
#[derive(Debug, Clone)]
pub struct Upgrade(pub http::HeaderValue);

/// Passes bytes on in both directions until both are closed, one breaks, or nothing has come for
/// `idle`.
pub(crate) async fn join(one: &SharedLink, other: &SharedLink, idle: Duration) -> io::Result<()> {
    let mut there = Direction::default();
    let mut back = Direction::default();
    let mut patience = std::pin::pin!(tokio::time::sleep(idle));
    std::future::poll_fn(|cx| {
        let moved = there.poll(cx, one, other)? | back.poll(cx, other, one)?;
        if there.closed && back.closed {
            return Poll::Ready(Ok(()));
        }
        if moved {
            patience.as_mut().reset(Instant::now() + idle);
        }
        ready!(poll_sleep(patience.as_mut(), cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    })
    .await
}

fn poll_sleep(sleep: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    std::future::Future::poll(sleep, cx)
}

/// What goes one way.
#[derive(Default)]
struct Direction {
    waiting: Bytes,
    ended: bool,
    closed: bool,
}

impl Direction {
    /// Moves what can be moved now; whether there was anything.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &SharedLink,
        to: &SharedLink,
    ) -> io::Result<bool> {
        let mut moved = false;
        loop {
            if self.waiting.is_empty() && !self.ended {
                let mut from = from.lock();
                if from.buffer.is_empty() {
                    match from.poll_fill(cx)? {
                        Poll::Pending => return Ok(moved),
                        Poll::Ready(0) => self.ended = true,
                        Poll::Ready(_) => {}
                    }
                }
                self.waiting = std::mem::take(&mut from.buffer);
                moved = true;
            }
            let mut to = to.lock();
            if self.waiting.is_empty() {
                if !self.closed && Pin::new(&mut to.stream).poll_shutdown(cx)?.is_ready() {
                    self.closed = true;
                }
                return Ok(moved);
            }
            match Pin::new(&mut to.stream).poll_write(cx, &self.waiting)? {
                Poll::Pending => return Ok(moved),
                Poll::Ready(written) => self.waiting.advance(written),
            }
            // What is left in a layer above TCP goes with the next write, or the shutdown.
            let _ = Pin::new(&mut to.stream).poll_flush(cx)?;
        }
    }
}
