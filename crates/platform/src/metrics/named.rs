//! What is counted under names that a table gives: for as long as somebody can count under them.
//!
//! A name stays while one table, or one request for which a former table still decides, [holds](Held) it.
//! The next table holds the names that stay before the last one gives them up, so these go on
//! counting where they were; what is given up by all is removed, and begins at zero if it comes back.

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{
    AnswerLabels, HttpCacheLabels, LimitLabels, Metrics, RouteLabels, ServersLabels, UpstreamLabels,
};

/// The statuses that an answer can have.
const STATUSES: RangeInclusive<u16> = 100..=999;

/// Something that a table names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Named {
    /// A route; what the cache does for it is counted by its name alone.
    Route(RouteLabels),
    /// An upstream.
    Upstream(String),
    /// A rule of limits.
    Rule(String),
}

/// A name that somebody counts under. Whoever asks for its metrics holds it before, and until
/// they are asked for no more; when nobody holds it, they are removed.
#[must_use]
pub struct Held {
    metrics: Metrics,
    name: Named,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Held({:?})", self.name)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.metrics.give_up(&self.name);
    }
}

/// How often each name is held.
pub(super) type Names = Arc<Mutex<HashMap<Named, usize>>>;

impl Metrics {
    /// Holds a name.
    pub fn hold(&self, name: Named) -> Held {
        *self.names.lock().entry(name.clone()).or_default() += 1;
        let metrics = self.clone();
        Held { metrics, name }
    }

    fn give_up(&self, name: &Named) {
        let mut held = self.names.lock();
        let Some(times) = held.get_mut(name) else {
            return;
        };
        *times -= 1;
        if *times > 0 {
            return;
        }
        held.remove(name);
        // Nobody can hold it again before all is removed.
        match name {
            Named::Route(labels) => self.remove_route(labels),
            Named::Upstream(name) => self.remove_upstream(name),
            Named::Rule(name) => self.remove_rule(name),
        }
    }

    fn remove_route(&self, labels: &RouteLabels) {
        self.http_duration.remove(labels);
        self.http_statements.remove(labels);
        let RouteLabels {
            role,
            route,
            method,
        } = labels.clone();
        let mut of_answer = AnswerLabels {
            role,
            route,
            method,
            status: 0,
        };
        // Which of them there were, nobody has noted.
        for status in STATUSES {
            of_answer.status = status;
            self.http_answers.remove(&of_answer);
        }
        let route = of_answer.route;
        let in_cache = HttpCacheLabels { route };
        let cache = &self.http_cache;
        for counted in [
            &cache.hits,
            &cache.misses,
            &cache.revalidations,
            &cache.stale,
        ] {
            counted.remove(&in_cache);
        }
    }

    fn remove_upstream(&self, name: &str) {
        for outcome in UpstreamLabels::OUTCOMES {
            let upstream = name.to_owned();
            self.upstream.remove(&UpstreamLabels { upstream, outcome });
        }
        let upstream = name.to_owned();
        let servers = ServersLabels { upstream };
        self.upstream_usable.remove(&servers);
        self.upstream_room.remove(&servers);
    }

    fn remove_rule(&self, name: &str) {
        for outcome in LimitLabels::OUTCOMES {
            let rule = name.to_owned();
            self.limits.remove(&LimitLabels { rule, outcome });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts once under everything that an upstream has.
    fn count(metrics: &Metrics, name: &str) {
        for outcome in UpstreamLabels::OUTCOMES {
            let upstream = name.to_owned();
            let labels = UpstreamLabels { upstream, outcome };
            metrics.upstream.get_or_create(&labels).inc();
        }
    }

    #[test]
    fn what_is_counted_under_a_name_goes_with_the_last_who_holds_it() {
        let metrics = Metrics::new();
        let named = |name: &str| Named::Upstream(name.to_owned());
        let (before, other) = (metrics.hold(named("one")), metrics.hold(named("other")));
        count(&metrics, "one");
        count(&metrics, "other");
        let after = metrics.hold(named("one"));
        drop(before);
        count(&metrics, "one");
        let counted = "upstream=\"one\",outcome=\"ejected\"} 2";
        assert!(metrics.encode().contains(counted), "{}", metrics.encode());

        drop(after);
        let told = metrics.encode();
        assert!(!told.contains("\"one\""), "{told}");
        assert!(told.contains("upstream=\"other\""), "{told}");
        drop(other);
        assert!(metrics.names.lock().is_empty());

        let again = metrics.hold(named("one"));
        count(&metrics, "one");
        let counted = "upstream=\"one\",outcome=\"ejected\"} 1";
        assert!(metrics.encode().contains(counted), "{}", metrics.encode());
        drop(again);
    }
}
