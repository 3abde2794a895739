//! The gateway before other servers, over HTTP.

mod access_log;
mod blame;
mod bounds;
mod bridge;
mod compose;
mod cors;
mod crowded;
mod hedge;
mod identity;
mod instances;
mod pipeline;
mod policies;
mod reload;
mod routes;
mod shared_cache;
mod streams;
mod transform;
mod upstreams;
mod validate;
