//! The streams of a connection, each a task. A stream whose client makes no room for more of its
//! answer is reset; a connection without streams ends after a while; and one whose client gives
//! most requests up before they are answered ends at once.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

use crate::body::{Body, BoxError};
use crate::turn::Turns;

/// Requests that may be given up before an answer; more are abuse if they are most of them.
const GIVEN_UP: usize = 200;

thread_local! {
    /// What the stream did that is polled now.
    static SEEN: Cell<Seen> = const { Cell::new(Seen::Nothing) };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Its body was not asked.
    Nothing,
    /// There is an answer.
    Answer,
    /// Its body has given something: what it waits for now is the client.
    Frame,
    /// It waits for its body.
    Waits,
}

/// Runs streams. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Streams(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    write_timeout: Duration,
    counts: Mutex<Counts>,
    /// There are no streams any more.
    idle: Notify,
    /// There are too many that were given up.
    abused: Notify,
}

#[derive(Debug)]
struct Counts {
    open: usize,
    ended: usize,
    given_up: usize,
    idle_since: Instant,
}

impl Streams {
    pub(super) fn new(write_timeout: Duration) -> Self {
        let counts = Counts {
            open: 0,
            ended: 0,
            given_up: 0,
            idle_since: Instant::now(),
        };
        Self(Arc::new(Shared {
            write_timeout,
            counts: Mutex::new(counts),
            idle: Notify::new(),
            abused: Notify::new(),
        }))
    }

    /// Waits until there was no stream for `timeout`.
    pub(super) async fn idle(&self, timeout: Duration) {
        loop {
            match self.idle_since() {
                None => self.0.idle.notified().await,
                Some(since) => {
                    tokio::time::sleep_until(since + timeout).await;
                    if self.idle_since() == Some(since) {
                        return;
                    }
                }
            }
        }
    }

    /// Waits until most requests were given up, and many.
    pub(super) async fn abused(&self) {
        self.0.abused.notified().await;
    }

    /// Runs what belongs to a stream that was answered.
    pub(super) fn run(&self, beside: impl Future<Output = ()> + Send + 'static) {
        self.spawn(true, beside);
    }

    fn spawn(&self, answered: bool, stream: impl Future<Output = ()> + Send + 'static) {
        self.0.counts.lock().open += 1;
        let mut open = Open {
            shared: self.0.clone(),
            answered,
        };
        #[expect(clippy::disallowed_methods, reason = "ends with its connection")]
        tokio::spawn(Turns::new(Box::pin(async move {
            let mut stream = std::pin::pin!(stream);
            let mut patience = None;
            std::future::poll_fn(|cx| poll(stream.as_mut(), cx, &mut open, &mut patience)).await;
        })));
    }

    fn idle_since(&self) -> Option<Instant> {
        let counts = self.0.counts.lock();
        (counts.open == 0).then_some(counts.idle_since)
    }
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        self.spawn(false, stream);
    }
}

/// Polls a stream, and gives it up if its client has taken nothing for too long: what it is made
/// of is dropped then, which resets it.
fn poll(
    stream: Pin<&mut impl Future<Output = ()>>,
    cx: &mut Context<'_>,
    open: &mut Open,
    patience: &mut Option<Pin<Box<Sleep>>>,
) -> Poll<()> {
    SEEN.set(Seen::Nothing);
    let polled = stream.poll(cx);
    let seen = SEEN.get();
    open.answered |= seen != Seen::Nothing;
    if polled.is_ready() {
        return Poll::Ready(());
    }
    match seen {
        // As before, whatever that was.
        Seen::Nothing => {}
        Seen::Waits => *patience = None,
        Seen::Answer | Seen::Frame => {
            let until = Instant::now() + open.shared.write_timeout;
            match patience {
                Some(patience) => patience.as_mut().reset(until),
                None => *patience = Some(Box::pin(tokio::time::sleep_until(until))),
            }
        }
    }
    match patience {
        Some(patience) => patience.as_mut().poll(cx),
        None => Poll::Pending,
    }
}

/// An open stream.
struct Open {
    shared: Arc<Shared>,
    answered: bool,
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut counts = self.shared.counts.lock();
        counts.open -= 1;
        counts.ended += 1;
        counts.given_up += usize::from(!self.answered);
        if counts.open == 0 {
            counts.idle_since = Instant::now();
            self.shared.idle.notify_one();
        }
        if counts.given_up >= GIVEN_UP && counts.given_up * 2 > counts.ended {
            self.shared.abused.notify_one();
        }
    }
}

/// The body of an answer, which notes whether it is waited for.
#[derive(Debug)]
pub(super) struct Outgoing(Body);

impl Outgoing {
    /// To be called when there is an answer, where its stream is polled.
    pub(super) fn new(body: Body) -> Self {
        SEEN.set(Seen::Answer);
        Self(body)
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        SEEN.set(Seen::Waits);
        let frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
        SEEN.set(Seen::Frame);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
