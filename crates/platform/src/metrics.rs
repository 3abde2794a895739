//! Metrics in the Prometheus text format. Labels are bounded: route templates, never addresses.

mod http_cache;
mod named;
mod per_request;

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use self::http_cache::{HttpCacheLabels, HttpCacheMetrics};
use self::named::Names;
pub use self::named::{Held, Named};
pub use self::per_request::{Durations, Tally, UnderWay};

fn lags() -> Histogram {
    Histogram::new(per_request::bounds())
}

/// From 10 milliseconds to 5 minutes: what building an index may take, in seconds.
const REBUILD_SECONDS: [f64; 10] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 120.0, 300.0];

/// Labels of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RouteLabels {
    /// Who answered.
    pub role: &'static str,
    /// The template, such as `/v1/products/{id}`.
    pub route: String,
    /// The method.
    pub method: String,
}

/// Labels of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AnswerLabels {
    /// Who answered.
    pub role: &'static str,
    /// The template.
    pub route: String,
    /// The method.
    pub method: String,
    /// The status code.
    pub status: u16,
}

/// Labels of a call between services.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallLabels {
    /// The service that is called.
    pub service: &'static str,
    /// The method.
    pub method: &'static str,
    /// `local` or `remote`.
    pub path: &'static str,
}

/// Labels of something that one role does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RoleLabels {
    /// The role.
    pub role: &'static str,
}

/// Labels of an event that was handled.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ConsumerLabels {
    /// The consumer.
    pub consumer: &'static str,
    /// `handled`, `repeated`, `waits`, `failed` or `parked`.
    pub outcome: &'static str,
}

/// Labels of what a consumer does with all events.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ListenerLabels {
    /// The consumer.
    pub consumer: &'static str,
}

/// Labels of a look-up in a cache.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CacheLabels {
    /// Which cache.
    pub cache: &'static str,
    /// `hit` or `miss`.
    pub outcome: &'static str,
}

/// Labels of what an upstream of the gateway does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct UpstreamLabels {
    /// Which, by its name in the table of routes.
    pub upstream: String,
    /// `answered`, `failed`, `late`, `repeated` (sent again), `hedged` (sent to a second server as
    /// well), `hedge_won` (which answered first), `pipelined` (sent on a connection behind others),
    /// `resent` (those of them that were sent again by themselves), `refused` (no server was well),
    /// `overloaded` (no server had room) or `ejected` (a server was left out for a while).
    pub outcome: &'static str,
}

impl UpstreamLabels {
    /// All outcomes.
    pub const OUTCOMES: [&'static str; 11] = [
        "answered",
        "failed",
        "late",
        "repeated",
        "hedged",
        "hedge_won",
        "pipelined",
        "resent",
        "refused",
        "overloaded",
        "ejected",
    ];
}

/// Labels of the servers of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ServersLabels {
    /// Which, by its name in the table of routes.
    pub upstream: String,
}

/// Labels of what a rule of the gateway decides.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LimitLabels {
    /// The name of the rule.
    pub rule: String,
    /// `allowed`, `limited`, `shadowed` (would have been limited) or `error` (the counters were
    /// away).
    pub outcome: &'static str,
}

impl LimitLabels {
    /// All outcomes.
    pub const OUTCOMES: [&'static str; 4] = ["allowed", "limited", "shadowed", "error"];
}

/// Labels of handshakes of TLS that have failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct HandshakeLabels {
    /// What [`wire::tls::Reason`] says.
    pub reason: &'static str,
}

/// Labels of what is asked of Redis.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RedisLabels {
    /// Who asks: `limits`, `cache`, `gateway-cache` or `gateway-revocations`.
    pub user: &'static str,
    /// `answered`, `late`, `failed`, or `refused` (not asked, as it was away a moment ago).
    pub outcome: &'static str,
}

/// Labels of who uses Redis.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RedisUserLabels {
    /// Who asks: `limits`, `cache`, `gateway-cache` or `gateway-revocations`.
    pub user: &'static str,
}

