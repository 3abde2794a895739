//! Adapters to the world outside: databases, HTTP, the bus, configuration, tokens, telemetry.
//! Services are written against these; nothing here knows what a shop is.

pub mod context;
pub mod db;
pub mod metrics;
pub mod tasks;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
