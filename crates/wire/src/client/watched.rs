//! A body that somebody else sends: how far that has come, for whoever is to blame when no answer comes.

use std::sync::Arc;
use std::task::Poll;

use parking_lot::Mutex;

use super::ExchangeError;
use crate::body::{Body, BoxError};

/// How far a body has come.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Moving,
    /// The next part of it has not come.
    Awaited,
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
            let (state, polled) = match polled {
                Poll::Pending => (State::Awaited, Poll::Pending),
                Poll::Ready(Some(Err(error))) => {
                    let told = error.to_string().into();
                    (State::Broken(error), Poll::Ready(Some(Err(told))))
                }
                moved => (State::Moving, moved),
            };
            *progress.0.lock() = state;
            polled
        })
    }

    /// Who is to blame for `error`: the server, unless it has not got all of the body.
    pub(super) fn blame(&self, error: ExchangeError) -> ExchangeError {
        match std::mem::take(&mut *self.0.lock()) {
            State::Awaited if matches!(error, ExchangeError::Slow) => ExchangeError::Unsent,
            State::Broken(why) => ExchangeError::Request(why),
            _ => error,
        }
    }
}
