//! Limits of requests per address: GCRA, the leaky bucket as a meter (ITU-T I.371), which needs
//! one number for each address and is exact at any moment.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use kernel::Timestamp;

/// Addresses that are remembered at once; the least used are forgotten first.
const ADDRESSES: usize = 100_000;

/// `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-10.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// So many requests for each address in a window, and a burst on top.
pub(crate) struct RateLimit {
    /// Microseconds that one request uses up.
    cost: i64,
    /// Microseconds that may be used up in advance.
    tolerance: i64,
    policy: HeaderValue,
    /// When each address will have paid for what it has used.
    paid_at: quick_cache::sync::Cache<IpAddr, Arc<AtomicI64>>,
}

/// What a request that is let through leaves.
pub(crate) struct Left {
    requests: i64,
    seconds: i64,
}

impl RateLimit {
    /// `None` if there is no limit.
    pub(crate) fn new(limit: u32, window: Duration, burst: u32) -> Option<Self> {
        let micros = i64::try_from(window.as_micros()).unwrap_or(i64::MAX);
        let cost = micros
            .checked_div(i64::from(limit))
            .filter(|cost| *cost > 0)?;
        let tolerance = cost.saturating_mul(i64::from(burst));
        let quota = limit.saturating_add(burst);
        let policy = format!("\"default\";q={quota};w={}", window.as_secs().max(1));
        Some(Self {
            cost,
            tolerance,
            policy: HeaderValue::try_from(policy).expect("plain text"),
            paid_at: quick_cache::sync::Cache::new(ADDRESSES),
        })
    }

    /// Lets one request of `address` through, or tells after how many seconds to come again.
    pub(crate) fn take(&self, address: IpAddr, now: Timestamp) -> Result<Left, u32> {
        let fresh = || Ok::<_, std::convert::Infallible>(Arc::new(AtomicI64::new(0)));
        let Ok(paid_at) = self.paid_at.get_or_insert_with(&address, fresh);
        let now = now.micros();
        let next = |paid: i64| {
            let paid = paid.max(now) + self.cost;
            (paid - now <= self.tolerance + self.cost).then_some(paid)
        };
        match paid_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            Ok(before) => {
                let used = before.max(now) + self.cost - now;
                let requests = (self.tolerance + self.cost - used) / self.cost;
                Ok(Left {
                    requests,
                    seconds: used.div_euclid(1_000_000) + 1,
                })
            }
            Err(paid) => {
                let wait = paid + self.cost - now - self.tolerance - self.cost;
                Err(u32::try_from(wait.div_euclid(1_000_000) + 1).unwrap_or(u32::MAX))
            }
        }
    }

    /// Tells the client where it stands.
    pub(crate) fn describe(&self, headers: &mut HeaderMap, left: &Left) {
        headers.insert(POLICY, self.policy.clone());
        let text = format!("\"default\";r={};t={}", left.requests, left.seconds);
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(LIMIT, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const BOB: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let limit = RateLimit::new(10, Duration::from_secs(1), 4).expect("a limit");
        let start = Timestamp::from_micros(1_000_000_000);
        let passed = (0..20).filter(|_| limit.take(ADA, start).is_ok()).count();
        assert_eq!(passed, 5, "one at once, and four more in a burst");
        assert_eq!(limit.take(ADA, start).err(), Some(1));
        assert!(limit.take(BOB, start).is_ok(), "each address for itself");
        let later = start.plus(Duration::from_millis(100));
        assert!(limit.take(ADA, later).is_ok() && limit.take(ADA, later).is_err());
    }

    #[test]
    fn zero_is_no_limit() {
        assert!(RateLimit::new(0, Duration::from_secs(1), 4).is_none());
    }
}
