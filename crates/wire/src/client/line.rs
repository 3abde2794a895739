//! Requests that share a connection.
//!
//! A worker that is busy has many requests for a server at once. Their [messages are posted](crate::post):
//! nothing was written yet, and the next one can become part of the message of the one before. One system
//! call writes all of them, in as few segments as they have room in, and some of their answers are read by
//! one. Those come in the order of the requests (pipelining; RFC 9112, section 9.3.2): who is at the front
//! of the line reads its own.
//!
//! Only what is sent at once shares a connection: nobody gets into line behind a request that a server has
//! already. Nobody waits for long behind others either: who does, and who is behind the last answer of a
//! connection, is sent again by itself. So only what may be sent again gets into line, and only on a
//! connection that the server has kept before.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::Method;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Asking, Pool};
use crate::body::Body;
use crate::budget::Budget;
use crate::deadline::Deadline;
use crate::http1::Framing;
use crate::http1::write::{self, Persistence};
use crate::link::{Link, SharedLink};
use crate::spare::Spare;
use crate::tunnel::Upgrade;
use crate::turn;

/// For so many times as long as somebody has patience, no connection is shared after he has lost it: 99 of
/// 100 requests have their own, with a server that is slow.
const PAUSE: u32 = 100;
/// Of a hundred requests that may share a connection so many may be sent again by themselves, before no
/// connection is shared for a while.
const PERCENT: u32 = 10;
/// And so many besides, at the start or after a quiet time.
const RESERVE: u32 = 100;
/// Bytes of requests that go out together: what follows begins another message.
const TOGETHER: usize = 8 << 10;

/// Those who share a connection, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// Whose answer comes next.
    front: usize,
    /// Whether that answer has begun.
    begun: bool,
    /// Who gets no answer here, and all who come later.
    end: usize,
    /// Whom to wake when it is at the front, or when the line ends before it.
    waiting: Vec<Option<Waker>>,
}

impl Line {
    /// One with its first request, whose number is 0.
    fn begin(&mut self) {
        self.front = 0;
        self.begun = false;
        self.end = usize::MAX;
        self.waiting.clear();
        self.waiting.push(None);
    }

    /// The number of another one behind all others, if there may be so many and the line has not ended.
    fn enter(&mut self, most: usize) -> Option<usize> {
        let number = self.waiting.len();
        if number >= most.min(self.end) {
            return None;
        }
        self.waiting.push(None);
        Some(number)
    }

    /// Whether it is the turn of `number`; `false` if that never comes.
    fn poll(&mut self, number: usize, cx: &Context<'_>) -> Poll<bool> {
        if number >= self.end {
            return Poll::Ready(false);
        }
        if number == self.front {
            return Poll::Ready(true);
        }
        match &mut self.waiting[number] {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// The next one is at the front; whether there is none, which ends the line.
    fn advance(&mut self) -> bool {
        self.front += 1;
        self.begun = false;
        match self.waiting.get_mut(self.front) {
            Some(next) => {
                if let Some(next) = next.take() {
                    next.wake();
                }
                false
            }
            None => {
                self.end = 0;
                true
            }
        }
    }

    /// Nobody from `number` on gets an answer here.
    fn close(&mut self, number: usize) {
        self.end = self.end.min(number);
        let behind = self.waiting.get_mut(number..).unwrap_or_default();
        for waker in behind.iter_mut().filter_map(Option::take) {
            waker.wake();
        }
    }
}

/// A place in the line of a connection. Who gives it up before all of its answer has come gets none, and
/// neither do those behind.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) link: SharedLink,
    number: usize,
    left: bool,
}

impl Place {
    fn new(link: SharedLink, number: usize) -> Self {
        let left = false;
        Self { link, number, left }
    }

    /// Whether its answer comes next; `false` if none comes. `held` is what its connection has.
    pub(super) fn poll(&self, held: &mut Link, cx: &Context<'_>) -> Poll<bool> {
        match &mut held.line {
            Some(line) => line.poll(self.number, cx),
            None => Poll::Ready(false),
        }
    }

    /// Its answer has begun. Those behind wait for the rest of it, unless the connection ends with that.
    pub(super) fn begins(&self, held: &mut Link, goes_on: bool) {
        if let Some(line) = &mut held.line {
            line.begun = true;
            if !goes_on {
                line.close(self.number + 1);
            }
        }
    }

