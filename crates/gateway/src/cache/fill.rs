//! An answer on its way into the store, and to everybody who waits for it. There is no task behind
//! it: whoever wants more than is here reads on, for all. It ends when nobody wants it any more.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use parking_lot::Mutex;
use wire::{Body, BoxError};

use super::entry::{Entry, Meta};
use super::flight::Landing;

/// What becomes of an answer that is here in full, or of which too much is here.
pub(crate) type Keep = Box<dyn Fn(Result<&Arc<Entry>, TooLarge>) + Send + Sync>;

/// More has come than is stored.
pub(crate) struct TooLarge;

pub(crate) struct Fill {
    pub(crate) meta: Arc<Meta>,
    /// How long the body will be, where that is known.
    pub(crate) length: Option<u64>,
    /// Bytes that are kept.
    limit: usize,
    state: Mutex<State>,
    readers: Arc<Readers>,
    keep: Keep,
}

struct State {
    body: Body,
    parts: Vec<Bytes>,
    bytes: usize,
    /// It is too large, and will not be stored: only who began to read it reads on.
    too_large: bool,
    trailers: Option<HeaderMap>,
    end: Option<End>,
    landing: Option<Landing>,
}

#[derive(Clone)]
enum End {
    Stored(Arc<Entry>),
    /// In full, but not stored.
    Passed,
    Broken,
}

/// Whoever waits for more: all are woken, as whoever comes first reads on for all.
#[derive(Default)]
struct Readers(Mutex<Vec<Waker>>);

impl Wake for Readers {
    fn wake(self: Arc<Self>) {
        let readers = std::mem::take(&mut *self.0.lock());
        readers.into_iter().for_each(Waker::wake);
    }
}

impl Readers {
    fn add(&self, reader: &Waker) {
        let mut readers = self.0.lock();
        if !readers.iter().any(|known| known.will_wake(reader)) {
            readers.push(reader.clone());
        }
    }
}

impl Fill {
    pub(crate) fn new(
        meta: Arc<Meta>,
        body: Body,
        limit: usize,
        landing: Option<Landing>,
        keep: Keep,
    ) -> Arc<Self> {
        let length = body.size_hint().exact();
        let fill = Arc::new(Self {
            meta,
            length,
            limit,
            state: Mutex::new(State {
                body,
                parts: Vec::new(),
                bytes: 0,
                too_large: false,
                trailers: None,
                end: None,
                landing: None,
            }),
            readers: Arc::default(),
            keep,
        });
        if let Some(landing) = landing {
            landing.fills(&fill);
            fill.state.lock().landing = Some(landing);
        }
        fill
    }

    /// Waits until the answer is here in full; `None` if it will not be stored.
    pub(crate) async fn stored(&self) -> Option<Arc<Entry>> {
        std::future::poll_fn(|cx| {
            let mut state = self.state.lock();
            loop {
                match &state.end {
                    Some(End::Stored(entry)) => return Poll::Ready(Some(entry.clone())),
                    Some(End::Passed | End::Broken) => return Poll::Ready(None),
                    None if state.too_large => return Poll::Ready(None),
                    None => {}
                }
                if self.poll_more(&mut state, cx).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// Reads on, for everybody.
    fn poll_more(&self, state: &mut State, cx: &mut Context<'_>) -> Poll<()> {
        self.readers.add(cx.waker());
        let all = Waker::from(self.readers.clone());
        let mut cx = Context::from_waker(&all);
        let frame = std::task::ready!(Pin::new(&mut state.body).poll_frame(&mut cx));
        match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => self.add(state, data),
                Err(frame) => state.trailers = frame.into_trailers().ok(),
            },
            Some(Err(_)) => self.end(state, End::Broken),
            None => self.finish(state),
        }
        Poll::Ready(())
    }

    fn add(&self, state: &mut State, data: Bytes) {
        state.bytes += data.len();
        if !data.is_empty() {
            state.parts.push(data);
        }
        if self
            .length
            .is_some_and(|length| state.bytes as u64 > length)
        {
            return self.end(state, End::Broken);
        }
        if state.bytes > self.limit && !state.too_large {
            state.too_large = true;
            (self.keep)(Err(TooLarge));
            state.landing = None;
        }
        if state.body.is_end_stream() && state.trailers.is_none() {
            self.finish(state);
        }
    }

    fn finish(&self, state: &mut State) {
        let whole = self
            .length
            .is_none_or(|length| length == state.bytes as u64);
        let end = if !whole {
            End::Broken
        } else if state.too_large || state.trailers.is_some() {
            End::Passed
        } else {
            let entry = Arc::new(Entry::new(self.meta.clone(), &state.parts));
            (self.keep)(Ok(&entry));
            End::Stored(entry)
        };
        self.end(state, end);
    }

    fn end(&self, state: &mut State, end: End) {
        state.end = Some(end);
        state.body = Body::empty();
        // After it is stored: who comes now finds it there.
        state.landing = None;
    }
}

/// The body of one of those who wait.
pub(crate) struct Reader {
    fill: Arc<Fill>,
    next: usize,
    read: u64,
    trailers: bool,
}

impl Reader {
    pub(crate) fn new(fill: Arc<Fill>) -> Self {
        Self {
            fill,
            next: 0,
            read: 0,
            trailers: false,
        }
    }
}

impl http_body::Body for Reader {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let fill = self.fill.clone();
        let mut state = fill.state.lock();
        loop {
            let too_large = state.too_large;
            if let Some(part) = state.parts.get_mut(self.next) {
                // What will not be stored is not kept either: its only reader takes it away.
                let data = if too_large {
                    std::mem::take(part)
                } else {
                    part.clone()
                };
                self.next += 1;
                self.read += data.len() as u64;
                if too_large && self.next == state.parts.len() {
                    state.parts.clear();
                    self.next = 0;
                }
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            match &state.end {
                Some(End::Broken) => return Poll::Ready(Some(Err("the answer broke off".into()))),
                Some(End::Stored(_)) => return Poll::Ready(None),
                Some(End::Passed) => {
                    let trailers = state.trailers.clone().filter(|_| !self.trailers);
                    self.trailers = true;
                    return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
                }
                None => {}
            }
            if fill.poll_more(&mut state, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let state = self.fill.state.lock();
        let over = match &state.end {
            Some(End::Stored(_)) => true,
            Some(End::Passed) => state.trailers.is_none() || self.trailers,
            Some(End::Broken) | None => false,
        };
        over && self.next >= state.parts.len()
    }

    fn size_hint(&self) -> SizeHint {
        let left = self
            .fill
            .length
            .map(|length| length.saturating_sub(self.read));
        left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
