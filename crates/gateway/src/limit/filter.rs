//! Rules around a route.

use std::sync::Arc;

use http::{Request, Response};
use platform::http::{ClientAddress, refuse};
use wire::Body;
use wire::server::Answers;

use super::{Counters, Rules};
use crate::filter::{Filter, answer};

/// Counts requests, refuses what is too much, and tells clients where they stand.
#[derive(Debug, Clone)]
pub(crate) struct LimitFilter {
    counters: Counters,
    rules: Rules,
    route: Arc<str>,
}

impl LimitFilter {
    /// The `rules` of `route`, counted by `counters`.
    pub(crate) fn new(counters: Counters, rules: Rules, route: impl Into<Arc<str>>) -> Self {
        Self {
            counters,
            rules,
            route: route.into(),
        }
    }
}

impl Filter for LimitFilter {
    async fn pass<S: Answers>(&self, inner: S, request: Request<Body>) -> Response<Body> {
        let Self {
            counters,
            rules,
            route,
        } = self;
        let asks = rules.asks(&request, ClientAddress::current(), route);
        let decision = counters.take(rules, asks).await;
        let mut response = match decision.refusal() {
            Some(problem) => refuse(problem),
            None => answer(inner, request).await,
        };
        decision.describe(response.headers_mut());
        response
    }
}
