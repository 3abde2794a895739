//! A body that somebody else sends: how far that has come, for whoever is to blame when no answer comes.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use http::Response;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Asking, ExchangeError};
use crate::body::{Body, BoxError};
use crate::deadline::in_time;
use crate::turn;

/// How far a body has come.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    /// Nobody has asked for any of it.
    #[default]
    Unread,
    /// The last part has come then.
    Moved(Instant),
    /// The next part of it has not come; the last one, if there was one, then.
    Awaited(Option<Instant>),
    /// It broke off.
    Broken(BoxError),
}

impl Progress {
    /// The body, watched, if all of it is not here already.
    pub(super) fn watch(&self, body: Body) -> Body {
        if body.whole().is_some() {
            return body;
        }
        let progress = self.clone();
        body.through(move |polled| {
            let mut state = progress.0.lock();
            let (now, polled) = match polled {
                Poll::Pending => (State::Awaited(state.moved()), Poll::Pending),
                Poll::Ready(Some(Err(error))) => {
                    let told = error.to_string().into();
                    (State::Broken(error), Poll::Ready(Some(Err(told))))
                }
                moved => (State::Moved(turn::now()), moved),
            };
            *state = now;
            polled
        })
    }

    /// What `exchange` comes to in the time that the server has, which begins anew with each part of the
    /// body.
    pub(super) async fn within(
        &self,
        asking: Asking<'_>,
        exchange: impl Future<Output = Result<Response<Body>, ExchangeError>>,
    ) -> Result<Response<Body>, ExchangeError> {
        let ends = || {
            let moved = self.0.lock().moved();
            moved.map_or(asking.ends, |moved| asking.ends.max(moved + asking.limit()))
        };
        let done = in_time(ends, pin!(exchange)).await;
        done.unwrap_or(Err(ExchangeError::Slow))
    }

    /// Who is to blame for `error`: the server, unless it has not got all of the body.
    pub(super) fn blame(&self, error: ExchangeError) -> ExchangeError {
        match std::mem::take(&mut *self.0.lock()) {
            State::Awaited(_) if matches!(error, ExchangeError::Slow) => ExchangeError::Unsent,
            State::Broken(why) => ExchangeError::Request(why),
            _ => error,
        }
    }
}

impl State {
    /// When the last part has come.
    fn moved(&self) -> Option<Instant> {
        match self {
            Self::Moved(then) => Some(*then),
            Self::Awaited(then) => *then,
            Self::Unread | Self::Broken(_) => None,
        }
    }
}