/// What one server measures. Not global: two servers can run in one process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    names: Names,
    /// Answers by route and status.
    pub http_answers: Family<AnswerLabels, Tally>,
    /// Time from the first byte of the request to the head of the answer, in seconds.
    pub http_duration: Family<RouteLabels, Durations>,
    /// Requests that are being answered.
    pub http_in_flight: Family<RoleLabels, UnderWay>,
    /// Statements that answers cost, by route.
    pub http_statements: Family<RouteLabels, Counter>,
    /// Calls between services, in seconds.
    pub call_duration: Family<CallLabels, Durations>,
    /// Calls between services that failed with a 5xx.
    pub call_failures: Family<CallLabels, Counter>,
    /// Statements by role.
    pub db_statements: Family<RoleLabels, Counter>,
    /// Transactions by role.
    pub db_transactions: Family<RoleLabels, Counter>,
    /// Commits by role: fewer than transactions where several share one.
    pub db_commits: Family<RoleLabels, Counter>,
    /// Transactions that wait for the writer, or for a connection of the pool.
    pub db_waiting: Family<RoleLabels, Gauge>,
    /// Transactions that run: connections of the pool that are in use.
    pub db_running: Family<RoleLabels, Gauge>,
    /// Events in the outbox that were not sent yet.
    pub outbox_pending: Family<RoleLabels, Gauge>,
    /// Age of the oldest event that was not sent yet, in milliseconds.
    pub outbox_age: Family<RoleLabels, Gauge>,
    /// Events by consumer and outcome.
    pub events: Family<ConsumerLabels, Counter>,
    /// From when something happened until a consumer had handled it, in seconds.
    pub event_lag: Family<ListenerLabels, Histogram, fn() -> Histogram>,
    /// Attempts at instances of a role in other processes that came to no answer.
    pub peer_failures: Family<RoleLabels, Counter>,
    /// How often such an instance was left out for a while because it kept failing.
    pub peer_ejections: Family<RoleLabels, Counter>,
    /// What became of requests to the upstreams of the gateway, try by try.
    pub upstream: Family<UpstreamLabels, Tally>,
    /// Servers of upstreams that may be asked now.
    pub upstream_usable: Family<ServersLabels, Gauge>,
    /// Requests that may be on their way to the servers of an upstream at once.
    pub upstream_room: Family<ServersLabels, Gauge>,
    /// Look-ups by cache and outcome.
    pub cache: Family<CacheLabels, Tally>,
    /// What the rules of the gateway decide.
    pub limits: Family<LimitLabels, Tally>,
    /// Commands to Redis.
    pub redis_commands: Family<RedisLabels, Counter>,
    /// Whether Redis answers.
    pub redis_up: Family<RedisUserLabels, Gauge>,
    /// Whether everything is heard that other instances announce over Redis.
    pub redis_followed: Family<RedisUserLabels, Gauge>,
    /// What the gateway's HTTP cache tells of itself.
    pub http_cache: HttpCacheMetrics,
    /// What the search index of this process tells of itself.
    pub search: SearchMetrics,
    /// Requests refused by a limit.
    pub rate_limited: Counter,
    /// Handshakes of TLS that have failed.
    pub failed_handshakes: Family<HandshakeLabels, Counter>,
    /// Requests refused because a queue was full.
    pub shed: Counter,
}

impl Metrics {
    /// Metrics that stand at zero.
    pub fn new() -> Self {
        let metrics = Self {
            registry: Arc::new(Mutex::new(Registry::with_prefix("rialto"))),
            names: Names::default(),
            http_answers: Family::default(),
            http_duration: Family::default(),
            http_in_flight: Family::default(),
            http_statements: Family::default(),
            call_duration: Family::default(),
            call_failures: Family::default(),
            db_statements: Family::default(),
            db_transactions: Family::default(),
            db_commits: Family::default(),
            db_waiting: Family::default(),
            db_running: Family::default(),
            outbox_pending: Family::default(),
            outbox_age: Family::default(),
            events: Family::default(),
            event_lag: Family::new_with_constructor(lags),
            peer_failures: Family::default(),
            peer_ejections: Family::default(),
            upstream: Family::default(),
            upstream_usable: Family::default(),
            upstream_room: Family::default(),
            cache: Family::default(),
            limits: Family::default(),
            redis_commands: Family::default(),
            redis_up: Family::default(),
            redis_followed: Family::default(),
            http_cache: HttpCacheMetrics::default(),
            search: SearchMetrics::default(),
            rate_limited: Counter::default(),
            failed_handshakes: Family::default(),
            shed: Counter::default(),
        };
        metrics.register();
        metrics.http_cache.register(&mut metrics.registry.lock());
        metrics.search.register(&mut metrics.registry.lock());
        metrics
    }

