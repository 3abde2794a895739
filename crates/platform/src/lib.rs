//! Adapters to the world outside: databases, HTTP, the bus, configuration, tokens, telemetry.
//! Services are written against these; nothing here knows what a shop is.

pub mod auth;
pub mod cache;
pub mod config;
pub mod context;
pub mod contract;
pub mod db;
pub mod events;
pub mod http;
pub mod idempotency;
pub mod lease;
pub mod metrics;
pub mod redis;
pub mod tasks;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tls;
