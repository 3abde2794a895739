//! The worst bus that is still a bus: everything twice, and out of order between subjects.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use kernel::{Envelope, Problem};
use platform::events::EventSink;

/// Stands between the bus and an inbox.
#[derive(Debug)]
pub(crate) struct ChaosSink(pub(crate) Arc<dyn EventSink>);

impl EventSink for ChaosSink {
    fn deliver(
        &self,
        events: Vec<Envelope>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Problem>> + Send + '_>> {
        Box::pin(async move {
            let shuffled = shuffle(events);
            self.0.deliver(shuffled.clone()).await?;
            self.0.deliver(shuffled).await
        })
    }
}

/// The last subject first; the order within each subject stays.
fn shuffle(events: Vec<Envelope>) -> Vec<Envelope> {
    let mut subjects: BTreeMap<String, Vec<Envelope>> = BTreeMap::new();
    for event in events {
        subjects
            .entry(event.subject.clone())
            .or_default()
            .push(event);
    }
    subjects.into_values().rev().flatten().collect()
}
