//! Calls between services: measured when they stay in the process, carried by HTTP/2 when they
//! leave it.
//!
//! Processes of one shop talk on a listener of their own. Each request proves that its sender
//! knows the shared key, each answer that its receiver does ([`PeerKey`]). A [`Peer`] spreads
//! calls over the instances of a role, leaves out those that fail, and repeats a call once on
//! another instance while its budget for that lasts; every contract method may be repeated.

mod held;
mod instances;
mod peer;
mod peer_key;
mod server;

use std::sync::Arc;
use std::time::Instant;

use kernel::Problem;
use kernel::contract::{Answer, Operation, Transport};
use tracing::Instrument;

pub use self::peer::{Peer, PeerSettings};
pub use self::peer_key::{PeerKey, WeakKey};
pub use self::server::{PeersOnly, contract_router};
use crate::metrics::{CallLabels, Metrics};

/// Where contract methods are served: `/internal/{service}/{method}`.
pub(crate) const PREFIX: &str = "/internal";

/// Calls that stay in the process: a span and the metrics, nothing else.
#[derive(Debug, Clone)]
pub struct LocalCalls(pub Metrics);

impl Transport for LocalCalls {
    fn local<'a>(&'a self, operation: Operation, call: Answer<'a, ()>) -> Answer<'a, ()> {
        Box::pin(measured(&self.0, operation, "local", call))
    }

    fn remote(&self, operation: Operation, _: Vec<u8>) -> Answer<'_, Vec<u8>> {
        let detail = format!("{} has no peers", operation.service);
        let problem = Problem::unavailable(kernel::problem::codes::UNAVAILABLE, detail, 5);
        Box::pin(std::future::ready(Err(problem)))
    }
}

/// Calls that leave the process, to the instances of one role.
#[derive(Debug, Clone)]
pub struct RemoteCalls {
    peer: Arc<Peer>,
    metrics: Metrics,
}

impl RemoteCalls {
    /// Calls to the instances behind `peer`.
    pub fn new(peer: Arc<Peer>, metrics: Metrics) -> Self {
        Self { peer, metrics }
    }
}

impl Transport for RemoteCalls {
    fn local<'a>(&'a self, operation: Operation, call: Answer<'a, ()>) -> Answer<'a, ()> {
        Box::pin(measured(&self.metrics, operation, "local", call))
    }

    fn remote(&self, operation: Operation, request: Vec<u8>) -> Answer<'_, Vec<u8>> {
        let path = format!("{PREFIX}/{}/{}", operation.service, operation.method);
        let call = async move { self.peer.call(&path, request.into()).await };
        Box::pin(measured(&self.metrics, operation, "remote", call))
    }
}

async fn measured<T>(
    metrics: &Metrics,
    operation: Operation,
    path: &'static str,
    call: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    let labels = CallLabels {
        service: operation.service,
        method: operation.method,
        path,
    };
    let span = tracing::debug_span!(
        "call",
        service = operation.service,
        method = operation.method
    );
    let started = Instant::now();
    let answer = call.instrument(span).await;
    metrics
        .call_duration
        .get_or_create(&labels)
        .observe(started.elapsed());
    if answer.as_ref().is_err_and(|problem| problem.status >= 500) {
        metrics.call_failures.get_or_create(&labels).inc();
    }
    answer
}
