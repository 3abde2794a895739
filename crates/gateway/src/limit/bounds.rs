//! What a route bounds of each request, and of all that are there at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{Request, Response};
use kernel::Problem;
use kernel::problem::codes;
use platform::http::refuse;
use prometheus_client::metrics::counter::Counter;
use wire::Body;
use wire::server::Answers;

use super::body::{Length, too_large};
use super::places::{Places, keep};
use crate::filter::{Filter, answer};
use crate::table;

/// `body_limit` and `concurrency` of a route.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    /// Bytes.
    pub(crate) body: Option<u64>,
    pub(crate) places: Option<Arc<Places>>,
    /// Counts those who found no place.
    shed: Counter,
}

impl Bounds {
    /// Those of a route with such places, if it has any.
    pub(crate) fn new(
        route: &table::Route,
        places: Option<Arc<Places>>,
        shed: &Counter,
    ) -> Option<Self> {
        let body = route.body_limit.map(|table::Size(bytes)| bytes as u64);
        (body.is_some() || places.is_some()).then(|| Self {
            body,
            places,
            shed: shed.clone(),
        })
    }
}

impl Filter for Bounds {
    async fn pass<S: Answers>(&self, inner: S, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let limit = self.body.unwrap_or(u64::MAX);
        let (body, exceeded) = match Length::of(body, limit) {
            Length::Above => return refuse(too_large(limit)),
            Length::Within(body) => (body, None),
            Length::Watched(body, exceeded) => (body, Some(exceeded)),
        };
        let place = match &self.places {
            None => None,
            Some(places) => match places.enter().await {
                Some(place) => Some(place),
                None => {
                    self.shed.inc();
                    return refuse(crowded());
                }
            },
        };
        let response = answer(inner, Request::from_parts(head, body)).await;
        // Whatever becomes of a body that breaks off, this is why.
        if exceeded.is_some_and(|exceeded| exceeded.load(Ordering::Relaxed)) {
            return refuse(too_large(limit));
        }
        match place {
            Some(place) => response.map(|body| keep(body, place)),
            None => response,
        }
    }
}

fn crowded() -> Problem {
    let detail = "the route has as many requests as it answers at once";
    Problem::unavailable(codes::OVERLOADED, detail, 1)
}
