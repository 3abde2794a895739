//! Stories of the HTTP cache: clients, a cache, an upstream that counts, a clock that is moved.

mod flight;
mod freshness;
mod measure;
mod purge;
mod second;
mod semantics;
mod sharing;
mod support;