    fn register(&self) {
        let mut registry = self.registry.lock();
        self.register_http(&mut registry);
        self.register_databases(&mut registry);
        self.register_events(&mut registry);
        self.register_calls(&mut registry);
        self.register_limits(&mut registry);
    }

    fn register_limits(&self, r: &mut Registry) {
        r.register(
            "limit_decisions",
            "What the rules decide",
            self.limits.clone(),
        );
        r.register(
            "redis_commands",
            "Commands to Redis by outcome",
            self.redis_commands.clone(),
        );
        r.register("redis_up", "Whether Redis answers", self.redis_up.clone());
        r.register(
            "redis_followed",
            "Whether all is heard that other instances announce over Redis",
            self.redis_followed.clone(),
        );
    }

    fn register_http(&self, r: &mut Registry) {
        r.register(
            "http_answers",
            "Answers by route and status",
            self.http_answers.clone(),
        );
        r.register(
            "http_duration_seconds",
            "Time to answer",
            self.http_duration.clone(),
        );
        r.register(
            "http_in_flight",
            "Requests being answered",
            self.http_in_flight.clone(),
        );
        r.register(
            "http_statements",
            "Statements by route",
            self.http_statements.clone(),
        );
        r.register("cache_lookups", "Look-ups in caches", self.cache.clone());
        r.register(
            "rate_limited",
            "Requests refused by a limit",
            self.rate_limited.clone(),
        );
        r.register(
            "tls_handshakes_failed",
            "Handshakes of TLS that have failed, by reason",
            self.failed_handshakes.clone(),
        );
        r.register(
            "shed",
            "Requests refused by a full queue",
            self.shed.clone(),
        );
    }

    fn register_databases(&self, r: &mut Registry) {
        r.register("db_statements", "Statements", self.db_statements.clone());
        r.register(
            "db_transactions",
            "Transactions",
            self.db_transactions.clone(),
        );
        r.register("db_commits", "Commits", self.db_commits.clone());
        r.register(
            "db_waiting",
            "Transactions that wait for a connection",
            self.db_waiting.clone(),
        );
        r.register(
            "db_running",
            "Transactions that run",
            self.db_running.clone(),
        );
    }

    fn register_events(&self, r: &mut Registry) {
        r.register(
            "outbox_pending",
            "Events not sent yet",
            self.outbox_pending.clone(),
        );
        r.register(
            "outbox_age_milliseconds",
            "Age of the oldest",
            self.outbox_age.clone(),
        );
        r.register(
            "events",
            "Events by consumer and outcome",
            self.events.clone(),
        );
        r.register(
            "event_lag_seconds",
            "From the event to its handling",
            self.event_lag.clone(),
        );
    }

    fn register_calls(&self, r: &mut Registry) {
        r.register(
            "call_duration_seconds",
            "Calls between services",
            self.call_duration.clone(),
        );
        r.register(
            "call_failures",
            "Calls that failed",
            self.call_failures.clone(),
        );
        r.register(
            "peer_failures",
            "Attempts at other processes without an answer",
            self.peer_failures.clone(),
        );
        r.register(
            "peer_ejections",
            "Instances that were left out for a while",
            self.peer_ejections.clone(),
        );
        r.register(
            "upstream_requests",
            "Tries to have requests answered by upstreams",
            self.upstream.clone(),
        );
        r.register(
            "upstream_usable_servers",
            "Servers of upstreams that may be asked",
            self.upstream_usable.clone(),
        );
        r.register(
            "upstream_room",
            "Requests that may be on their way to the servers of an upstream at once",
            self.upstream_room.clone(),
        );
    }

    /// What the database of `role` counts.
    pub fn db(&self, role: &'static str) -> DbMetrics {
        let labels = RoleLabels { role };
        DbMetrics {
            statements: self.db_statements.get_or_create(&labels).clone(),
            transactions: self.db_transactions.get_or_create(&labels).clone(),
            commits: self.db_commits.get_or_create(&labels).clone(),
            waiting: self.db_waiting.get_or_create(&labels).clone(),
            running: self.db_running.get_or_create(&labels).clone(),
        }
    }

