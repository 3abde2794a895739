//! A connection that its owner, the body that is being read from it, and those who share it have in common.
//! One after the other has something to do with it, mostly on one thread, so the lock between them is hardly
//! ever waited for.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::client::Line;
use crate::deadline::Deadline;
use crate::http1::{Decoded, Decoder, Malformed};
use crate::post::Outbox;
use crate::stream::Stream;

/// Bytes that are read at once.
const SCRATCH: usize = 16 * 1024;

thread_local! {
    /// Where bytes arrive before it is known how many there are: connections that wait hold no
    /// buffer, and those that do not hold one that fits.
    static ARRIVALS: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// A connection, cheap to clone.
pub(crate) type SharedLink = Arc<Mutex<Link>>;

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) stream: Stream,
    /// What was read and not used yet.
    pub(crate) buffer: Bytes,
    /// With the peer, in whatever it is to do next.
    pub(crate) patience: Deadline,
    /// The body that is being read.
    pub(crate) decoder: Decoder,
    /// Which body that is: others read nothing any more.
    pub(crate) generation: u32,
    /// What the peer waits for before it sends the body.
    pub(crate) before_body: &'static [u8],
    /// What is to be written.
    pub(crate) outbox: Outbox,
    /// Who shares it, if many have.
    pub(crate) line: Option<Box<Line>>,
}

/// Why a body breaks off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection broke.
    #[error("the connection broke")]
    Io(#[from] io::Error),
    /// The connection closed before the body was over.
    #[error("the connection closed within the body")]
    Closed,
    /// The body is not what the protocol describes.
    #[error("the body is malformed: {0}")]
    Malformed(#[from] Malformed),
    /// Whoever owned the connection has given it up.
    #[error("the connection was given up")]
    Abandoned,
}

impl Link {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            buffer: Bytes::new(),
            patience: Deadline::now(),
            decoder: Decoder::done(),
            generation: 0,
            before_body: b"",
            outbox: Outbox::default(),
            line: None,
        }
    }

    /// Reads what is there into the buffer; 0 if the peer has closed.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        ARRIVALS.with_borrow_mut(|arrivals| {
            let mut here = ReadBuf::new(arrivals);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut here))?;
            self.add(here.filled());
            Poll::Ready(Ok(here.filled().len()))
        })
    }

    /// Mostly the buffer is empty, and one copy of what has come is all that its message needs:
    /// the fields of its head and its body are slices of that.
    fn add(&mut self, arrived: &[u8]) {
        if self.buffer.is_empty() {
            // With room for one more, as what has none would be made anew when its first slice is taken.
            let mut copy = Vec::with_capacity(arrived.len() + 1);
            copy.extend_from_slice(arrived);
            self.buffer = copy.into();
        } else {
            let mut all = BytesMut::from(std::mem::take(&mut self.buffer));
            all.extend_from_slice(arrived);
            self.buffer = all.freeze();
        }
    }

    /// While a message is posted: wakes its owner for whatever comes from now on, and if something has
    /// come already, then when the message was written.
    pub(crate) fn watch(&mut self, cx: &mut Context<'_>) {
        if !self.buffer.is_empty() || self.stream.poll_news(cx).is_ready() {
            self.outbox.wake_then();
        }
    }

    /// Whether nothing has come, as far as is known without asking the kernel: an end would have
    /// come, too.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.buffer.is_empty() && self.stream.is_quiet()
    }

    /// The next part of the body.
    pub(crate) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Decoded, BodyError>> {
        while !self.before_body.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, self.before_body))?;
            self.before_body = &self.before_body[written..];
        }
        loop {
            match self.decoder.decode(&mut self.buffer)? {
                Decoded::NeedsMore => {}
                decoded => return Poll::Ready(Ok(decoded)),
            }
            if ready!(self.poll_fill(cx))? == 0 {
                let ended = self.decoder.may_end();
                self.decoder = Decoder::done();
                return Poll::Ready(if ended {
                    Ok(Decoded::End)
                } else {
                    Err(BodyError::Closed)
                });
            }
        }
    }

    /// Sends what layers above TCP have kept back.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Writes all of `slices`, which shrink to what is left.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &mut &mut [io::IoSlice<'_>],
    ) -> Poll<io::Result<()>> {
        while slices.iter().any(|slice| !slice.is_empty()) {
            let written = ready!(self.stream.poll_write_some(cx, slices))?;
            io::IoSlice::advance_slices(slices, written);
        }
        self.poll_flush(cx)
    }
}
