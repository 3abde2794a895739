//! The instances of a role: those that the configuration names, and those that announce themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use http::uri::Authority;
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;

/// Failures in a row after which an instance is left out.
const FAILURES: usize = 5;
/// For how long.
const LEFT_OUT: Duration = Duration::from_secs(2);
/// Instances that can have announced themselves.
const MOST: usize = 1_000;

/// Calls go round them.
#[derive(Debug)]
pub(super) struct Instances {
    present: ArcSwap<Vec<Arc<Instance>>>,
    /// One change after the other.
    changes: Mutex<()>,
    next: AtomicUsize,
    failed: Counter,
    ejected: Counter,
}

#[derive(Debug)]
pub(super) struct Instance {
    pub(super) authority: Authority,
    /// Until when it is there, unless it is named by the configuration.
    lease: Option<Mutex<Instant>>,
    failures: AtomicUsize,
    out_until: Mutex<Option<Instant>>,
    failed: Counter,
    ejected: Counter,
}

impl Instances {
    pub(super) fn new(
        named: impl Iterator<Item = Authority>,
        failed: Counter,
        ejected: Counter,
    ) -> Self {
        let mut instances = Self {
            present: ArcSwap::default(),
            changes: Mutex::default(),
            next: AtomicUsize::new(0),
            failed,
            ejected,
        };
        let named: Vec<_> = named
            .map(|authority| instances.instance(authority, None))
            .collect();
        instances.present = ArcSwap::from_pointee(named);
        instances
    }

    fn instance(&self, authority: Authority, lease: Option<Instant>) -> Arc<Instance> {
        Arc::new(Instance {
            authority,
            lease: lease.map(Mutex::new),
            failures: AtomicUsize::new(0),
            out_until: Mutex::default(),
            failed: self.failed.clone(),
            ejected: self.ejected.clone(),
        })
    }

    /// An instance is there until `lease` is over, or until it says so again. `false` if there are
    /// too many.
    pub(super) fn announced(&self, authority: &Authority, lease: Duration, now: Instant) -> bool {
        let until = now + lease;
        let _one_by_one = self.changes.lock();
        let present = self.present.load_full();
        if let Some(known) = present.iter().find(|known| known.authority == *authority) {
            if let Some(lease) = &known.lease {
                *lease.lock() = until;
            }
            return true;
        }
        let mut next: Vec<_> = present
            .iter()
            .filter(|known| known.is_there(now))
            .cloned()
            .collect();
        if next.len() >= MOST {
            return false;
        }
        next.push(self.instance(authority.clone(), Some(until)));
        self.present.store(Arc::new(next));
        true
    }

    /// An instance that has announced itself gets no more calls.
    pub(super) fn left(&self, authority: &Authority) {
        let _one_by_one = self.changes.lock();
        let stays = |known: &&Arc<Instance>| known.lease.is_none() || known.authority != *authority;
        let present = self.present.load();
        let next = present.iter().filter(stays).cloned().collect();
        self.present.store(Arc::new(next));
    }

    /// The next instance that is not left out; if all are, the next one anyway.
    pub(super) fn choose(&self, now: Instant) -> Option<Arc<Instance>> {
        let present = self.present.load();
        let count = present.len();
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let turn = (0..count).map(|step| &present[start.wrapping_add(step) % count]);
        let turn = turn.filter(|instance| instance.is_there(now));
        let chosen = turn.clone().find(|instance| !instance.is_out(now));
        chosen.or_else(|| turn.clone().next()).cloned()
    }
}

impl Instance {
    pub(super) fn failed(&self) {
        self.failed.inc();
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= FAILURES {
            self.ejected.inc();
            *self.out_until.lock() = Some(Instant::now() + LEFT_OUT);
        }
    }

    pub(super) fn answered(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    fn is_there(&self, now: Instant) -> bool {
        self.lease.as_ref().is_none_or(|until| *until.lock() > now)
    }

    fn is_out(&self, now: Instant) -> bool {
        self.out_until.lock().is_some_and(|until| until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(5);

    fn at(port: u16) -> Authority {
        format!("10.0.0.1:{port}").parse().expect("an authority")
    }

    fn instances(named: &[u16]) -> Instances {
        let named = named.iter().map(|port| at(*port));
        Instances::new(named, Counter::default(), Counter::default())
    }

    /// Who is asked in four calls.
    fn asked(instances: &Instances, now: Instant) -> Vec<u16> {
        let chosen = (0..4).filter_map(|_| instances.choose(now));
        let mut ports: Vec<u16> = chosen.filter_map(|one| one.authority.port_u16()).collect();
        ports.sort_unstable();
        ports
    }

    #[test]
    fn who_announces_itself_is_asked_until_its_lease_ends_or_it_leaves() {
        let (instances, now) = (instances(&[]), Instant::now());
        assert_eq!(asked(&instances, now), [0; 0]);
        assert!(instances.announced(&at(1), LEASE, now));
        assert!(instances.announced(&at(2), LEASE, now));
        assert_eq!(asked(&instances, now), [1, 1, 2, 2]);
        let later = now + LEASE / 2;
        assert!(instances.announced(&at(2), LEASE, later));
        assert_eq!(asked(&instances, now + LEASE), [2, 2, 2, 2]);
        instances.left(&at(2));
        assert_eq!(asked(&instances, now), [1, 1, 1, 1]);
    }

    #[test]
    fn who_is_named_by_the_configuration_stays() {
        let (instances, now) = (instances(&[1]), Instant::now());
        assert!(instances.announced(&at(1), LEASE, now));
        instances.left(&at(1));
        assert_eq!(asked(&instances, now + 2 * LEASE), [1; 4]);
    }

    #[test]
    fn those_whose_lease_has_ended_make_room() {
        let (instances, now) = (instances(&[]), Instant::now());
        for port in 1..=u16::try_from(MOST).expect("a few") {
            assert!(instances.announced(&at(port), LEASE, now));
        }
        assert!(!instances.announced(&at(2_000), LEASE, now));
        assert!(instances.announced(&at(2_000), LEASE, now + LEASE));
        assert_eq!(asked(&instances, now + LEASE), [2_000; 4]);
    }
}
