//! Writing when everybody else has come as far.
//!
//! A worker that is busy finds many connections ready at once. If each were read from, answered and
//! written to before the next is looked at, the kernel's code for sending, which is many times larger
//! than the fastest caches, would throw out ours between any two of them, and every write would wake a
//! peer for a single message. So a message is posted: its owner goes on to wait for what comes next,
//! and one task of the worker, which is behind all that are ready, writes what was posted meanwhile.
//! The same code runs for all of them then, and peers get many messages at once (batches, as in Barach
//! et al., "High-Speed Software Data Plane via Vectorized Packet Processing", 2018). A message that is
//! alone is written at once.
//!
//! What cannot be written at once, or not at all, is its owner's affair again, who knows for how long
//! to wait and what to do then. Outside of workers owners write what they have posted themselves.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll, Waker, ready};

use tokio::runtime::RuntimeFlavor;

use crate::link::{Link, SharedLink};
use crate::spare::Spare;

/// Messages that are written before others are looked at again.
const AT_ONCE: usize = 64;

thread_local! {
    static POST: RefCell<Post> = const { RefCell::new(Post::new()) };
}

/// What this thread has to write.
struct Post {
    posted: VecDeque<SharedLink>,
    /// Who writes it, if anybody does.
    writer: Option<Waker>,
}

/// The message that a connection is to write.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    message: Spare,
    written: usize,
    stage: Stage,
    /// Who has put it here last, kept for the next time: it is mostly the same task.
    owner: Option<Waker>,
}

#[derive(Debug, Default)]
enum Stage {
    /// There is none.
    #[default]
    Empty,
    /// It was put here, and is to be posted.
    Put,
    /// It will be written. Its owner is woken if that fails, or does not happen at once, or `then`.
    Posted { then: bool },
    /// Its owner writes it.
    Due,
    /// It cannot be written.
    Failed(io::Error),
}

impl Outbox {
    /// Puts a message in, which [`poll`] posts. There must be none.
    pub(crate) fn put(&mut self, message: Spare) {
        debug_assert!(self.is_empty(), "one after the other");
        (self.message, self.written, self.stage) = (message, 0, Stage::Put);
    }

    /// Whether there is nothing to be written.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.stage, Stage::Empty)
    }

    /// Whether somebody else is about to write the message.
    pub(crate) fn is_posted(&self) -> bool {
        matches!(self.stage, Stage::Posted { .. })
    }

    /// The message that somebody else is about to write, for more to go with it.
    pub(crate) fn posted(&mut self) -> Option<&mut Vec<u8>> {
        self.is_posted().then(|| &mut *self.message)
    }

    /// Wakes the owner when the message that is posted was written.
    pub(crate) fn wake_then(&mut self) {
        if let Stage::Posted { then } = &mut self.stage {
            *then = true;
        }
    }

    fn owned_by(&mut self, waker: &Waker) {
        match &mut self.owner {
            // Does nothing if it is the same.
            Some(owner) => owner.clone_from(waker),
            None => self.owner = Some(waker.clone()),
        }
    }

    fn wake_owner(&self) {
        if let Some(owner) = &self.owner {
            owner.wake_by_ref();
        }
    }
}

/// Posts what was put into the outbox of a connection, and tells whether it was written. Nobody is
/// woken for that alone, unless it was [asked for](Outbox::wake_then). `held` is what `link` has.
pub(crate) fn poll(
    link: &SharedLink,
    held: &mut Link,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    match &held.outbox.stage {
        Stage::Empty => return Poll::Ready(Ok(())),
        Stage::Posted { .. } => {}
        Stage::Put if POST.with_borrow_mut(|post| post.take(link)) => {
            held.outbox.stage = Stage::Posted { then: false };
        }
        Stage::Put | Stage::Due | Stage::Failed(_) => return held.poll_outbox(cx),
    }
    held.outbox.owned_by(cx.waker());
    Poll::Pending
}

impl Post {
    const fn new() -> Self {
        Self {
            posted: VecDeque::new(),
            writer: None,
        }
    }

    /// Takes a connection whose message is to be written, if there is somebody who does.
    fn take(&mut self, link: &SharedLink) -> bool {
        let Some(writer) = &self.writer else {
            return false;
        };
        if self.posted.is_empty() {
            writer.wake_by_ref();
        }
        self.posted.push_back(link.clone());
        true
    }
}

impl Link {
    /// Writes what is left of the message.
    fn poll_outbox(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Stage::Failed(error) = &mut self.outbox.stage {
            return Poll::Ready(Err(std::mem::replace(
                error,
                io::ErrorKind::BrokenPipe.into(),
            )));
        }
        self.outbox.stage = Stage::Due;
        let Self { stream, outbox, .. } = self;
        while let left @ [_, ..] = &outbox.message[outbox.written..] {
            let left = [io::IoSlice::new(left)];
            outbox.written += ready!(stream.poll_write_some(cx, &left))?;
        }
        ready!(self.poll_flush(cx))?;
        // Others can use its buffer while this connection waits.
        self.outbox.message = Spare::default();
        self.outbox.stage = Stage::Empty;
        Poll::Ready(Ok(()))
    }

    /// Leaves the message to its owner.
    fn give_back(&mut self) {
        let stage = std::mem::replace(&mut self.outbox.stage, Stage::Due);
        if matches!(stage, Stage::Posted { .. }) {
            self.outbox.wake_owner();
        }
    }

    /// Writes the message in place of its owner, who is woken if there is something left to do.
    fn deliver(&mut self) {
        let stage = std::mem::replace(&mut self.outbox.stage, Stage::Due);
        let (Stage::Posted { then }, Some(owner)) = (stage, self.outbox.owner.take()) else {
            debug_assert!(false, "only what is posted is delivered, and has an owner");
            return;
        };
        let delivered = self.poll_outbox(&mut Context::from_waker(&owner));
        self.outbox.owner = Some(owner);
        match delivered {
            Poll::Ready(Ok(())) if !then => return,
            Poll::Ready(Ok(())) | Poll::Pending => {}
            Poll::Ready(Err(error)) => self.outbox.stage = Stage::Failed(error),
        }
        self.outbox.wake_owner();
    }
}

/// Writes what is posted on this thread; never ends. For a task of each runtime that has a thread of its
/// own; any other panics.
pub async fn deliver() {
    let flavor = tokio::runtime::Handle::current().runtime_flavor();
    assert_eq!(
        flavor,
        RuntimeFlavor::CurrentThread,
        "what is posted stays on its thread"
    );
    let _closing = Closing;
    std::future::poll_fn(|cx| {
        POST.with_borrow_mut(|post| {
            post.writer.get_or_insert_with(|| cx.waker().clone());
        });
        for _ in 0..AT_ONCE {
            let Some(link) = POST.with_borrow_mut(|post| post.posted.pop_front()) else {
                return Poll::Pending;
            };
            link.lock().deliver();
        }
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    })
    .await;
}

/// Nobody writes any more: what is posted is its owners' again.
struct Closing;

impl Drop for Closing {
    fn drop(&mut self) {
        let posted = POST.with_borrow_mut(|post| std::mem::replace(post, Post::new()).posted);
        for link in posted {
            link.lock().give_back();
        }
    }
}
