//! A reaction to one type of event.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use kernel::problem::codes;
use kernel::{Envelope, Event, Kind, Problem};
use tracing::Instrument;

use crate::context::RequestContext;
use crate::db::Tx;
use crate::telemetry::TraceContext;

/// What handling an event comes to.
pub type Handling<'a> = Pin<Box<dyn Future<Output = Result<(), Problem>> + Send + 'a>>;

type HandleOne = dyn for<'a> Fn(&'a Tx, &Envelope) -> Handling<'a> + Send + Sync;
type HandleMany = dyn for<'a> Fn(&'a Tx, &[&Envelope]) -> Handling<'a> + Send + Sync;

#[derive(Clone)]
enum Handler {
    One(Arc<HandleOne>),
    Many(Arc<HandleMany>),
}

/// One reaction to one type of event.
#[derive(Clone)]
pub struct Consumer {
    /// Names it in the inbox, the metrics and the dead letters: `notification.welcome`. Must not
    /// change: what was handled is remembered under it.
    pub name: &'static str,
    /// The type that it reacts to.
    pub event_type: &'static str,
    handler: Handler,
}

impl Consumer {
    /// A consumer that runs `handler` inside the transaction that remembers the event. The handler
    /// gets a clone of the service.
    pub fn new<S, E, F>(name: &'static str, service: &S, handler: F) -> Self
    where
        S: Clone + Send + Sync + 'static,
        E: Event,
        F: for<'a> Fn(S, &'a Tx, E) -> Handling<'a> + Send + Sync + 'static,
    {
        let service = service.clone();
        let handler: Arc<HandleOne> = Arc::new(move |tx, envelope| match open::<E>(envelope) {
            Ok(event) => handler(service.clone(), tx, event),
            Err(problem) => Box::pin(std::future::ready(Err(problem))),
        });
        Self {
            name,
            event_type: E::TYPE,
            handler: Handler::One(handler),
        }
    }

    /// A consumer that handles what arrives together in one call, so that it can take as many
    /// statements for a hundred events as for one, and all its locks in one order. If it fails, it
    /// gets the same events again one by one.
    pub fn batch<S, E, F>(name: &'static str, service: &S, handler: F) -> Self
    where
        S: Clone + Send + Sync + 'static,
        E: Event,
        F: for<'a> Fn(S, &'a Tx, Vec<E>) -> Handling<'a> + Send + Sync + 'static,
    {
        let service = service.clone();
        let handler: Arc<HandleMany> = Arc::new(move |tx, envelopes| {
            let events = envelopes.iter().map(|envelope| open::<E>(envelope));
            match events.collect() {
                Ok(events) => handler(service.clone(), tx, events),
                Err(problem) => Box::pin(std::future::ready(Err(problem))),
            }
        });
        Self {
            name,
            event_type: E::TYPE,
            handler: Handler::Many(handler),
        }
    }

    /// Runs the handler on events that are claimed.
    pub(super) async fn handle(&self, tx: &Tx, events: &[&Envelope]) -> Result<(), Problem> {
        match &self.handler {
            Handler::One(handler) => {
                for event in events {
                    in_trace_of(tx, self.name, event, handler(tx, event)).await?;
                }
                Ok(())
            }
            Handler::Many(handler) => match events.first() {
                // A batch belongs to the trace of its first event.
                Some(first) => in_trace_of(tx, self.name, first, handler(tx, events)).await,
                None => Ok(()),
            },
        }
    }
}

fn open<E: Event>(envelope: &Envelope) -> Result<E, Problem> {
    envelope.open().map_err(|error| {
        let detail = format!("{error}: {}", error.source);
        Problem::new(Kind::Malformed, codes::MALFORMED, detail)
    })
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.name, self.event_type)
    }
}

async fn in_trace_of(
    tx: &Tx,
    consumer: &'static str,
    event: &Envelope,
    handling: Handling<'_>,
) -> Result<(), Problem> {
    let sources = tx.sources();
    let cause = event
        .traceparent
        .as_deref()
        .and_then(|text| text.parse::<TraceContext>().ok());
    let trace = cause.map_or_else(|| TraceContext::root(sources), |cause| cause.child(sources));
    let span = tracing::info_span!(
        "event",
        consumer,
        event.id = %event.id,
        trace_id = %trace.trace_id_text(),
    );
    RequestContext::new(trace, None)
        .scope(handling.instrument(span))
        .await
}
