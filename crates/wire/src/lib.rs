//! HTTP on sockets: connections that are served, and connections to others.
//!
//! HTTP/1.1 is spoken by code of our own, without a task or a channel for each connection or
//! exchange: a request is parsed, answered and its answer written where the connection lives, and
//! an exchange with an upstream server is polled by whoever waits for it. HTTP/2 is hyper's. Both
//! end in the same [`Body`] and the same `tower` service, so nothing behind them can tell which it
//! was. Connections that wait hold no buffer.
//!
//! Nothing here knows of shops; [`http1`] refuses whatever two parsers could read differently.

mod body;
mod budget;
pub mod client;
pub mod deadline;
pub mod fields;
pub mod front;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod http1;
mod link;
pub mod network;
mod patient;
pub mod post;
pub mod proxy_protocol;
pub mod server;
mod spare;
mod stream;
mod tcp;
pub mod tls;
mod tunnel;
pub mod turn;
mod woken;
pub mod workers;

pub use self::body::{Body, BoxError, Polled};
pub use self::budget::Budget;
pub use self::link::BodyError;
pub use self::stream::{Duplex, Stream};
pub use self::tunnel::{Upgrade, Upgraded};
