//! Events: what has happened, told to whoever listens. CloudEvents 1.0 on the wire.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Timestamp;

crate::id_type!(
    /// Names one event; what a consumer has handled is remembered under it.
    pub EventId, "evt"
);

/// A fact of the past that one service announces. Fields are only ever added.
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The full type with its major version: `rialto.order.placed.v1`.
    const TYPE: &'static str;

    /// The aggregate that it is about: the text of its id. Events with one subject reach each
    /// consumer in the order in which they were emitted; others in any order.
    fn subject(&self) -> String;
}

/// An event as it travels and waits: CloudEvents 1.0 in JSON, with the W3C trace context
/// extension.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Envelope {
    /// The version of CloudEvents: `1.0`.
    pub specversion: Cow<'static, str>,
    /// Unique; consumers remember it.
    pub id: EventId,
    /// Who announces: `/rialto/order`.
    pub source: Cow<'static, str>,
    /// [`Event::TYPE`].
    #[serde(rename = "type")]
    pub event_type: Cow<'static, str>,
    /// [`Event::subject`]: the partition key.
    pub subject: String,
    /// When it happened.
    pub time: Timestamp,
    /// Always `application/json`.
    pub datacontenttype: Cow<'static, str>,
    /// The trace that it happened in (W3C Trace Context).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The event itself.
    pub data: Box<RawValue>,
}

/// The data of an envelope is not what its type promises.
#[derive(Debug, thiserror::Error)]
#[error("the data of {event_type} {id} cannot be read")]
pub struct BadEvent {
    /// Which event.
    pub id: EventId,
    /// What it claims to be.
    pub event_type: String,
    /// What is wrong with it.
    #[source]
    pub source: serde_json::Error,
}

impl Envelope {
    /// Wraps what happened in service `source` at `time`.
    pub fn new<E: Event>(id: EventId, source: &str, time: Timestamp, event: &E) -> Self {
        Self {
            specversion: "1.0".into(),
            id,
            source: format!("/rialto/{source}").into(),
            event_type: E::TYPE.into(),
            subject: event.subject(),
            time,
            datacontenttype: "application/json".into(),
            traceparent: None,
            data: serde_json::value::to_raw_value(event).expect("events are plain data"),
        }
    }

    /// The event inside.
    pub fn open<E: Event>(&self) -> Result<E, BadEvent> {
        serde_json::from_str(self.data.get()).map_err(|source| BadEvent {
            id: self.id,
            event_type: self.event_type.clone().into_owned(),
            source,
        })
    }
}
