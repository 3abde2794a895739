//! Servers that are all alike, and how a request gets to one of them: the less busy of two drawn by
//! lot, another one if that fails, none that has failed too often.

mod balance;
mod connect;
mod hedge;
mod measures;
mod member;
mod probe;
mod room;
mod send;
mod standing;
mod usual;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use http::HeaderValue;
use tokio::time::Instant;
use wire::{Budget, turn};

use self::measures::Measures;
use self::member::{Member, Outcome};
use self::usual::Usual;
use crate::limit::concurrency::Concurrency;
use crate::snapshot::Surroundings;
use crate::swapped::Swapped;
use crate::table::{self, PerServer};

pub(crate) use self::connect::Dial;
pub(crate) use self::hedge::is_idempotent;
pub(crate) use self::member::MemberState;
pub(crate) use self::send::Sending;

/// Repetitions that there are at the start.
const FIRST: u32 = 10;
/// Repetitions that may be made at once after a quiet time.
const SAVED: u32 = 50;

/// The servers of one upstream, and what is known of each.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) name: Arc<str>,
    pub(crate) definition: table::Upstream,
    members: Swapped<Vec<Arc<Member>>>,
    workers: usize,
    dice: AtomicU64,
    /// Of requests that are under way to any of them.
    places: Concurrency,
    budget: Budget,
    /// How long answers to requests that may be hedged take.
    usual: Usual,
    measures: Measures,
    started: Instant,
    refreshed: AtomicU64,
    checked: AtomicU64,
}

impl Upstream {
    /// An upstream with the servers that its definition names; others are found by
    /// [`refresh`](Self::refresh).
    pub(crate) fn new(name: &str, definition: &table::Upstream, around: &Surroundings) -> Self {
        let limited = definition.concurrency.per_server() != PerServer::Unlimited;
        let upstream = Self {
            name: name.into(),
            definition: definition.clone(),
            members: Swapped::new(Vec::new()),
            workers: around.workers,
            dice: AtomicU64::new(0),
            places: Concurrency::new(definition.concurrency.total as usize),
            budget: Budget::new(definition.retry_budget.0, FIRST, SAVED),
            usual: Usual::default(),
            measures: Measures::new(name, limited, &around.metrics),
            started: Instant::now(),
            refreshed: AtomicU64::new(0),
            checked: AtomicU64::new(0),
        };
        upstream.set_servers(&definition.servers);
        upstream
    }

    /// From now on these are the servers. Those that stay keep their connections and what is known
    /// of them; those that leave finish what they are at.
    pub(crate) fn set_servers(&self, urls: &[String]) {
        let present = self.members.load();
        let known: HashMap<&str, &Arc<Member>> = present
            .iter()
            .map(|member| (&*member.url, member))
            .collect();
        let mut members: Vec<Arc<Member>> = Vec::with_capacity(urls.len());
        for url in urls {
            if members.iter().any(|member| *member.url == **url) {
                continue;
            }
            match known.get(url.as_str()) {
                Some(member) => members.push(Arc::clone(member)),
                None => match Member::new(url, &self.definition, self.workers, self.now()) {
                    Ok(member) => members.push(Arc::new(member)),
                    Err(problem) => {
                        tracing::warn!(upstream = %self.name, problem, "a server is left out");
                    }
                },
            }
        }
        if members.is_empty() && !urls.is_empty() && !present.is_empty() {
            tracing::warn!(upstream = %self.name, "none of the servers is one; those known stay");
            return;
        }
        for member in present.iter() {
            if !members.iter().any(|stays| Arc::ptr_eq(stays, member)) {
                member.leave();
                member.count_pipelined(&self.measures);
            }
        }
        self.members.store(members);
    }

    /// Microseconds since the upstream was made.
    fn now(&self) -> u64 {
        self.at(turn::now())
    }

    /// The same for another time than now.
    fn at(&self, time: Instant) -> u64 {
        micros(time.saturating_duration_since(self.started))
    }

    /// What the clock said at that time.
    fn instant(&self, now: u64) -> std::time::Instant {
        self.started.into_std() + Duration::from_micros(now)
    }

    /// Tells how many servers may be asked, and how much.
    pub(crate) fn measure(&self) {
        let now = self.now();
        let members = self.members.load();
        let usable = members
            .iter()
            .filter(|member| member.is_usable(now))
            .count();
        self.measures
            .usable
            .set(i64::try_from(usable).unwrap_or(i64::MAX));
        if let Some(room) = &self.measures.room {
            let limits = members.iter().filter_map(|member| member.room.limit());
            room.set(i64::try_from(limits.sum::<usize>()).unwrap_or(i64::MAX));
        }
        for member in members.iter() {
            member.count_pipelined(&self.measures);
        }
    }

    /// How each server is, for those who look.
    pub(crate) fn states(&self) -> Vec<MemberState> {
        let now = self.now();
        self.members
            .load()
            .iter()
            .map(|member| member.state(now))
            .collect()
    }
}

/// A text as a value of a field.
fn field(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::try_from(text).map_err(|_| format!("`{text}` cannot stand in a header"))
}

/// A length of time in microseconds.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use kernel::Sources;
    use platform::cache::CacheUrl;
    use platform::metrics::Metrics;
    use platform::tasks::Shutdown;

    use super::*;
    use crate::cache::{HttpCache, StoreSettings};
    use crate::client_address::Forwarding;
    use crate::identity::Shared;
    use crate::limit::Counters;

    fn around() -> Surroundings {
        let (sources, metrics) = (Sources::system(), Metrics::new());
        let (second, patience) = (Duration::from_secs(1), Duration::from_secs(1));
        let store = StoreSettings::default();
        let (measures, ends) = (&metrics.http_cache, Shutdown::new());
        Surroundings {
            workers: 1,
            longest: second,
            forwarding: Forwarding::default(),
            counters: Counters::new(&CacheUrl::Memory, patience, sources.clone(), &metrics),
            cache: HttpCache::new(store, sources.clone(), measures, None, ends),
            identity: Shared::new(sources, &metrics),
            metrics,
            shop: None,
        }
    }

    #[tokio::test]
    async fn a_list_without_any_server_changes_nothing() {
        let definition = toml::from_str("servers = ['http://127.0.0.1:1', 'http://127.0.0.1:2']");
        let upstream = Upstream::new("a", &definition.expect("right"), &around());
        let known = || {
            let states = serde_json::to_value(upstream.states()).expect("plain");
            let urls = states.as_array().expect("a list").iter();
            urls.map(|state| state["url"].to_string())
                .collect::<Vec<_>>()
        };
        let both = known();
        assert_eq!(both.len(), 2);
        upstream.set_servers(&[String::from("garbage")]);
        assert_eq!(known(), both);
        // Of several those count that are servers.
        let some = ["garbage", "http://127.0.0.1:2"].map(String::from);
        upstream.set_servers(&some);
        assert_eq!(known(), both[1..]);
    }
}
