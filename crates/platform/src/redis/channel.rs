//! A channel of announcements: whoever follows it hears everything that is announced there, or is
//! told that it may have missed something, and catches up.

use std::fmt;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use kernel::Sources;
use prometheus_client::metrics::gauge::Gauge;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, ProtocolVersion, PushInfo,
    PushKind, RedisError, Value,
};
use tokio::sync::broadcast::{self, Receiver, error::RecvError};

use super::url::RedisUrl;
use super::{Away, Script};
use crate::tasks::Shutdown;

/// Announcements that may wait for whoever follows; of more it catches up instead.
const WAITING: usize = 1024;
/// How long connecting, and any answer on the connection, may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long nothing may be heard before the server is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(5);
/// How long to wait before connecting anew; twice as long after each attempt in vain.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Who follows a channel.
pub trait Follower: Send + Sync {
    /// From now on everything is heard that is announced; what was announced before may have been
    /// missed. Makes up for that. What is announced meanwhile is heard afterwards. Fails with the
    /// connection, and is called again on the next one.
    fn catch_up<'a>(&'a self, connection: &'a Connection) -> BoxFuture<'a, Result<(), Away>>;

    /// Something was announced.
    fn heard(&self, announcement: &[u8]);

    /// How long to listen before catching up anew although nothing was missed; never by default.
    fn again(&self) -> Option<Duration> {
        None
    }
}

/// A channel of a Redis server.
pub struct Channel {
    url: RedisUrl,
    name: String,
    sources: Sources,
    followed: Gauge,
}

impl Channel {
    /// The [channel](RedisUrl::channel) of this name; `followed` is 1 while everything on it is heard.
    pub fn new(url: &RedisUrl, name: &str, sources: Sources, followed: Gauge) -> Self {
        followed.set(0);
        Self {
            url: url.clone(),
            name: url.channel(name),
            sources,
            followed,
        }
    }

    /// Its whole name, for those who announce something.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Follows the channel until `shutdown` begins; comes back to it by itself whenever it is lost.
    pub async fn follow(&self, follower: &dyn Follower, shutdown: &Shutdown) {
        let mut standing = Standing::default();
        let mut pause = FIRST_PAUSE;
        loop {
            let lost = tokio::select! {
                () = shutdown.requested() => break,
                lost = self.attend(follower, &mut standing) => lost,
            };
            self.followed.set(0);
            if !std::mem::replace(&mut standing.away, true) {
                tracing::warn!(
                    redis = %self.url, channel = %self.name, error = %lost,
                    "what other instances announce is not heard"
                );
            }
            // A server that takes everybody in and loses them at once is no reason to hurry.
            let since = standing.since.take();
            if since.is_some_and(|since| since.elapsed() >= LONGEST_PAUSE) {
                pause = FIRST_PAUSE;
            }
            if !shutdown.sleep(self.spread(pause)).await {
                break;
            }
            pause = LONGEST_PAUSE.min(pause * 2);
        }
        self.followed.set(0);
    }

    /// From half of `pause` to all of it: not everybody comes back at once.
    fn spread(&self, pause: Duration) -> Duration {
        let chance = u32::from(u16::from_le_bytes(self.sources.random()));
        pause / 2 + pause / 2 * chance / u32::from(u16::MAX)
    }

    /// One connection, from its beginning to its end.
    async fn attend(&self, follower: &dyn Follower, standing: &mut Standing) -> Away {
        let (connection, mut announcements) = match self.subscribe().await {
            Ok(subscribed) => subscribed,
            Err(away) => return away,
        };
        loop {
            if let Err(away) = follower.catch_up(&connection).await {
                return away;
            }
            self.followed.set(1);
            standing.since.get_or_insert_with(Instant::now);
            if std::mem::take(&mut standing.away) {
                tracing::info!(
                    redis = %self.url, channel = %self.name,
                    "what other instances announce is heard again"
                );
            }
            if let Err(away) = listen(&connection, &mut announcements, follower).await {
                return away;
            }
        }
    }

    async fn subscribe(&self) -> Result<(Connection, Receiver<PushInfo>), Away> {
        let (sender, announcements) = broadcast::channel(WAITING);
        let info = self.url.info();
        // The one protocol in which announcements and answers share a connection.
        let settings = info.redis_settings().clone();
        let settings = settings.set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(info.clone().set_redis_settings(settings));
        let client = client.map_err(Away::Failed)?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(None)
            .set_push_sender(sender);
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        let mut connection = Connection(patiently(connecting).await?);
        patiently(connection.0.subscribe(&self.name)).await?;
        Ok((connection, announcements))
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({} at {})", self.name, self.url)
    }
}

/// How it goes, from one connection to the next.
#[derive(Debug, Default)]
struct Standing {
    /// Whether the loss was told, and the return was not.
    away: bool,
    /// Since when the present connection is followed.
    since: Option<Instant>,
}

/// Passes on what is announced; ends well when it is time to catch up, as some of it was missed or
/// the follower wants to.
async fn listen(
    connection: &Connection,
    announcements: &mut Receiver<PushInfo>,
    follower: &dyn Follower,
) -> Result<(), Away> {
    let again = follower.again();
    let again = again.map(|again| tokio::time::Instant::now() + again);
    loop {
        let silence = tokio::time::Instant::now() + SILENCE;
        let pause = again.map_or(silence, |again| again.min(silence));
        let Ok(next) = tokio::time::timeout_at(pause, announcements.recv()).await else {
            if pause < silence {
                return Ok(());
            }
            connection.command::<Value>(&redis::cmd("PING")).await?;
            continue;
        };
        match next {
            Ok(push) if push.kind == PushKind::Message => {
                if let Some(Value::BulkString(announcement)) = push.data.get(1) {
                    follower.heard(announcement);
                }
            }
            Ok(push) if push.kind != PushKind::Disconnection => {}
            Err(RecvError::Lagged(_)) => return Ok(()),
            Ok(_) | Err(RecvError::Closed) => {
                let lost = RedisError::from((ErrorKind::Io, "the connection was lost"));
                return Err(Away::Failed(lost));
            }
        }
    }
}

/// The connection over which a channel is followed, for commands of whoever follows it.
pub struct Connection(MultiplexedConnection);

impl Connection {
    /// The answer to one command.
    pub async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Away> {
        patiently(command.query_async(&mut self.0.clone())).await
    }

    /// The answer of a script with so many keys. `fill` adds keys, then arguments.
    pub async fn script<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: usize,
        fill: impl Fn(&mut Cmd),
    ) -> Result<T, Away> {
        match self.command(&script.by_hash(keys, &fill)).await {
            Err(Away::Failed(error)) if Script::is_unknown(&error) => {
                self.command(&script.by_text(keys, &fill)).await
            }
            answer => answer,
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

async fn patiently<T>(answer: impl Future<Output = Result<T, RedisError>>) -> Result<T, Away> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(Away::Failed),
        Err(_) => Err(Away::Late(PATIENCE)),
    }
}
