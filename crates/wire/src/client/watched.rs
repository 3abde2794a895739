//! A body on its way, by somebody else's hands: what becomes of it, for whoever is to blame when no answer
//! comes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;

use super::ExchangeError;
use crate::body::{Body, BoxError};

/// What has become of a body.
#[derive(Debug, Clone, Default)]
pub(super) struct Fate(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Here,
    /// The next part of it has not come.
    Awaited,
    /// It broke off.
    Broken(BoxError),
}

impl Fate {
    /// The body, watched, if all of it is not here already.
    pub(super) fn watch(&self, body: Body) -> Body {
        if body.whole().is_some() {
            return body;
        }
        let fate = self.clone();
        Body::new(Watched { body, fate })
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

struct Watched {
    body: Body,
    fate: Fate,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let (state, polled) = match polled {
            Poll::Pending => (State::Awaited, Poll::Pending),
            Poll::Ready(Some(Err(error))) => {
                let told = error.to_string().into();
                (State::Broken(error), Poll::Ready(Some(Err(told))))
            }
            ready => (State::Here, ready),
        };
        *self.fate.0.lock() = state;
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
