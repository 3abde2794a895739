//! Events from the transaction that causes them to the transaction that reacts to them.
//!
//! [`emit`] writes an event into the outbox, in the transaction of its effect. The [`Relay`] of
//! the role, elected by a lease, hands what is not sent yet to the bus, in order. The bus brings
//! it to the [`Inbox`] of every role that listens. The inbox runs each consumer in a transaction
//! that also remembers the event, so that an event that arrives twice is handled once. What fails
//! waits and is tried again, later events of the same subject behind it, and is parked as a dead
//! letter in the end.

mod bus;
mod consumer;
mod inbox;
mod outbox;
mod relay;
mod retry;

pub use self::bus::{Bus, DatabaseBus, Destination, EventSink, EverySink, LocalSinks, RemoteSink};
pub use self::consumer::{Consumer, Handling};
pub use self::inbox::{Inbox, InboxSettings};
pub use self::outbox::{OutboxState, emit, outbox_state};
pub use self::relay::Relay;
pub use self::retry::{Failure, FailureState, failures, replay};

kernel::service_contract! {
    /// How events reach a role in another process. Every role with consumers serves it.
    pub trait EventsApi, client EventsClient, server EventsServer, service "events" {
        /// Takes charge of the events: each is handled, or kept for another attempt.
        deliver(Delivery) -> ();
    }
}

/// Events on their way to a role.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Delivery {
    /// The role that they are for.
    pub role: String,
    /// The events, in order for each subject.
    pub events: Vec<kernel::Envelope>,
}
