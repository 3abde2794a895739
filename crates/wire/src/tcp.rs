//! Reading from TCP and writing to it, past the C library: there each call is a point at which a thread can
//! be cancelled, which takes two locked operations where there are several threads, and nobody needs it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop;

/// Reads what is there; nothing if the other side has closed.
pub(crate) fn poll_read(
    stream: &mut TcpStream,
    cx: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    if buffer.initialized().len() < buffer.capacity() {
        // To write zeros first would cost more than is saved.
        return Pin::new(stream).poll_read(cx, buffer);
    }
    let room = buffer.initialize_unfilled();
    let length = room.len();
    let read = ready!(poll(stream, cx, Interest::READABLE, length, |stream| {
        recv(stream, &mut *room, RecvFlags::empty()).map(|(read, _)| read)
    }))?;
    buffer.advance(read);
    Poll::Ready(Ok(()))
}

/// Writes some of `bytes`; how much.
pub(crate) fn poll_write(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    poll(stream, cx, Interest::WRITABLE, bytes.len(), |stream| {
        send(stream, bytes, SendFlags::NOSIGNAL)
    })
}

/// Writes some of `slices`; how much.
pub(crate) fn poll_write_vectored(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    slices: &[io::IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let length = slices.iter().map(|slice| slice.len()).sum();
    poll(stream, cx, Interest::WRITABLE, length, |stream| {
        rustix::io::writev(stream, slices)
    })
}

/// Moves up to `length` bytes as soon as that can be done; how many. It is mostly polled when it can, so
/// that is tried before anybody waits.
fn poll(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    interest: Interest,
    length: usize,
    mut transfer: impl FnMut(&TcpStream) -> rustix::io::Result<usize>,
) -> Poll<io::Result<usize>> {
    // Whoever always has something to do lets others have their turn.
    let proceeds = ready!(coop::poll_proceed(cx));
    loop {
        let mut some = None;
        let all = stream.try_io(interest, || {
            let moved = transfer(stream)?;
            if moved == 0 || moved == length {
                return Ok(moved);
            }
            // The kernel has no more, or no more room: whoever goes on waits without asking it again.
            some = Some(moved);
            Err(io::ErrorKind::WouldBlock.into())
        });
        match some.map_or(all, Ok) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            moved => {
                proceeds.made_progress();
                return Poll::Ready(moved);
            }
        }
        ready!(if interest.is_readable() {
            stream.poll_read_ready(cx)
        } else {
            stream.poll_write_ready(cx)
        })?;
    }
}
