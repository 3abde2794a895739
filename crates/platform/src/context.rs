//! What a request carries through every layer without being handed from call to call: its trace,
//! its deadline, and the count of the statements that it cost.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::HeaderValue;
use wire::server::Connection;

use crate::http::Origin;
use crate::telemetry::{TraceContext, TraceText};

thread_local! {
    /// The context of the work that runs now. It is moved in and out, as a count of references that
    /// every poll of a request moved twice would be its dearest part.
    static CURRENT: RefCell<Option<Arc<RequestContext>>> = const { RefCell::new(None) };
}

/// What a request is called.
#[derive(Debug, Clone)]
pub enum RequestId {
    /// As its client calls it.
    Named(HeaderValue),
    /// As its trace, whose digits are written where they are needed: hardly any request has a name.
    OfTrace,
}

/// The circumstances of one request, or of one event that is handled.
#[derive(Debug)]
pub struct RequestContext {
    /// Where it stands in its trace.
    pub trace: TraceContext,
    /// The same as text, which every request is written with twice or thrice.
    traceparent: TraceText,
    /// When its caller stops waiting, if all of it is here.
    deadline: Option<Instant>,
    upload: Upload,
    /// What it is called in answers and logs, if it is a request.
    pub request_id: Option<RequestId>,
    /// The connection that it came on, if it is a request, and its listener tells
    /// ([`Entry::connect`](crate::http::entry::Entry::connect)).
    pub connection: Option<Connection>,
    origin: OnceLock<Origin>,
    statements: AtomicU32,
}

/// How the body of a request comes.
#[derive(Debug, Default)]
struct Upload {
    /// By how many microseconds the deadline is put off.
    put_off: AtomicU64,
    /// Whether the next part is waited for.
    awaited: AtomicBool,
}

impl RequestContext {
    /// A context for work that belongs to `trace` and must be done by `deadline`.
    pub fn new(trace: TraceContext, deadline: Option<Instant>) -> Arc<Self> {
        Arc::new(Self::bare(trace, deadline))
    }

    /// The context of a request, which must be answered by `deadline`.
    pub fn of_request(
        trace: TraceContext,
        deadline: Instant,
        request_id: RequestId,
        connection: Option<Connection>,
    ) -> Arc<Self> {
        Arc::new(Self {
            request_id: Some(request_id),
            connection,
            ..Self::bare(trace, Some(deadline))
        })
    }

    /// The context of work that goes on when its request was answered: nobody waits for it.
    pub fn afterwards(&self) -> Arc<Self> {
        Arc::new(Self {
            connection: self.connection,
            origin: self.origin.clone(),
            ..Self::bare(self.trace, None)
        })
    }

    fn bare(trace: TraceContext, deadline: Option<Instant>) -> Self {
        Self {
            trace,
            traceparent: trace.text(),
            deadline,
            upload: Upload::default(),
            request_id: None,
            connection: None,
            origin: OnceLock::new(),
            statements: AtomicU32::new(0),
        }
    }

    /// The context of the work that runs now, if it runs for somebody.
    pub fn current() -> Option<Arc<Self>> {
        let current = CURRENT.try_with(|current| current.borrow().clone());
        current.ok().flatten()
    }

    /// What `look` makes of the context of the work that runs now.
    pub fn with_current<R>(look: impl FnOnce(Option<&Self>) -> R) -> R {
        CURRENT.with_borrow(|current| look(current.as_deref()))
    }

    /// Where it stands in its trace, as `traceparent` says it.
    pub fn traceparent(&self) -> &[u8] {
        self.traceparent.whole()
    }

    /// What the request is called, as the value of a field; `None` if there is none.
    pub fn request_id_value(&self) -> Option<HeaderValue> {
        Some(match self.request_id.as_ref()? {
            RequestId::Named(name) => name.clone(),
            RequestId::OfTrace => {
                HeaderValue::from_bytes(self.traceparent.trace_id()).expect("hexadecimal")
            }
        })
    }

    /// Appends what the request is called, if it is one.
    pub fn write_request_id(&self, text: &mut Vec<u8>) {
        match &self.request_id {
            Some(RequestId::Named(name)) => text.extend_from_slice(name.as_bytes()),
            Some(RequestId::OfTrace) => text.extend_from_slice(self.traceparent.trace_id()),
            None => {}
        }
    }

