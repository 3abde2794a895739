//! Limits of requests.
//!
//! How **often**: a request meets one or more [`Rules`]; it takes from all of them, or, if one
//! refuses it, from none. The [`gcra`] decides, the same in the counters of one process
//! ([`local`]) and in those of all instances ([`shared`]); the [`LimitFilter`] asks and answers.
//! How many **at once**: [`concurrency`], by a fixed limit or one that finds itself ([`adaptive`]);
//! of a route, [`Places`], and how large: [`Bounds`].

pub(crate) mod adaptive;
mod body;
mod bounds;
pub(crate) mod concurrency;
mod filter;
mod gcra;
mod key;
mod local;
mod places;
mod rule;
pub(crate) mod settings;
mod shared;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use kernel::problem::codes;
use kernel::{Kind, Problem, Sources};
use platform::cache::CacheUrl;
use platform::metrics::Metrics;
use platform::redis::{Redis, RedisSettings};
use prometheus_client::metrics::counter::Counter;

pub(crate) use self::bounds::Bounds;
pub(crate) use self::filter::LimitFilter;
use self::local::Local;
pub(crate) use self::places::Places;
use self::rule::Ask;
pub(crate) use self::rule::Rules;
pub(crate) use self::settings::LimitSettings;
use self::settings::WhenAway;
use self::shared::Shared;

/// `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-10.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Where requests are counted. It outlives the configuration: rules of the same name go on where
/// they were. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Counters(Arc<Engines>);

struct Engines {
    /// Counts always, or while Redis is away.
    local: Local,
    shared: Option<Shared>,
    sources: Sources,
    refused: Counter,
}

/// What the rules say to a request.
#[derive(Debug)]
pub(crate) struct Decision<'a> {
    rules: &'a Rules,
    /// What was asked, and what was used before.
    asks: Vec<Ask>,
    verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Passes,
    Refused,
    /// A rule that is closed while nobody can count.
    Closed,
}

impl Counters {
    /// Counters of this process, or of all instances in Redis, which may take `timeout`.
    pub(crate) fn new(
        url: &CacheUrl,
        timeout: Duration,
        sources: Sources,
        metrics: &Metrics,
    ) -> Self {
        let shared = match url {
            CacheUrl::Memory => None,
            CacheUrl::Redis(url) => {
                let settings = RedisSettings {
                    timeout,
                    ..RedisSettings::new(url.clone())
                };
                let redis = Redis::new(&settings, metrics.redis("limits"));
                Some(Shared::new(redis))
            }
        };
        Self(Arc::new(Engines {
            local: Local::new(),
            shared,
            sources,
            refused: metrics.rate_limited.clone(),
        }))
    }

    /// Lets a request take what it [asks](Rules::asks) from all `rules`, or from none.
    pub(crate) async fn take<'a>(&self, rules: &'a Rules, asks: Vec<Ask>) -> Decision<'a> {
        self.decide(rules, asks, None).await
    }

    async fn decide<'a>(
        &self,
        rules: &'a Rules,
        mut asks: Vec<Ask>,
        shared_now: Option<i64>,
    ) -> Decision<'a> {
        let engines = &*self.0;
        let mut verdict = Verdict::Passes;
        let counted_by_all = match &engines.shared {
            Some(shared) if !asks.is_empty() => {
                // Boxed: who counts in this process does not carry it around.
                let taking = Box::pin(shared.take(rules, &mut asks, shared_now));
                taking.await.is_ok()
            }
            other => other.is_some(),
        };
        if !counted_by_all {
            if engines.shared.is_some() {
                verdict = do_without(rules, &mut asks);
            }
            if verdict == Verdict::Passes {
                let now = engines.sources.now().micros();
                engines.local.take(&mut asks, now);
            }
        }
        if verdict == Verdict::Passes {
            if asks.iter().any(Ask::refuses) {
                verdict = Verdict::Refused;
                engines.refused.inc();
            }
            count(rules, &asks, verdict);
        }
        Decision {
            rules,
            asks,
            verdict,
        }
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.0.shared.is_some();
        f.write_str(if shared {
            "Counters(shared)"
        } else {
            "Counters(local)"
        })
    }
}

/// Nobody knows what all instances count: leaves the rules that each keeps for itself.
fn do_without(rules: &Rules, asks: &mut Vec<Ask>) -> Verdict {
    for ask in &*asks {
        rules.get(ask).counted.errors.inc();
    }
    let closed = |ask: &Ask| !ask.shadow && rules.get(ask).when_away == WhenAway::Closed;
    if asks.iter().any(closed) {
        return Verdict::Closed;
    }
    asks.retain(|ask| rules.get(ask).when_away == WhenAway::Local);
    Verdict::Passes
}

fn count(rules: &Rules, asks: &[Ask], verdict: Verdict) {
    for ask in asks {
        let counted = &rules.get(ask).counted;
        match (ask.fits(), ask.shadow) {
            (true, _) if verdict == Verdict::Passes => counted.allowed.inc(),
            // Another rule refused: nothing was taken from this one.
            (true, _) => continue,
            (false, true) => counted.shadowed.inc(),
            (false, false) => counted.limited.inc(),
        };
    }
}

impl Decision<'_> {
    /// Why the request is refused, if it is.
    pub(crate) fn refusal(&self) -> Option<Problem> {
        match self.verdict {
            Verdict::Passes => None,
            Verdict::Closed => {
                let detail = "requests cannot be counted at present, and may not pass uncounted";
                Some(Problem::unavailable(codes::UNAVAILABLE, detail, 1))
            }
            Verdict::Refused => {
                // The rule that keeps the client waiting longest.
                let refusing = self.asks.iter().filter(|ask| ask.refuses());
                let wait = |ask: &&Ask| ask.quota.wait(ask.used, ask.charge);
                let ask = refusing.max_by_key(wait)?;
                let name = &self.rules.get(ask).name;
                let detail = format!("more requests than the limit `{name}` allows");
                let wait = u32::try_from(gcra::seconds(wait(&ask))).unwrap_or(u32::MAX);
                let problem = Problem::new(Kind::TooMany, codes::RATE_LIMITED, detail)
                    .with_context("limit", name.as_str())
                    .again_after(wait.max(1));
                Some(problem)
            }
        }
    }

    /// Tells the client where it stands with each rule that can refuse it.
    pub(crate) fn describe(&self, headers: &mut HeaderMap) {
        let mut items = String::with_capacity(self.asks.len() * 64);
        let mut number = itoa::Buffer::new();
        for ask in self.asks.iter().filter(|ask| !ask.shadow) {
            let taken = self.verdict == Verdict::Passes && ask.fits();
            let used = ask.used + if taken { ask.charge } else { 0 };
            let (left, reset) = (ask.quota.left(used), gcra::seconds(used));
            if !items.is_empty() {
                items.push_str(", ");
            }
            items.push_str(&self.rules.get(ask).item);
            items.push_str(number.format(left));
            items.push_str(";t=");
            items.push_str(number.format(reset));
        }
        if items.is_empty() || self.verdict == Verdict::Closed {
            return;
        }
        let policy = self.rules.policy(&self.asks);
        if let (Some(policy), Ok(limit)) = (policy, HeaderValue::try_from(items)) {
            headers.insert(POLICY, policy);
            headers.insert(LIMIT, limit);
        }
    }
}
