//! What a request carries through every layer without being handed from call to call: its trace,
//! its deadline, and the count of the statements that it cost.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use http::HeaderValue;

use crate::telemetry::TraceContext;

tokio::task_local! {
    static CURRENT: Arc<RequestContext>;
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
    /// When its caller stops waiting.
    pub deadline: Option<Instant>,
    /// What it is called in answers and logs, if it is a request.
    pub request_id: Option<RequestId>,
    statements: AtomicU32,
}

impl RequestContext {
    /// A context for work that belongs to `trace` and must be done by `deadline`.
    pub fn new(trace: TraceContext, deadline: Option<Instant>) -> Arc<Self> {
        Arc::new(Self {
            trace,
            deadline,
            request_id: None,
            statements: AtomicU32::new(0),
        })
    }

    /// The context of a request, which must be answered by `deadline`.
    pub fn of_request(trace: TraceContext, deadline: Instant, request_id: RequestId) -> Arc<Self> {
        Arc::new(Self {
            trace,
            deadline: Some(deadline),
            request_id: Some(request_id),
            statements: AtomicU32::new(0),
        })
    }

    /// The context of the work that runs now, if it runs for somebody.
    pub fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// What the request is called, as the value of a field; `None` if there is none.
    pub fn request_id_value(&self) -> Option<HeaderValue> {
        Some(match self.request_id.as_ref()? {
            RequestId::Named(name) => name.clone(),
            RequestId::OfTrace => self.trace.trace_id_value(),
        })
    }

    /// Appends what the request is called, if it is one.
    pub fn write_request_id(&self, text: &mut Vec<u8>) {
        match &self.request_id {
            Some(RequestId::Named(name)) => text.extend_from_slice(name.as_bytes()),
            Some(RequestId::OfTrace) => text.extend_from_slice(&self.trace.trace_id_digits()),
            None => {}
        }
    }

    /// Begins work in this context.
    pub fn enter<R>(self: &Arc<Self>, begin: impl FnOnce() -> R) -> R {
        CURRENT.sync_scope(self.clone(), begin)
    }

    /// Runs `work` in this context.
    pub async fn scope<F: Future>(self: Arc<Self>, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// How long the caller still waits, at most `limit`.
    pub fn remaining(&self, limit: Duration) -> Duration {
        let left = self
            .deadline
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
