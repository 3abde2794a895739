//! How many requests of a route are answered at once. A few more may wait for a moment; what is
//! too much even for that is refused at once.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wire::{Body, BoxError};

use crate::table::AtOnce;

/// The places of a route; they outlive tables that say the same of it.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) settings: AtOnce,
    /// Who is answered or waits. Those who wait are not counted by themselves: who has been given a
    /// place would count as waiting until it runs again, and keep out who may wait now.
    inside: Arc<Semaphore>,
    free: Arc<Semaphore>,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _inside: OwnedSemaphorePermit,
    _free: OwnedSemaphorePermit,
}

impl Places {
    pub(crate) fn new(settings: AtOnce) -> Self {
        let (max, queue) = (settings.max as usize, settings.queue as usize);
        Self {
            settings,
            inside: Arc::new(Semaphore::new(max + queue)),
            free: Arc::new(Semaphore::new(max)),
        }
    }

    /// A place, once there is one; `None` if too many wait already, or it takes too long. Who has
    /// waited longest comes first.
    pub(super) async fn enter(&self) -> Option<Place> {
        let inside = self.inside.clone().try_acquire_owned().ok()?;
        let free = match self.free.clone().try_acquire_owned() {
            Ok(free) => free,
            Err(_) => {
                let free = self.free.clone().acquire_owned();
                tokio::time::timeout(self.settings.wait, free)
                    .await
                    .ok()?
                    .ok()?
            }
        };
        Some(Place {
            _inside: inside,
            _free: free,
        })
    }
}

/// Keeps `place` until `body` has been sent; what is here as a whole is as good as sent.
pub(super) fn keep(body: Body, place: Place) -> Body {
    if body.whole().is_some() {
        return body;
    }
    Body::new(Kept {
        body,
        _place: place,
    })
}

struct Kept {
    body: Body,
    _place: Place,
}

impl http_body::Body for Kept {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn few_wait_and_not_for_long() {
        let wait = Duration::from_millis(100);
        let places = Places::new(AtOnce {
            max: 1,
            queue: 1,
            wait,
        });
        let first = places.enter().await.expect("a place");
        let mut second = Box::pin(places.enter());
        assert!((&mut second).now_or_never().is_none(), "it waits");
        let third = places.enter().now_or_never().expect("nobody else may wait");
        assert!(third.is_none());
        drop(first);
        let mut third = Box::pin(places.enter());
        let waits = (&mut third).now_or_never().is_none();
        assert!(waits, "the second has a place, even if it does not know");
        drop(third);
        let second = second.await.expect("it was free in time");
        let begun = tokio::time::Instant::now();
        assert!(places.enter().await.is_none(), "it was not");
        assert_eq!(begun.elapsed(), wait);
        drop(second);
        assert!(places.enter().await.is_some());
    }
}