    /// All of its answer has come. If the connection goes on, so does the next one; whether there is none.
    pub(super) fn leave(mut self, held: &mut Link, goes_on: bool) -> bool {
        self.left = true;
        let Some(line) = &mut held.line else {
            return true;
        };
        if !goes_on {
            line.close(self.number + 1);
        }
        line.advance()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.left
            && let Some(line) = &mut self.link.lock().line
        {
            line.close(self.number);
        }
    }
}

/// Where requests of a thread for a server get into line.
#[derive(Debug)]
pub(super) struct Sharing {
    patience: Duration,
    /// Nothing else is locked by who has it.
    state: Mutex<State>,
    /// Of those who are sent again.
    budget: Budget,
    joined: AtomicU64,
    resent: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// Whose message was posted last.
    posted: Weak<Mutex<Link>>,
    /// Until when nobody shares.
    paused: Option<Instant>,
}

/// How many requests have shared a connection so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pipelined {
    /// Those who got into line behind others.
    pub joined: u64,
    /// Those of them who were sent again by themselves.
    pub resent: u64,
}

/// Whom a request shares a connection with.
pub(super) enum Company {
    /// Nobody.
    Alone,
    /// Those who are sent at once with it, if there are any and a connection was kept.
    First,
    /// Those before it: it is written with them.
    Behind(Place),
}

impl Sharing {
    /// Nobody waits behind others for longer than `patience`.
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience,
            state: Mutex::default(),
            budget: Budget::new(PERCENT, RESERVE, RESERVE),
            joined: AtomicU64::new(0),
            resent: AtomicU64::new(0),
        }
    }

    /// The connection, whose message is posted, may be shared.
    pub(super) fn offer(&self, link: &SharedLink, held: &mut Link) -> Place {
        held.line.get_or_insert_default().begin();
        self.state.lock().posted = Arc::downgrade(link);
        Place::new(link.clone(), 0)
    }

    /// Whether one that is sent now may share a connection; and whose message was posted last, if it is
    /// still there.
    fn look(&self, now: Instant) -> (bool, Option<SharedLink>) {
        let state = self.state.lock();
        if state.paused.is_some_and(|until| now < until) {
            return (false, None);
        }
        self.budget.earn();
        (true, state.posted.upgrade())
    }

    /// Until when a request waits behind others.
    pub(super) fn patience(&self, asking: &Asking<'_>) -> Deadline {
        Deadline::at(asking.ends.min(asking.begun + self.patience))
    }

    /// One has waited for too long behind others. The server is slow, unless somebody takes his time to read
    /// an answer.
    pub(super) fn too_slow(&self, held: &Link) {
        if held.line.as_ref().is_none_or(|line| !line.begun) {
            self.pause();
        }
    }

    /// One who was behind others is sent again by itself.
    pub(super) fn leaves_one(&self) {
        self.resent.fetch_add(1, Ordering::Relaxed);
        if !self.budget.spend() {
            self.pause();
        }
    }

    fn pause(&self) {
        self.state.lock().paused = Some(turn::now() + self.patience * PAUSE);
    }

    pub(super) fn told(&self) -> Pipelined {
        Pipelined {
            joined: self.joined.load(Ordering::Relaxed),
            resent: self.resent.load(Ordering::Relaxed),
        }
    }
}

impl Pool {
    /// Whom a request is sent with.
    pub(super) fn company(&self, asking: &Asking<'_>, body: &Body) -> Company {
        if self.0.settings.pipeline < 2 || !may_wait(asking, body) {
            return Company::Alone;
        }
        let sharing = &self.0.sharing;
        let (may_share, posted) = sharing.look(asking.begun);
        if !may_share {
            return Company::Alone;
        }
        match posted.and_then(|link| self.join(link, asking)) {
            Some(place) => {
                sharing.joined.fetch_add(1, Ordering::Relaxed);
                Company::Behind(place)
            }
            None => Company::First,
        }
    }

    /// Lets a request go with what is posted on a connection, if there is something and room for it.
    fn join(&self, link: SharedLink, asking: &Asking<'_>) -> Option<Place> {
        let mut held = link.lock();
        let Link { line, outbox, .. } = &mut *held;
        let message = outbox.posted().filter(|posted| posted.len() < TOGETHER)?;
        let Asking { parts, added, .. } = asking;
        let mut head = Spare::take();
        write::request_head(
            &mut head,
            (&parts.method, &parts.uri),
            &parts.headers,
            *added,
            Framing::Length(0),
            Persistence::Default,
        );
        // Nothing fails between this and the place that stands for it.
        let number = line.as_mut()?.enter(self.0.settings.pipeline)?;
        message.extend_from_slice(&head);
        drop(held);
        Some(Place::new(link, number))
    }
}

/// Whether a request may be sent again, and does not have the connection for itself.
fn may_wait(asking: &Asking<'_>, body: &Body) -> bool {
    let parts = asking.parts;
    asking.again
        && matches!(parts.method, Method::GET | Method::HEAD)
        && body.whole().is_some_and(<[u8]>::is_empty)
        && parts.extensions.get::<Upgrade>().is_none()
}
