//! Tokens that were verified, remembered: a signature costs more than the rest of a request.

use std::sync::Arc;

use kernel::Timestamp;
use platform::metrics::{CacheLabels, Metrics, Tally};
use quick_cache::Weighter;

use super::Identity;

/// About how many tokens fit.
const TOKENS: usize = 16_384;
/// Bytes of all of them.
const BYTES: u64 = 32 << 20;

/// By the SHA-256 of a token. Bounded; the least used are forgotten first.
pub(super) struct Verified {
    tokens: quick_cache::sync::Cache<[u8; 32], Known, Weight>,
    hits: Tally,
    misses: Tally,
}

/// A token that was verified.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) identity: Arc<Identity>,
    pub(super) until: Timestamp,
    /// Of the public keys that have verified it, if such have.
    pub(super) generation: Option<u64>,
    /// Of the token, about what its claims take.
    pub(super) length: usize,
}

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<[u8; 32], Known> for Weight {
    fn weight(&self, _: &[u8; 32], known: &Known) -> u64 {
        // Claims in memory take about three times their text, and each entry something itself.
        u64::try_from(known.length * 3 + 512).unwrap_or(u64::MAX)
    }
}

impl Verified {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let count = |outcome| {
            let labels = CacheLabels {
                cache: "identities",
                outcome,
            };
            metrics.cache.get_or_create(&labels).clone()
        };
        Self {
            tokens: quick_cache::sync::Cache::with_weighter(TOKENS, BYTES, Weight),
            hits: count("hit"),
            misses: count("miss"),
        }
    }

    pub(super) fn get(&self, fingerprint: &[u8; 32]) -> Option<Known> {
        let known = self.tokens.get(fingerprint)?;
        self.hits.inc();
        Some(known)
    }

    pub(super) fn insert(&self, fingerprint: [u8; 32], known: Known) {
        self.misses.inc();
        self.tokens.insert(fingerprint, known);
    }
}

impl std::fmt::Debug for Verified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verified({})", self.tokens.len())
    }
}
