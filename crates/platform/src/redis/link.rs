//! One connection that comes to be when it is needed, and again when it is lost.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError};
use tokio::task::AbortHandle;

use super::url::RedisUrl;

/// How long connecting may take. Commands do not wait that long.
const CONNECT: Duration = Duration::from_secs(1);
/// Commands that may be under way on one connection; more wait for room, within their deadline.
const UNDER_WAY: usize = 4096;

pub(super) struct Link {
    client: Result<Client, RedisError>,
    state: Mutex<State>,
}

enum State {
    Idle,
    Connecting(Connecting, AbortHandle),
    Up(MultiplexedConnection, u64),
}

/// A number tells one connection from the one before.
type Connected = Result<(MultiplexedConnection, u64), RedisError>;
type Connecting = Shared<BoxFuture<'static, Connected>>;

impl Link {
    pub(super) fn new(url: &RedisUrl) -> Self {
        Self {
            client: Client::open(url.info().clone()),
            state: Mutex::new(State::Idle),
        }
    }

    /// The answer to `command`. One that met a connection which had been lost unnoticed, as idle
    /// ones are, has another try.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let (connection, number) = self.connection().await?;
        match command.query_async(&mut { connection }).await {
            Err(error) if error.is_unrecoverable_error() => self.forget(number),
            answer => return answer,
        }
        let (connection, number) = self.connection().await?;
        let answer = command.query_async(&mut { connection }).await;
        if matches!(&answer, Err(error) if error.is_unrecoverable_error()) {
            self.forget(number);
        }
        answer
    }

    /// Connects anew for the next command; what is being connected goes on.
    pub(super) fn cut(&self) {
        let mut state = self.state.lock();
        if matches!(*state, State::Up(..)) {
            *state = State::Idle;
        }
    }

    fn forget(&self, lost: u64) {
        let mut state = self.state.lock();
        if matches!(*state, State::Up(_, number) if number == lost) {
            *state = State::Idle;
        }
    }

    async fn connection(&self) -> Connected {
        let connecting = {
            let mut state = self.state.lock();
            match &*state {
                State::Up(connection, number) => return Ok((connection.clone(), *number)),
                // Failed while nobody waited: old news.
                State::Connecting(connecting, _) if !matches!(connecting.peek(), Some(Err(_))) => {
                    connecting.clone()
                }
                _ => {
                    let (connecting, task) = self.connect()?;
                    *state = State::Connecting(connecting.clone(), task);
                    connecting
                }
            }
        };
        let made = connecting.clone().await;
        let mut state = self.state.lock();
        if matches!(&*state, State::Connecting(mine, _) if mine.ptr_eq(&connecting)) {
            *state = match &made {
                Ok((connection, number)) => State::Up(connection.clone(), *number),
                Err(_) => State::Idle,
            };
        }
        made
    }

    fn connect(&self) -> Result<(Connecting, AbortHandle), RedisError> {
        static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let client = self.client.clone()?;
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(None)
            .set_concurrency_limit(UNDER_WAY);
        let made = async move {
            let made = client
                .get_multiplexed_async_connection_with_config(&config)
                .await;
            made.map(|connection| (connection, number))
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "ends within CONNECT, or with this link"
        )]
        let task = tokio::spawn(made);
        let abort = task.abort_handle();
        let ended = |_| RedisError::from((ErrorKind::Io, "connecting was given up"));
        let made = task.map(move |made| made.map_err(ended).flatten());
        Ok((made.boxed().shared(), abort))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let State::Connecting(_, task) = self.state.get_mut() {
            task.abort();
        }
    }
}
