//! How many requests a server gets at once. There is no queue: who finds no room goes elsewhere, or
//! is refused.
//!
//! The limit is that of a server, not of the upstream: servers slow down one by one, and what one of
//! them can do says nothing about the others.

use std::time::Instant;

use http::{Response, StatusCode};
use wire::Body;
use wire::client::ExchangeError;

use crate::limit::concurrency::{Adaptive, Concurrency, Place, Visit};
use crate::table::PerServer;

/// The room of a server.
#[derive(Debug)]
pub(super) enum Room {
    Unlimited,
    Fixed(Concurrency),
    Adaptive(Adaptive),
}

/// A place at a server, until this is dropped.
#[derive(Debug)]
pub(super) enum Guest<'a> {
    /// Nobody counts.
    Uncounted,
    Fixed {
        _place: Place<'a>,
    },
    Adaptive(Visit<'a>),
}

impl Room {
    pub(super) fn new(limit: &PerServer) -> Self {
        match limit {
            PerServer::Unlimited => Self::Unlimited,
            PerServer::Fixed(max) => Self::Fixed(Concurrency::new(*max as usize)),
            PerServer::Adaptive(settings) => Self::Adaptive(Adaptive::new(settings.clone())),
        }
    }

    /// The present limit, if there is one.
    pub(super) fn limit(&self) -> Option<usize> {
        match self {
            Self::Unlimited => None,
            Self::Fixed(places) => Some(places.limit()),
            Self::Adaptive(adaptive) => Some(adaptive.limit()),
        }
    }

    pub(super) fn is_free(&self) -> bool {
        match self {
            Self::Unlimited => true,
            Self::Fixed(places) => places.is_free(),
            Self::Adaptive(adaptive) => adaptive.is_free(),
        }
    }

    /// A place, if there is one.
    pub(super) fn enter(&self, now: impl FnOnce() -> Instant) -> Option<Guest<'_>> {
        Some(match self {
            Self::Unlimited => Guest::Uncounted,
            Self::Fixed(places) => Guest::Fixed {
                _place: places.enter()?,
            },
            Self::Adaptive(adaptive) => Guest::Adaptive(adaptive.enter(now())?),
        })
    }
}

impl Guest<'_> {
    /// Teaches an adaptive limit how a try has ended.
    pub(super) fn ended(
        &self,
        result: &Result<Response<Body>, ExchangeError>,
        now: impl FnOnce() -> Instant,
    ) {
        let Self::Adaptive(visit) = self else { return };
        match result {
            Err(ExchangeError::Slow) => visit.dropped(now()),
            Ok(response) => match response.status() {
                StatusCode::TOO_MANY_REQUESTS
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT => visit.dropped(now()),
                // Whoever is behind it is away: that is fast, and says nothing about its room.
                StatusCode::BAD_GATEWAY => {}
                _ => visit.answered(now()),
            },
            // A server that cannot be reached is a matter of its standing.
            Err(_) => {}
        }
    }

    /// Another server was faster: this one takes at least as long as it has taken by now.
    pub(super) fn outrun(&self, now: impl FnOnce() -> Instant) {
        if let Self::Adaptive(visit) = self {
            visit.answered(now());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::limit::adaptive::AdaptiveSettings;

    fn answer(status: StatusCode) -> Result<Response<Body>, ExchangeError> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        Ok(response)
    }

    /// Where a limit of 10 stands after as many tries that end like this as fill some tens of windows.
    fn after(result: &Result<Response<Body>, ExchangeError>) -> usize {
        let room = Room::new(&PerServer::Adaptive(AdaptiveSettings {
            initial: 10,
            lowest: 2,
            highest: 20,
            ..AdaptiveSettings::default()
        }));
        let mut now = Instant::now();
        for _ in 0..200 {
            let guests: Vec<Guest<'_>> = std::iter::from_fn(|| room.enter(|| now)).collect();
            now += Duration::from_millis(60);
            guests.iter().for_each(|guest| guest.ended(result, || now));
        }
        room.limit().expect("has one")
    }

    #[test]
    fn no_more_than_the_limit_get_in() {
        let room = Room::new(&PerServer::Fixed(2));
        let now = Instant::now;
        let guests = [room.enter(now), room.enter(now)];
        assert!(guests.iter().all(Option::is_some) && !room.is_free());
        assert!(room.enter(now).is_none());
        drop(guests);
        assert!(room.is_free() && room.enter(now).is_some());
    }

    #[test]
    fn a_limit_grows_while_answers_are_fast_and_falls_when_there_are_none() {
        assert_eq!(after(&answer(StatusCode::OK)), 20);
        assert_eq!(after(&answer(StatusCode::SERVICE_UNAVAILABLE)), 2);
        assert_eq!(after(&answer(StatusCode::TOO_MANY_REQUESTS)), 2);
        assert_eq!(after(&Err(ExchangeError::Slow)), 2);
    }

    #[test]
    fn what_says_nothing_about_its_room_changes_nothing() {
        assert_eq!(after(&answer(StatusCode::BAD_GATEWAY)), 10);
        let away = std::io::ErrorKind::ConnectionRefused.into();
        assert_eq!(after(&Err(ExchangeError::Connect(away))), 10);
    }
}