    /// What `user` asks of Redis.
    pub fn redis(&self, user: &'static str) -> RedisMetrics {
        let commands = |outcome| {
            let labels = RedisLabels { user, outcome };
            self.redis_commands.get_or_create(&labels).clone()
        };
        RedisMetrics {
            answered: commands("answered"),
            late: commands("late"),
            failed: commands("failed"),
            refused: commands("refused"),
            up: self
                .redis_up
                .get_or_create(&RedisUserLabels { user })
                .clone(),
        }
    }

    /// Whether `user` hears what other instances announce over Redis.
    pub fn redis_followed(&self, user: &'static str) -> Gauge {
        self.redis_followed
            .get_or_create(&RedisUserLabels { user })
            .clone()
    }

    /// Everything, as the text that Prometheus reads.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry.lock())
            .expect("writing to a string cannot fail");
        process_metrics(&mut text);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// What a search index tells of itself.
#[derive(Debug, Clone)]
pub struct SearchMetrics {
    /// Documents that can be found.
    pub documents: Gauge,
    /// Age of the oldest change that cannot be found yet, in milliseconds.
    pub lag: Gauge,
    /// Time to build the index anew, in seconds.
    pub rebuild: Histogram,
}

impl SearchMetrics {
    fn register(&self, r: &mut Registry) {
        r.register(
            "search_documents",
            "Documents that can be found",
            self.documents.clone(),
        );
        r.register(
            "search_lag_milliseconds",
            "Age of the oldest change that cannot be found yet",
            self.lag.clone(),
        );
        r.register(
            "search_rebuild_seconds",
            "Time to build the search index anew",
            self.rebuild.clone(),
        );
    }
}

impl Default for SearchMetrics {
    fn default() -> Self {
        Self {
            documents: Gauge::default(),
            lag: Gauge::default(),
            rebuild: Histogram::new(REBUILD_SECONDS),
        }
    }
}

/// What one user of Redis counts.
#[derive(Debug, Clone, Default)]
pub struct RedisMetrics {
    /// Commands that were answered.
    pub answered: Counter,
    /// Commands whose answer did not come in time.
    pub late: Counter,
    /// Commands that failed.
    pub failed: Counter,
    /// Commands that were not sent, as Redis was away a moment ago.
    pub refused: Counter,
    /// 1 while it answers.
    pub up: Gauge,
}

/// What one database counts.
#[derive(Debug, Clone, Default)]
pub struct DbMetrics {
    /// Statements.
    pub statements: Counter,
    /// Transactions.
    pub transactions: Counter,
    /// Commits.
    pub commits: Counter,
    /// Transactions that wait for a connection.
    pub waiting: Gauge,
    /// Transactions that run.
    pub running: Gauge,
}

impl DbMetrics {
    /// A transaction that waits for a connection, until it [runs](Stage::runs) or is given up.
    pub(crate) fn transaction(&self) -> Stage {
        self.transactions.inc();
        Stage::of(&self.waiting)
    }
}

/// How far a transaction is: counts it where it is, and nowhere once it is dropped.
#[derive(Debug)]
pub(crate) struct Stage(Gauge);

impl Stage {
    fn of(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }

    /// It has its connection.
    pub(crate) fn runs(self, metrics: &DbMetrics) -> Self {
        Self::of(&metrics.running)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Processor time and memory of this process, where `/proc` tells.
fn process_metrics(text: &mut String) {
    let end = text.rfind("# EOF").unwrap_or(text.len());
    text.truncate(end);
    let mut gauge = |name: &str, help: &str, kind: &str, value: String| {
        text.push_str(&format!(
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"
        ));
    };
    if let Some((ticks, pages)) = process_usage() {
        // Linux counts processor time in hundredths of a second and memory in pages of 4 KiB.
        let cpu = format!("{}.{:02}", ticks / 100, ticks % 100);
        gauge(
            "process_cpu_seconds_total",
            "Processor time",
            "counter",
            cpu,
        );
        let resident = (pages * 4096).to_string();
        gauge(
            "process_resident_memory_bytes",
            "Resident memory",
            "gauge",
            resident,
        );
    }
    text.push_str("# EOF\n");
}

fn process_usage() -> Option<(u64, u64)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some((ticks, fields.get(21)?.parse().ok()?))
}
