//! What the gateway's HTTP cache counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Tally;

/// Labels of what the cache did for one route.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct HttpCacheLabels {
    /// The name of the route, from the configuration.
    pub route: String,
}

/// Families of the HTTP cache.
#[derive(Debug, Clone, Default)]
pub struct HttpCacheMetrics {
    /// Requests that a stored answer satisfied.
    pub hits: Family<HttpCacheLabels, Tally>,
    /// Requests that none satisfied.
    pub misses: Family<HttpCacheLabels, Tally>,
    /// Questions to upstreams whether a stored answer is still good.
    pub revalidations: Family<HttpCacheLabels, Tally>,
    /// Stale answers that were served.
    pub stale: Family<HttpCacheLabels, Tally>,
    /// Bytes that are stored.
    pub bytes: Gauge,
    /// Targets of which answers are stored.
    pub entries: Gauge,
    /// Targets that had to make room.
    pub evictions: Counter,
    /// Purges.
    pub purges: Counter,
    /// Calls of the second level that failed.
    pub second_level_failures: Counter,
}

impl HttpCacheMetrics {
    pub(super) fn register(&self, r: &mut Registry) {
        let by_route = [
            (&self.hits, "http_cache_hits", "Answers from the cache"),
            (
                &self.misses,
                "http_cache_misses",
                "Requests without a stored answer",
            ),
            (
                &self.revalidations,
                "http_cache_revalidations",
                "Stored answers checked upstream",
            ),
            (&self.stale, "http_cache_stale", "Stale answers served"),
        ];
        for (family, name, help) in by_route {
            r.register(name, help, family.clone());
        }
        r.register("http_cache_bytes", "Bytes stored", self.bytes.clone());
        r.register("http_cache_entries", "Targets stored", self.entries.clone());
        r.register(
            "http_cache_evictions",
            "Targets that made room",
            self.evictions.clone(),
        );
        r.register("http_cache_purges", "Purges", self.purges.clone());
        r.register(
            "http_cache_second_level_failures",
            "Failed calls of the second level",
            self.second_level_failures.clone(),
        );
    }
}
