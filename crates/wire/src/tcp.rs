//! Reading from TCP and writing to it, past the C library: there each call is a point at which a thread can
//! be cancelled, which takes two locked operations where there are several threads, and nobody needs it.

use std::io;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::{Interest, ReadBuf};
use tokio::net::TcpStream;

/// Reads what is there; nothing if the other side has closed.
pub(crate) fn poll_read(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    let room = buffer.initialize_unfilled();
    loop {
        ready!(stream.poll_read_ready(cx))?;
        let mut all = None;
        let read = stream.try_io(Interest::READABLE, || {
            let (read, _) = recv(stream, &mut *room, RecvFlags::empty())?;
            if read == 0 || read == room.len() {
                return Ok(read);
            }
            // There was no more: whoever waits for news need not ask the kernel once more first.
            all = Some(read);
            Err(io::ErrorKind::WouldBlock.into())
        });
        match all.map_or(read, Ok) {
            Ok(read) => {
                buffer.advance(read);
                return Poll::Ready(Ok(()));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
}

/// Writes some of `bytes`; how much.
pub(crate) fn poll_write(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    poll_send(stream, cx, || send(stream, bytes, SendFlags::NOSIGNAL))
}

/// Writes some of `slices`; how much.
pub(crate) fn poll_write_vectored(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    slices: &[io::IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    poll_send(stream, cx, || rustix::io::writev(stream, slices))
}

fn poll_send(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    send: impl Fn() -> rustix::io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_write_ready(cx))?;
        match stream.try_io(Interest::WRITABLE, || Ok(send()?)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            sent => return Poll::Ready(sent),
        }
    }
}
