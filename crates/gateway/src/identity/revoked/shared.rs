//! What all instances have revoked, in Redis: kept there for those that start later, announced to
//! those that are there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kernel::{Sources, Timestamp};
use platform::cache::CacheUrl;
use platform::metrics::Metrics;
use platform::redis::{Away, Channel, Cmd, Connection, Follower, Redis, RedisSettings, Script};
use platform::tasks::Shutdown;
use tokio::sync::SetOnce;
use tokio::time::timeout;

use super::{Full, Record, Revocation, Revocations, RevokeError};

/// Everything that was revoked, with its times. The part in braces keeps both on one node.
const ALL: &str = "{rialto:revoked}:all";
/// When each can be forgotten, in milliseconds of the server's clock.
const UNTIL: &str = "{rialto:revoked}:until";
/// Where it is announced.
const CHANNEL: &str = "rialto:revoked";
/// How long Redis may take to keep a revocation, and to tell an instance that begins of those that it keeps.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often everything is read although nothing was missed, and what Redis has lost given back.
const AGAIN: Duration = Duration::from_secs(60);
/// How many revocations are read, or written, at once.
const BATCH: usize = 500;

/// Keeps and announces revocations; answers for how many of them there was no room. The first two
/// arguments are how many are kept, and the channel; then come four for each: what it is about, its
/// two times, and for how many milliseconds it matters. What was kept of it before goes on counting;
/// what changes nothing of that is no news, so that all instances can give the same back.
const REVOKE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
repeat
    local past = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 1000)
    if #past > 0 then
        redis.call('HDEL', KEYS[1], unpack(past))
        redis.call('ZREM', KEYS[2], unpack(past))
    end
until #past < 1000
local refused = 0
for i = 3, #ARGV, 4 do
    local field, before, till = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    local known = redis.call('HGET', KEYS[1], field)
    if not known and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[1]) then
        refused = refused + 1
    else
        if known then
            local b, t = string.match(known, '^(%-?%d+) (%-?%d+)$')
            if b and tonumber(b) > tonumber(before) then before = b end
            if t and tonumber(t) > tonumber(till) then till = t end
        end
        local times = before .. ' ' .. till
        if times ~= known then
            redis.call('PUBLISH', ARGV[2], times .. ' ' .. field)
            redis.call('HSET', KEYS[1], field, times)
        end
        redis.call('ZADD', KEYS[2], 'GT', now + tonumber(ARGV[i + 3]), field)
    end
end
local last = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if last[2] then
    local forget = string.format('%.0f', last[2])
    redis.call('PEXPIREAT', KEYS[1], forget)
    redis.call('PEXPIREAT', KEYS[2], forget)
end
return refused
";

/// What this instance shares with the others. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct SharedRevocations(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    own: Arc<Revocations>,
    capacity: usize,
    sources: Sources,
    redis: Redis,
    channel: Channel,
    revoke: Script,
    /// The number of the present reading.
    reading: AtomicU64,
    /// Whether everything was read once.
    read: SetOnce<()>,
    again: Duration,
}

impl SharedRevocations {
    /// Shares `own` with the other instances at `url`; nothing where each is for itself.
    pub(crate) fn at(
        url: &CacheUrl,
        own: &Arc<Revocations>,
        sources: &Sources,
        metrics: &Metrics,
    ) -> Option<Self> {
        const USER: &str = "gateway-revocations";
        let CacheUrl::Redis(url) = url else {
            return None;
        };
        let settings = RedisSettings {
            timeout: PATIENCE,
            connections: 1,
            ..RedisSettings::new(url.clone())
        };
        let followed = metrics.redis_followed(USER);
        Some(Self(Arc::new(Inner {
            own: own.clone(),
            capacity: own.capacity,
            sources: sources.clone(),
            redis: Redis::new(&settings, metrics.redis(USER)),
            channel: Channel::new(url, CHANNEL, sources.clone(), followed),
            revoke: Script::new(REVOKE),
            reading: AtomicU64::new(1),
            read: SetOnce::new(),
            again: AGAIN,
        })))
    }

