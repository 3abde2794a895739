//! Settings of the service.

use std::time::Duration;

use kernel::Currency;
use platform::config::Section;

/// The section `product` of the configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Reservations and releases that may wait in this instance; more are refused with 503.
    pub reservation_queue: usize,
    /// How many of them share a transaction at the most.
    pub reservation_batch: usize,
    /// How often reservations are looked for that have lapsed.
    pub sweep: Duration,
    /// How often the search index looks for changes that other instances have made.
    pub search_poll: Duration,
    /// How long readiness waits for the search index of an instance that has just started.
    pub search_ready: Duration,
    /// The currency of prices that name none, in files that are imported and exported.
    pub currency: Currency,
}

impl Config {
    /// Reads the section.
    pub fn read(section: &mut Section<'_>) -> Self {
        Self {
            reservation_queue: section.parse("reservation_queue"),
            reservation_batch: section.parse("reservation_batch"),
            sweep: section.duration("sweep"),
            search_poll: section.duration("search_poll"),
            search_ready: section.duration("search_ready"),
            currency: section.parse("currency"),
        }
    }
}
