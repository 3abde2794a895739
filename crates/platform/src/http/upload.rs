//! Bodies of requests that are not here yet: sending one takes a client the time that it takes.
//!
//! The time for an answer is for those who work on it. So each part of a body that comes lets it begin
//! anew, as long as the client has sent so much a second on the average: who sends less has no more
//! than what is worth that rate on top (as `body=20,MinRate=500` of Apache's `mod_reqtimeout`). Who
//! sends nothing any more is over with the usual time, and holds nobody up.

use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use http::Request;
use wire::{Body, turn};

use crate::context::RequestContext;

/// Lets the body of a request put off its deadline, if all of it is not here: `rate` bytes count for a
/// second; with 0, nothing is put off.
pub(super) fn watch(
    request: &mut Request<Body>,
    context: &Arc<RequestContext>,
    begun: Instant,
    rate: usize,
) {
    if request.body().whole().is_some() {
        return;
    }
    let body = std::mem::take(request.body_mut());
    let (context, mut received) = (context.clone(), 0_u64);
    *request.body_mut() = body.through(move |polled| {
        match &polled {
            Poll::Pending => context.body_awaited(),
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, |data| data.len());
                received += length as u64;
                let passed = turn::now().into_std().saturating_duration_since(begun);
                context.body_comes(worth(received, rate).min(passed));
            }
            Poll::Ready(None | Some(Err(_))) => context.body_comes(Duration::ZERO),
        }
        polled
    });
}

/// How long `received` bytes may take.
fn worth(received: u64, rate: usize) -> Duration {
    let micros = u128::from(received) * 1_000_000;
    let micros = micros.checked_div(rate as u128).unwrap_or_default();
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_worth_time_by_the_rate() {
        assert_eq!(worth(2048, 1024), Duration::from_secs(2));
        assert_eq!(worth(512, 1024), Duration::from_millis(500));
        assert_eq!(worth(u64::MAX, 1), Duration::from_micros(u64::MAX));
        assert_eq!(worth(1 << 30, 0), Duration::ZERO);
    }
}
