//! One server of an upstream.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_utils::CachePadded;
use http::HeaderValue;
use parking_lot::Mutex;
use wire::client::{Pipelined, Pool, Settings};
use wire::workers::PerWorker;

use super::balance::Load;
use super::connect::Dial;
use super::field;
use super::measures::Measures;
use super::room::Room;
use super::standing::Standing;
use crate::table::{self, Health};

/// One server: its connections, its load, its standing.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) url: Arc<str>,
    /// Its authority, as the `Host` of requests.
    pub(super) host: HeaderValue,
    /// One for each worker: a connection stays on the thread that has opened it.
    pools: PerWorker<Pool>,
    /// For checks, which run on no worker.
    pub(super) probes: Pool,
    pub(super) probing: AtomicBool,
    pub(super) room: Room,
    /// What every request moves, apart from what every request reads.
    load: CachePadded<Load>,
    standing: Mutex<Standing>,
    /// Whether the standing is such that nobody needs to look at it.
    plain: AtomicBool,
    /// What has been [counted](Self::count_pipelined) of those that shared a connection.
    counted: Mutex<Pipelined>,
}

/// How a server is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct MemberState {
    pub(crate) url: String,
    /// What the checks say.
    pub(crate) healthy: bool,
    /// Whether it is left out because it has failed.
    pub(crate) ejected: bool,
    pub(crate) in_flight: u32,
    /// How many that may be, if there is a limit.
    pub(crate) limit: Option<usize>,
    /// The moving average, in microseconds.
    pub(crate) latency_us: u64,
    pub(crate) idle_connections: usize,
    /// Requests that were written with those before them, and how many of these were sent again by
    /// themselves.
    pub(crate) pipelined: u64,
    pub(crate) resent: u64,
}

/// How a try has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Answered,
    Failed,
    /// Through no fault of the server.
    Unknown,
}

impl Member {
    pub(super) fn new(
        url: &str,
        definition: &table::Upstream,
        workers: usize,
        now: u64,
    ) -> Result<Self, String> {
        let dial = Dial::new(url, definition)?;
        let host = field(&dial.authority)?;
        let dial = Arc::new(dial);
        let settings = Settings {
            idle: definition.idle,
            idle_timeout: definition.idle_timeout,
            silence: definition.read_timeout,
            pipeline: definition.pipeline,
            http2: definition.http2,
            scheme: dial.scheme(),
            ..Settings::default()
        };
        let pool = || Pool::new(dial.clone(), settings.clone());
        Ok(Self {
            url: url.into(),
            host,
            pools: PerWorker::new(workers, pool),
            probes: pool(),
            probing: AtomicBool::new(false),
            room: Room::new(&definition.concurrency.per_server()),
            load: CachePadded::default(),
            standing: Mutex::new(Standing::new(now)),
            plain: AtomicBool::new(true),
            counted: Mutex::default(),
        })
    }

    /// The connections of the worker that asks.
    pub(super) fn pool(&self) -> &Pool {
        self.pools.own()
    }

    pub(super) fn is_usable(&self, now: u64) -> bool {
        self.plain.load(Ordering::Relaxed) || self.standing.lock().is_usable(now)
    }

    pub(super) fn claim(&self, now: u64, definition: &table::Upstream) -> bool {
        self.plain.load(Ordering::Relaxed) || self.standing.lock().claim(now, &definition.ejection)
    }

    pub(super) fn cost(&self, now: u64, slow_start: Duration) -> u64 {
        if slow_start.is_zero() {
            return self.load.cost(now);
        }
        let handicap = self.standing.lock().handicap(now, slow_start);
        self.load.cost(now).saturating_mul(handicap)
    }

    /// Begins a try.
    pub(super) fn attempt(&self, now: u64) -> Attempt<'_> {
        self.load.begin();
        Attempt {
            member: self,
            begun: now,
        }
    }

    /// Whether that ejects it.
    fn failed(&self, asked: u64, now: u64, definition: &table::Upstream) -> bool {
        let mut standing = self.standing.lock();
        self.plain.store(false, Ordering::Relaxed);
        let ejected = standing.failed(asked, now, &definition.ejection);
        drop(standing);
        if ejected {
            tracing::warn!(server = %self.url, "a server fails and is left out for a while");
        }
        ejected
    }

    fn answered(&self, now: u64) {
        if !self.plain.load(Ordering::Relaxed) {
            let mut standing = self.standing.lock();
            standing.answered(now);
            self.plain.store(standing.is_well(), Ordering::Relaxed);
        }
    }

    /// Notes what a check has found.
    pub(super) fn checked(&self, good: bool, now: u64, rule: &Health) {
        let mut standing = self.standing.lock();
        if standing.checked(good, now, rule) {
            self.plain.store(false, Ordering::Relaxed);
            drop(standing);
            tracing::warn!(server = %self.url, healthy = good, "a server changes its state");
        }
    }

    /// It has taken `elapsed` and had not answered yet.
    pub(super) fn outrun(&self, elapsed: u64, now: u64) {
        if elapsed > self.load.latency() {
            self.load.observe(elapsed, now);
        }
    }

    /// It belongs to the upstream no more: connections that nobody uses are closed.
    pub(super) fn leave(&self) {
        self.pools.all().chain([&self.probes]).for_each(Pool::clear);
    }

    /// Closes connections that nobody has used for long.
    pub(super) fn sweep(&self) {
        self.pools.all().chain([&self.probes]).for_each(Pool::sweep);
    }

    /// Those that have shared a connection so far.
    fn pipelined(&self) -> Pipelined {
        let pools = self.pools.all().map(Pool::pipelined);
        pools.fold(Pipelined::default(), |sum, told| Pipelined {
            joined: sum.joined + told.joined,
            resent: sum.resent + told.resent,
        })
    }

    /// Counts those that have shared a connection since it was last called.
    pub(super) fn count_pipelined(&self, measures: &Measures) {
        let mut counted = self.counted.lock();
        let told = self.pipelined();
        measures.pipelined.inc_by(told.joined - counted.joined);
        measures.resent.inc_by(told.resent - counted.resent);
        *counted = told;
    }

    pub(super) fn state(&self, now: u64) -> MemberState {
        let standing = self.standing.lock();
        let pipelined = self.pipelined();
        MemberState {
            url: self.url.to_string(),
            healthy: standing.is_well(),
            ejected: standing.is_well() && !standing.is_usable(now),
            in_flight: self.load.in_flight(),
            limit: self.room.limit(),
            latency_us: self.load.latency(),
            idle_connections: self.pools.all().map(Pool::idle).sum(),
            pipelined: pipelined.joined,
            resent: pipelined.resent,
        }
    }
}

/// A try that is under way.
pub(super) struct Attempt<'a> {
    member: &'a Member,
    begun: u64,
}

impl Attempt<'_> {
    /// Notes how it has ended; whether that ejects the server.
    pub(super) fn ended(self, outcome: Outcome, now: u64, definition: &table::Upstream) -> bool {
        match outcome {
            Outcome::Answered => {
                self.member
                    .load
                    .observe(now.saturating_sub(self.begun), now);
                self.member.answered(now);
                false
            }
            Outcome::Failed => self.member.failed(self.begun, now, definition),
            Outcome::Unknown => false,
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.member.load.end();
    }
}