    /// Runs `work` in this context.
    pub async fn scope<F: Future>(self: Arc<Self>, work: F) -> F::Output {
        let (mut work, mut context) = (pin!(work), Entered::new(self));
        poll_fn(|cx| context.enter(|| work.as_mut().poll(cx))).await
    }

    /// Where the request comes from, once that was found out.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.get()
    }

    /// The request that is answered now comes from there. It is found out once, where requests come in.
    pub fn comes_from(origin: Origin) {
        Self::with_current(|context| {
            let told = context.map(|context| context.origin.set(origin));
            debug_assert!(told.is_none_or(|told| told.is_ok()), "found out twice");
        });
    }

    /// When its caller stops waiting. While the body of a request comes, that is [put off](Self::put_off).
    pub fn deadline(&self) -> Option<Instant> {
        Some(self.deadline? + self.put_off())
    }

    /// By how much the body of a request has put its deadline off so far.
    pub fn put_off(&self) -> Duration {
        Duration::from_micros(self.upload.put_off.load(Ordering::Relaxed))
    }

    /// Whether the next part of the request's body has not come: it is the client that is late.
    pub fn awaits_body(&self) -> bool {
        self.upload.awaited.load(Ordering::Relaxed)
    }

    /// A part of the body has come, which puts the deadline off by `put_off` in all.
    pub(crate) fn body_comes(&self, put_off: Duration) {
        let micros = u64::try_from(put_off.as_micros()).unwrap_or(u64::MAX);
        self.upload.put_off.fetch_max(micros, Ordering::Relaxed);
        self.upload.awaited.store(false, Ordering::Relaxed);
    }

    /// The next part of the body is waited for.
    pub(crate) fn body_awaited(&self) {
        self.upload.awaited.store(true, Ordering::Relaxed);
    }

    /// How long the caller still waits, at most `limit`.
    pub fn remaining(&self, limit: Duration) -> Duration {
        let left = self
            .deadline()
            .map(|deadline| deadline.saturating_duration_since(Instant::now()));
        left.map_or(limit, |left| left.min(limit))
    }

    /// Counts one more statement.
    pub fn count_statement(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    /// How many statements the work has cost so far.
    pub fn statements(&self) -> u32 {
        self.statements.load(Ordering::Relaxed)
    }
}

/// A context that is entered again and again.
#[derive(Debug)]
pub struct Entered(Option<Arc<RequestContext>>);

impl Entered {
    /// One that nothing runs in yet.
    pub fn new(context: Arc<RequestContext>) -> Self {
        Self(Some(context))
    }

    /// The context.
    ///
    /// # Panics
    /// While something runs in it: who does has it as the current one.
    pub fn context(&self) -> &Arc<RequestContext> {
        self.0.as_ref().expect("nothing runs in it")
    }

    /// Does something in the context, which is that of the caller again afterwards, also after a panic.
    pub fn enter<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let inside = Inside(&mut self.0);
        CURRENT.with_borrow_mut(|current| mem::swap(current, inside.0));
        work()
    }
}

/// Brings back what was current before.
struct Inside<'a>(&'a mut Option<Arc<RequestContext>>);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|current| mem::swap(current, self.0));
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use kernel::Sources;

    use super::*;

    fn context() -> Arc<RequestContext> {
        RequestContext::new(TraceContext::root(&Sources::system()), None)
    }

    fn trace() -> Option<u128> {
        RequestContext::with_current(|current| current.map(|current| current.trace.trace_id))
    }

    #[test]
    fn contexts_lie_in_one_another() {
        let (outer, inner) = (context(), context());
        let (one, two) = (Some(outer.trace.trace_id), Some(inner.trace.trace_id));
        let (mut outer, mut inner) = (Entered::new(outer), Entered::new(inner));
        for _ in 0..2 {
            outer.enter(|| {
                assert_eq!(trace(), one);
                inner.enter(|| assert_eq!(trace(), two));
                let panics = AssertUnwindSafe(|| inner.enter(|| panic!("as it should")));
                assert!(catch_unwind(panics).is_err());
                assert_eq!(trace(), one);
            });
            assert_eq!(trace(), None);
        }
    }

    #[tokio::test]
    async fn what_waits_is_not_current() {
        let context = context();
        let id = Some(context.trace.trace_id);
        let work = context.scope(async {
            assert_eq!(trace(), id);
            tokio::task::yield_now().await;
            trace()
        });
        let other = async {
            let before = trace();
            tokio::task::yield_now().await;
            (before, trace())
        };
        assert_eq!(tokio::join!(work, other), (id, (None, None)));
    }
}