    /// Revokes in this instance, and then in all.
    pub(crate) async fn revoke(
        &self,
        source: &str,
        what: Revocation<'_>,
        until: Timestamp,
    ) -> Result<(), RevokeError> {
        let inner = &*self.0;
        let records = [inner.own.revoke(source, what, until)?];
        let fill = inner.filling(&records);
        let refused = inner.redis.script::<usize>(&inner.revoke, 2, fill).await;
        match refused {
            Ok(0) => Ok(()),
            Ok(_) => Err(RevokeError::NoRoomToShare),
            Err(away) => Err(RevokeError::Unshared(away)),
        }
    }

    /// Whether everything was read once that others had revoked before this instance began.
    pub(crate) fn read(&self) -> bool {
        self.0.read.initialized()
    }

    /// Waits until it was, but not for a Redis that is away: then an instance does without.
    pub(crate) async fn first_read(&self) {
        if timeout(PATIENCE, self.0.read.wait()).await.is_err() {
            tracing::warn!("what other instances have revoked counts once Redis tells of it");
        }
    }

    /// Hears what others revoke, until `shutdown` begins.
    pub(crate) async fn follow(&self, shutdown: &Shutdown) {
        self.0.channel.follow(&*self.0, shutdown).await;
    }
}

impl Inner {
    fn filling(&self, records: &[Record]) -> impl Fn(&mut Cmd) {
        let now = self.sources.now();
        move |command| {
            command.arg(ALL).arg(UNTIL);
            command.arg(self.capacity).arg(self.channel.name());
            for record in records {
                let keep = record.until.since(now).as_millis();
                let keep = u64::try_from(keep).unwrap_or(u64::MAX >> 16);
                command.arg(record.field());
                command
                    .arg(record.before.micros())
                    .arg(record.until.micros());
                command.arg(keep.max(1));
            }
        }
    }

    fn learn(&self, record: Option<Record>, reading: u64) {
        let learnt = match &record {
            Some(record) => self.own.learn(record, reading),
            None => {
                tracing::warn!("a revocation of another instance cannot be read");
                return;
            }
        };
        if learnt == Err(Full) {
            tracing::error!("there is no room for a revocation of another instance");
        }
    }

    async fn read_all(&self, connection: &Connection, reading: u64) -> Result<(), Away> {
        let mut cursor = 0;
        loop {
            let mut scan = Cmd::new();
            scan.arg("HSCAN").arg(ALL).arg(cursor);
            scan.arg("COUNT").arg(BATCH);
            let (next, found): (u64, Vec<Vec<u8>>) = connection.command(&scan).await?;
            for pair in found.chunks_exact(2) {
                self.learn(Record::read(&pair[0], &pair[1]), reading);
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// Gives back what Redis does not have, or not as this instance has it: it may have lost it, or
    /// was away when it should have taken it.
    async fn give_back(&self, connection: &Connection, reading: u64) -> Result<(), Away> {
        let (mut given, mut refused) = (0, 0);
        loop {
            let missed = self.own.missed_by(reading, BATCH);
            if missed.is_empty() {
                break;
            }
            let fill = self.filling(&missed);
            refused += connection.script::<usize>(&self.revoke, 2, fill).await?;
            given += missed.len();
            for record in missed {
                self.learn(Some(record), reading);
            }
        }
        if given > 0 {
            tracing::info!(
                given,
                refused,
                "Redis was given revocations that it had not"
            );
        }
        Ok(())
    }
}

impl Follower for Inner {
    fn catch_up<'a>(&'a self, connection: &'a Connection) -> BoxFuture<'a, Result<(), Away>> {
        async move {
            let reading = self.reading.fetch_add(1, Ordering::Relaxed) + 1;
            self.read_all(connection, reading).await?;
            // Each time but the first it is set already.
            let _ = self.read.set(());
            self.give_back(connection, reading).await
        }
        .boxed()
    }

    fn heard(&self, announcement: &[u8]) {
        let reading = self.reading.load(Ordering::Relaxed);
        self.learn(Record::announced(announcement), reading);
    }

    fn again(&self) -> Option<Duration> {
        Some(self.again)
    }
}

#[cfg(test)]
mod tests;
