//! The gateway before other servers, over HTTP.

mod bridge;
mod reload;
mod routes;
mod upstreams;
