//! Redis (or Valkey): commands with a deadline over few multiplexed connections, and a breaker, so
//! that a server that is away costs nobody the deadline again and again.
//!
//! Nothing connects before the first command. A connection is made by a task beside the commands:
//! one that waits too long gives up, the connection comes to be all the same. Those who ask must
//! be able to go on without an answer: everything here may be [`Away`].

mod breaker;
mod channel;
mod link;
mod url;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
pub use redis::{Cmd, FromRedisValue};
use redis::{ErrorKind, RedisError, ServerErrorKind};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use wire::workers::PerWorker;

use self::breaker::{Admission, Breaker};
pub use self::channel::{Channel, Connection, Follower};
use self::link::Link;
pub use self::url::{InvalidRedisUrl, RedisUrl};
use crate::metrics::RedisMetrics;

/// How long a command may take unless somebody says otherwise: several times what a server nearby
/// needs, and short enough to go on without it unnoticed.
pub const TIMEOUT: Duration = Duration::from_millis(20);

/// Where Redis is, and how patient to be with it.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// Where it is.
    pub url: RedisUrl,
    /// How long a command may take, connecting included.
    pub timeout: Duration,
    /// Connections; callers on the same worker thread share one.
    pub connections: usize,
}

impl RedisSettings {
    /// The usual patience, and two connections.
    pub fn new(url: RedisUrl) -> Self {
        Self {
            url,
            timeout: TIMEOUT,
            connections: 2,
        }
    }
}

/// There is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Away {
    /// Not even asked: it did not answer others a moment ago.
    #[error("Redis was away a moment ago and is not asked again yet")]
    Refused,
    /// It took too long. What was asked may be done all the same.
    #[error("Redis did not answer within {0:?}")]
    Late(Duration),
    /// It, or the connection, said no.
    #[error("Redis failed: {0}")]
    Failed(RedisError),
}

/// A Lua script, which the server knows by its hash once it has run.
#[derive(Debug)]
pub struct Script {
    text: &'static str,
    hash: String,
}

impl Script {
    /// The script that `text` holds.
    pub fn new(text: &'static str) -> Self {
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        let hash = hash.as_ref().iter().map(|byte| format!("{byte:02x}"));
        Self {
            text,
            hash: hash.collect(),
        }
    }

    /// Runs it where the server knows it.
    fn by_hash(&self, keys: usize, fill: &impl Fn(&mut Cmd)) -> Cmd {
        Self::run("EVALSHA", &self.hash, keys, fill)
    }

    /// Runs it, and lets the server know it.
    fn by_text(&self, keys: usize, fill: &impl Fn(&mut Cmd)) -> Cmd {
        Self::run("EVAL", self.text, keys, fill)
    }

    fn run(how: &str, script: &str, keys: usize, fill: &impl Fn(&mut Cmd)) -> Cmd {
        let mut command = redis::cmd(how);
        command.arg(script).arg(keys);
        fill(&mut command);
        command
    }

    /// Whether the server only did not know the script.
    fn is_unknown(error: &RedisError) -> bool {
        error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
    }
}

/// A Redis server. Cheap to clone; the connections close with the last clone.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    url: RedisUrl,
    timeout: Duration,
    links: PerWorker<Link>,
    breaker: Mutex<Breaker>,
    metrics: RedisMetrics,
}

impl Redis {
    /// The server of `settings`, which is not asked yet.
    pub fn new(settings: &RedisSettings, metrics: RedisMetrics) -> Self {
        metrics.up.set(1);
        Self(Arc::new(Inner {
            url: settings.url.clone(),
            timeout: settings.timeout,
            links: PerWorker::new(settings.connections, || Link::new(&settings.url)),
            breaker: Mutex::new(Breaker::new()),
            metrics,
        }))
    }

    /// Whether commands are sent: it has not failed of late, or nobody has asked yet.
    pub fn is_up(&self) -> bool {
        self.0.breaker.lock().is_closed()
    }

    /// The answer to one command.
    pub async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Away> {
        self.guarded(|link| async move { link.ask(command).await })
            .await
    }

    /// The answer of a script with so many keys. `fill` adds keys, then arguments. One round trip,
    /// or two where the server does not know the script yet.
    pub async fn script<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: usize,
        fill: impl Fn(&mut Cmd),
    ) -> Result<T, Away> {
        let known = script.by_hash(keys, &fill);
        let (known, fill) = (&known, &fill);
        self.guarded(|link| async move {
            match link.ask(known).await {
                Err(error) if Script::is_unknown(&error) => {
                    link.ask(&script.by_text(keys, fill)).await
                }
                answer => answer,
            }
        })
        .await
    }

    async fn guarded<'a, T, F>(&'a self, ask: impl FnOnce(&'a Link) -> F) -> Result<T, Away>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let inner = &*self.0;
        let admitted = inner.breaker.lock().admit(Instant::now());
        if admitted == Admission::Refused {
            inner.metrics.refused.inc();
            return Err(Away::Refused);
        }
        let verdict = Verdict {
            inner,
            probe: admitted == Admission::Probe,
            given: false,
        };
        let asking = ask(inner.links.own());
        let answer = match tokio::time::timeout(inner.timeout, asking).await {
            Ok(answer) => answer.map_err(Away::Failed),
            Err(_) => Err(Away::Late(inner.timeout)),
        };
        verdict.give(answer.as_ref().err());
        answer
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redis({})", self.0.url)
    }
}

/// What becomes of a command, told to the breaker; a probe that nobody waits for any longer has
/// failed.
struct Verdict<'a> {
    inner: &'a Inner,
    probe: bool,
    given: bool,
}

impl Verdict<'_> {
    fn give(mut self, failure: Option<&Away>) {
        self.given = true;
        let inner = self.inner;
        match failure {
            None => inner.metrics.answered.inc(),
            Some(Away::Late(_)) => inner.metrics.late.inc(),
            Some(_) => inner.metrics.failed.inc(),
        };
        match failure.filter(|failure| concerns_all(failure)) {
            None => {
                if inner.breaker.lock().succeeded(self.probe) {
                    inner.metrics.up.set(1);
                    tracing::info!(redis = %inner.url, "Redis is back");
                }
            }
            Some(failure) => self.failed(failure),
        }
    }

    fn failed(&self, failure: &dyn fmt::Display) {
        let inner = self.inner;
        let opened = inner.breaker.lock().failed(Instant::now(), self.probe);
        if opened {
            inner.metrics.up.set(0);
            tracing::warn!(redis = %inner.url, error = %failure, "Redis is away");
        }
        if opened || self.probe {
            // They may lead to a server that is no more, or is not the one that takes writes.
            inner.links.all().for_each(Link::cut);
        }
    }
}

impl Drop for Verdict<'_> {
    fn drop(&mut self) {
        if self.probe && !self.given {
            self.failed(&"nobody waited for the answer");
        }
    }
}

/// Whether the next command would fare no better. An answer that concerns one key would.
fn concerns_all(failure: &Away) -> bool {
    let Away::Failed(error) = failure else {
        return true;
    };
    match error.kind() {
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::BusyLoading
                | ServerErrorKind::ReadOnly
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ClusterDown
        ),
        ErrorKind::Extension | ErrorKind::UnexpectedReturnType => false,
        _ => true,
    }
}
