//! Writing what is not [posted](crate::post): bodies that are large or not here yet, and what is last on
//! its connection.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::Line;
use super::outgoing::{COPIED, Counted, Outgoing};
use crate::body::Polled;
use crate::http1::write;

impl Line<'_> {
    /// Writes an answer.
    pub(super) async fn write(&mut self, outgoing: &mut Outgoing) -> io::Result<()> {
        if let Some(whole) = outgoing.body.body.whole() {
            // Mostly it is here, and as long as its head has promised.
            return self.send(&outgoing.out, whole, &[]).await;
        }
        self.stream(outgoing).await
    }

    /// Writes an answer whose body is not here yet.
    async fn stream(&mut self, outgoing: &mut Outgoing) -> io::Result<()> {
        let Outgoing {
            out, body, chunked, ..
        } = outgoing;
        let chunked = *chunked;
        // Who is slow to begin gets the head at once.
        let mut first = match std::future::poll_fn(|cx| Poll::Ready(body.poll(cx))).await {
            Poll::Ready(first) => Some(first),
            Poll::Pending => {
                self.send(out, &[], &[]).await?;
                out.clear();
                None
            }
        };
        loop {
            let frame = match first.take() {
                Some(frame) => frame,
                None => std::future::poll_fn(|cx| self.poll_next(body, cx)).await,
            };
            let Some(frame) = frame else { break };
            let frame = frame.map_err(io::Error::other)?;
            match frame.into_data() {
                Ok(data) => self.part(out, &data, chunked, body.is_over()).await?,
                Err(frame) => {
                    let trailers = frame.into_trailers().ok().filter(|_| chunked);
                    if chunked {
                        write::last_chunk(out, trailers.as_ref());
                    }
                    return self.send(out, &[], &[]).await;
                }
            }
            out.clear();
            if body.is_over() {
                return Ok(());
            }
        }
        if chunked {
            write::last_chunk(out, None);
        }
        if out.is_empty() {
            return Ok(());
        }
        self.send(out, &[], &[]).await
    }

    /// The next part of a body, for as long as there is somebody to tell it.
    fn poll_next(&self, body: &mut Counted, cx: &mut Context<'_>) -> Polled {
        if let next @ Poll::Ready(_) = body.poll(cx) {
            return next;
        }
        ready!(self.poll_gone(cx));
        Poll::Ready(Some(Err("the client has gone".into())))
    }

    /// Whether the client has gone, who is told nothing at the moment: what there is to tell may be a long
    /// time in coming, or never come. Who has closed its side counts as gone, as nginx and Envoy have it.
    fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut link = self.link.lock();
        if !link.decoder.is_done() || !link.buffer.is_empty() {
            // It still sends its body, or has sent its next request.
            return Poll::Pending;
        }
        match link.poll_fill(cx) {
            Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(()),
            Poll::Ready(Ok(_)) | Poll::Pending => Poll::Pending,
        }
    }

    /// Writes a part of a body, after what is in `out`.
    async fn part(
        &mut self,
        out: &mut Vec<u8>,
        data: &Bytes,
        chunked: bool,
        last: bool,
    ) -> io::Result<()> {
        if data.is_empty() {
            return if out.is_empty() {
                Ok(())
            } else {
                self.send(out, &[], &[]).await
            };
        }
        let end: &[u8] = match (chunked, last) {
            (true, true) => b"\r\n0\r\n\r\n",
            (true, false) => b"\r\n",
            (false, _) => b"",
        };
        if chunked {
            write::chunk_size(out, data.len());
        }
        if data.len() <= COPIED {
            out.extend_from_slice(data);
            out.extend_from_slice(end);
            return self.send(out, &[], &[]).await;
        }
        self.send(out, data, end).await
    }

    /// Writes one after the other.
    pub(super) async fn send(&mut self, one: &[u8], two: &[u8], three: &[u8]) -> io::Result<()> {
        let mut slices = [
            io::IoSlice::new(one),
            io::IoSlice::new(two),
            io::IoSlice::new(three),
        ];
        let count = if two.is_empty() { 1 } else { 3 };
        let mut left = &mut slices[..count];
        let mut waits = false;
        std::future::poll_fn(|cx| {
            let mut link = self.link.lock();
            if let Poll::Ready(written) = link.poll_write(cx, &mut left) {
                return Poll::Ready(written);
            }
            if !std::mem::replace(&mut waits, true) {
                // Mostly there is room, and no need to watch the time.
                link.patience.within(self.settings.write_timeout);
            }
            ready!(link.patience.poll(cx));
            Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
        })
        .await
    }
}
