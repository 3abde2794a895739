//! What a connection runs on.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::tcp;

/// A byte stream in both directions: TCP, or something on top of it.
pub struct Stream {
    /// What was read already, and comes first.
    before: Bytes,
    inner: Inner,
}

enum Inner {
    Tcp(TcpStream),
    /// TLS, for instance.
    Other(Pin<Box<dyn Duplex>>),
}

/// Reads and writes.
pub trait Duplex: AsyncRead + AsyncWrite + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + 'static> Duplex for T {}

impl Stream {
    /// Plain TCP.
    pub fn tcp(stream: TcpStream) -> Self {
        Self {
            before: Bytes::new(),
            inner: Inner::Tcp(stream),
        }
    }

    /// Anything else.
    pub fn other(stream: impl Duplex) -> Self {
        Self {
            before: Bytes::new(),
            inner: Inner::Other(Box::pin(stream)),
        }
    }

    /// The same stream with `bytes` before what comes.
    #[must_use]
    pub fn after(mut self, bytes: Bytes) -> Self {
        debug_assert!(self.before.is_empty(), "nothing was put back before");
        self.before = bytes;
        self
    }

    /// Whether there is nothing to read, not even an end, as far as is known without asking the
    /// kernel. What there is may be lost: who did not expect it wants no more of this stream.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        match &mut self.inner {
            _ if self.before.has_remaining() => false,
            Inner::Tcp(stream) => stream
                .try_read(&mut byte)
                .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock),
            Inner::Other(stream) => {
                let mut cx = Context::from_waker(Waker::noop());
                let read = stream
                    .as_mut()
                    .poll_read(&mut cx, &mut ReadBuf::new(&mut byte));
                read.is_pending()
            }
        }
    }

    /// Waits until there may be something to read; not for long where that cannot be known without
    /// reading.
    pub(crate) fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.inner {
            Inner::Tcp(stream) if self.before.is_empty() => {
                // Whoever reads then hears of an error.
                stream.poll_read_ready(cx).map(drop)
            }
            Inner::Tcp(_) | Inner::Other(_) => Poll::Ready(()),
        }
    }

    /// Writes some of `slices`; how much.
    pub(crate) fn poll_write_some(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut filled = slices.iter().filter(|slice| !slice.is_empty());
        let stream = Pin::new(self);
        let written = match (filled.next(), filled.next()) {
            (Some(_), Some(_)) if stream.is_write_vectored() => {
                ready!(stream.poll_write_vectored(cx, slices))?
            }
            (Some(first), _) => ready!(stream.poll_write(cx, first))?,
            (None, _) => return Poll::Ready(Ok(0)),
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        Poll::Ready(Ok(written))
    }

    /// The first byte that comes, which stays to be read; `None` if the other side has closed.
    pub(crate) async fn first_byte(&mut self) -> io::Result<Option<u8>> {
        if let Some(first) = self.before.first() {
            return Ok(Some(*first));
        }
        let mut first = [0];
        match &mut self.inner {
            Inner::Tcp(stream) => {
                let here = stream.peek(&mut first).await?;
                Ok(first[..here].first().copied())
            }
            Inner::Other(stream) => {
                let here = stream.read(&mut first).await?;
                self.before = Bytes::copy_from_slice(&first[..here]);
                Ok(self.before.first().copied())
            }
        }
    }

    /// Where the other side is, if it is TCP.
    pub fn peer(&self) -> Option<SocketAddr> {
        match &self.inner {
            Inner::Tcp(stream) => stream.peer_addr().ok(),
            Inner::Other(_) => None,
        }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.inner {
            Inner::Tcp(stream) => std::fmt::Debug::fmt(stream, f),
            Inner::Other(_) => f.write_str("Stream"),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.before.has_remaining() {
            let here = self.before.len().min(buffer.remaining());
            buffer.put_slice(&self.before.split_to(here));
            return Poll::Ready(Ok(()));
        }
        match &mut self.inner {
            Inner::Tcp(stream) => tcp::poll_read(stream, cx, buffer),
            Inner::Other(stream) => stream.as_mut().poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.inner {
            Inner::Tcp(stream) => tcp::poll_write(stream, cx, bytes),
            Inner::Other(stream) => stream.as_mut().poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.inner {
            Inner::Tcp(stream) => tcp::poll_write_vectored(stream, cx, slices),
            Inner::Other(stream) => stream.as_mut().poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.inner {
            Inner::Tcp(_) => true,
            Inner::Other(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            // The kernel sends what it has.
            Inner::Tcp(_) => Poll::Ready(Ok(())),
            Inner::Other(stream) => stream.as_mut().poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Inner::Other(stream) => stream.as_mut().poll_shutdown(cx),
        }
    }
}
