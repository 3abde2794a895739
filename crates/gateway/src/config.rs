//! Settings of the gateway.

use std::net::SocketAddr;
use std::time::Duration;

use platform::config::Section;

use crate::table::Source;

/// The section `gateway` of the configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The public listener.
    pub listen: SocketAddr,
    /// Threads that serve the public listener.
    pub workers: usize,
    /// Origins that browsers may call from.
    pub cors_origins: Vec<String>,
    /// Requests that may be answered at once.
    pub concurrency: usize,
    /// Open connections.
    pub connections: usize,
    /// Requests of one address in `rate_window`; 0 for no limit.
    pub rate_limit: u32,
    /// See `rate_limit`.
    pub rate_window: Duration,
    /// Requests that may come in a burst on top.
    pub rate_burst: u32,
    /// Routes beside those of the shop.
    pub routes: Option<Source>,
    /// Reverse proxies in front.
    pub trusted_proxies: usize,
}

impl Config {
    /// Reads the section.
    pub fn read(section: &mut Section<'_>) -> Self {
        Self {
            listen: section.parse("listen"),
            workers: match section.parse("workers") {
                0 => std::thread::available_parallelism().map_or(1, Into::into),
                workers => workers,
            },
            cors_origins: section.list("cors_origins"),
            concurrency: section.parse("concurrency"),
            connections: section.parse("connections"),
            rate_limit: section.parse("rate_limit"),
            rate_window: section.duration("rate_window"),
            rate_burst: section.parse("rate_burst"),
            routes: section
                .optional::<String>("routes")
                .map(|text| Source::new(&text)),
            trusted_proxies: section.parse("trusted_proxies"),
        }
    }
}
