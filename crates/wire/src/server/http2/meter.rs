//! Counts the frames that a client sends. Some ask for work and bring none: pings, settings, empty
//! data, priorities, window updates, resets (CVE-2019-9511 to 9518). hyper answers each, and a
//! flood of them costs the client less than us. A client has a stock of them, which grows with the
//! requests and the data that it sends, with the data that it takes, and slowly with time.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::stream::Stream;

/// Frames without work in a row.
const STOCK: u64 = 1000;
/// What a frame with work adds: it is followed by a few without.
const FOR_WORK: u64 = 4;
/// How many bytes that are sent add one: a client makes room anew for what it takes. Less than one
/// for each answer to a ping.
const BYTES: u64 = 256;
/// What a second adds.
const EACH_SECOND: u64 = 10;

const PREFACE: usize = 24;
const HEADER: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;

/// Follows the frames.
#[derive(Debug)]
struct Meter {
    /// Bytes that are no header of a frame.
    skip: usize,
    header: [u8; HEADER],
    filled: usize,
    stock: u64,
    sent: u64,
    since: Instant,
}

impl Meter {
    fn new() -> Self {
        Self {
            skip: PREFACE,
            header: [0; HEADER],
            filled: 0,
            stock: STOCK,
            sent: 0,
            since: Instant::now(),
        }
    }

    /// Follows what has come; `false` if the stock is used up.
    fn take(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            (self.skip, bytes) = (self.skip - skipped, &bytes[skipped..]);
            let here = (HEADER - self.filled).min(bytes.len());
            self.header[self.filled..self.filled + here].copy_from_slice(&bytes[..here]);
            (self.filled, bytes) = (self.filled + here, &bytes[here..]);
            if self.filled == HEADER {
                self.filled = 0;
                let [a, b, c, kind, ..] = self.header;
                self.skip = u32::from_be_bytes([0, a, b, c]) as usize;
                if !self.count(kind, self.skip) {
                    return false;
                }
            }
        }
        true
    }

    fn count(&mut self, kind: u8, length: usize) -> bool {
        if kind == HEADERS || (kind == DATA && length > 0) {
            self.add(FOR_WORK);
            return true;
        }
        if self.stock == 0 {
            self.refill();
        }
        let left = self.stock.checked_sub(1);
        self.stock = left.unwrap_or(0);
        left.is_some()
    }

    fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
        if self.sent >= BYTES {
            self.add(self.sent / BYTES);
            self.sent %= BYTES;
        }
    }

    fn refill(&mut self) {
        let seconds = self.since.elapsed().as_secs();
        if seconds > 0 {
            self.since = Instant::now();
            self.add(seconds.saturating_mul(EACH_SECOND));
        }
    }

    fn add(&mut self, frames: u64) {
        self.stock = self.stock.saturating_add(frames).min(STOCK);
    }
}

/// A connection whose frames are counted; it breaks when there are too many.
#[derive(Debug)]
pub(super) struct Metered {
    stream: Stream,
    meter: Meter,
}

impl Metered {
    pub(super) fn new(stream: Stream) -> Self {
        let meter = Meter::new();
        Self { stream, meter }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if self.meter.take(&buffer.filled()[before..]) {
            return Poll::Ready(Ok(()));
        }
        tracing::debug!("a client floods its connection with frames that bring nothing");
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::QuotaExceeded,
            "too many frames that bring nothing",
        )))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.meter.sent(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))?;
        self.meter.sent(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
        [&length[1..], &[kind, 0, 0, 0, 0, 1], payload].concat()
    }

    fn begun() -> Meter {
        let mut meter = Meter::new();
        assert!(meter.take(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
        meter
    }

    #[tokio::test(start_paused = true)]
    async fn frames_that_bring_nothing_are_limited() {
        for (kind, payload) in [
            (6, &[0; 8][..]),
            (4, &[]),
            (0, &[]),
            (2, &[0; 5]),
            (8, &[0; 4]),
        ] {
            let mut meter = begun();
            let frame = frame(kind, payload);
            let passed = (0..10_000).take_while(|_| meter.take(&frame)).count();
            assert_eq!(passed, 1000, "frames of type {kind}");
            tokio::time::advance(std::time::Duration::from_secs(60)).await;
            assert!(meter.take(&frame), "a ping now and then is welcome");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_works_may_go_on_forever() {
        let mut meter = begun();
        for _ in 0..10_000 {
            // A request with data; room for the answer, which is taken.
            let mut bytes = frame(HEADERS, &[0; 40]);
            bytes.extend(frame(DATA, &[0; 100]));
            bytes.extend(frame(6, &[0; 8]).repeat(8));
            assert!(meter.take(&bytes));
            assert!(meter.take(&frame(8, &[0; 4]).repeat(4)));
            meter.sent(1024);
        }
    }

    proptest! {
        /// However the network cuts them, frames are found.
        #[test]
        fn cuts_change_nothing(
            frames in prop::collection::vec((0..10_u8, 0..64_usize), 0..40),
            cuts in prop::collection::vec(1..30_usize, 1..20),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let runtime = runtime.expect("a runtime");
            let _entered = runtime.enter();
            let bytes: Vec<u8> =
                frames.iter().flat_map(|(kind, length)| frame(*kind, &vec![kind + 1; *length])).collect();
            let (mut whole, mut cut) = (begun(), begun());
            prop_assert!(whole.take(&bytes));
            let mut rest = &bytes[..];
            for length in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (now, later) = rest.split_at((*length).min(rest.len()));
                prop_assert!(cut.take(now));
                rest = later;
            }
            prop_assert_eq!(whole.stock, cut.stock);
            prop_assert_eq!((whole.skip, whole.filled), (0, 0));
        }
    }
}
