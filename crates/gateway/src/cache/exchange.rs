//! A request that the store cannot answer: asked together with others, alone, or passed through.

use std::sync::Arc;

use http::{Request, Response};
use http_body::Body as _;
use wire::Body;
use wire::server::Answers;

use super::answer::passed_on;
use super::entry::{Entry, Meta};
use super::fetch::Question;
use super::fill::{Fill, Reader};
use super::flight::{Boarded, Outcome, Source};
use super::key::Target;
use super::policy::Verdict;
use super::route::{Ask, Manner, Route, strip_tags};
use super::service::{goes_through, not_cached};
use super::status::{Forward, Told, forwarded, tell};
use crate::filter::answer;

pub(crate) struct Exchange {
    pub(crate) route: Arc<Route>,
    pub(crate) request: Request<()>,
    pub(crate) ask: Ask,
}

impl Exchange {
    pub(crate) async fn run<S: Answers + 'static>(self, inner: S, body: Body) -> Response<Body> {
        if self.ask.asks.only_if_cached {
            self.route.metrics.misses.inc();
            return not_cached();
        }
        if let Some(why) = goes_through(self.ask.manner) {
            return self.through(inner, body, why).await;
        }
        let shared = &self.route.shared;
        let hash = shared
            .store
            .purges
            .hash_key(&self.ask.key, self.ask.authorized);
        let passes = shared.passes.is_noted(hash, shared.sources.now());
        if self.ask.manner == Manner::Alone || passes || self.ask.asks.no_cache {
            return self.alone(inner).await;
        }
        self.together(inner).await
    }

    /// Sends the request on as it is.
    async fn through<S: Answers>(self, inner: S, body: Body, why: &'static str) -> Response<Body> {
        let Self {
            route,
            request,
            ask,
        } = self;
        route.metrics.misses.inc();
        let request = request.map(|()| body);
        let mut response = answer(inner, request).await;
        if route.settings.strip_tags {
            strip_tags(response.headers_mut());
        }
        let told = Told {
            detail: Some(why),
            ..Told::default()
        };
        tell(response.headers_mut(), ask.forward, told);
        response
    }

    async fn alone<S: Answers + 'static>(self, inner: S) -> Response<Body> {
        let (question, stored) = (self.question(), self.ask.stored.clone());
        let asking = self
            .route
            .clone()
            .ask(inner.clone(), question, stored, None);
        let outcome = Box::pin(asking).await;
        match self.lead(outcome) {
            Some(response) => response,
            // Nobody else could have taken it.
            None => self.through(inner, Body::empty(), "taken").await,
        }
    }

    async fn together<S: Answers + 'static>(self, inner: S) -> Response<Body> {
        let (route, stored) = (&self.route, &self.ask.stored);
        let boarded = route.shared.flights.board(&self.ask.key, |landing| {
            let question = self.question();
            let ask = route
                .clone()
                .ask(inner.clone(), question, stored.clone(), Some(landing));
            Box::pin(ask)
        });
        let joined = match boarded {
            Boarded::Leads(asking) => {
                let outcome = asking.await;
                return match self.lead(outcome) {
                    Some(response) => response,
                    None => self.alone(inner).await,
                };
            }
            Boarded::Joins(asking) => {
                tokio::time::timeout(route.settings.wait, async {
                    match asking.await {
                        Outcome::Filling(fill) => self.join_fill(fill).await,
                        outcome => self.join(&outcome),
                    }
                })
                .await
            }
            Boarded::JoinsFill(fill) => {
                tokio::time::timeout(route.settings.wait, self.join_fill(fill)).await
            }
        };
        match joined {
            Ok(Some(response)) => response,
            // It was not for everybody, or took too long.
            Ok(None) | Err(_) => self.alone(inner).await,
        }
    }

    fn question(&self) -> Question {
        let Ask { key, asks, .. } = &self.ask;
        Target::with(self.request.uri(), self.request.headers(), |target| {
            let (key, asks) = (key.clone(), asks.clone());
            Question::new(&self.route, &self.request, target, key, asks)
        })
    }

    /// The answer to the request that asked; `None` if it is not there.
    fn lead(&self, outcome: Outcome) -> Option<Response<Body>> {
        let forward = self.ask.forward;
        match outcome {
            Outcome::Stored(entry, source) => Some(self.stored(&entry, source, false)),
            Outcome::StandsIn(entry, status) => Some(self.stands_in(&entry, status)),
            Outcome::Filling(fill) => Some(self.read(fill, false)),
            Outcome::Private(response, why) => {
                let mut response = response.lock().take()?;
                self.route.metrics.misses.inc();
                let told = Told {
                    detail: Some(why),
                    ..Told::default()
                };
                tell(response.headers_mut(), forward, told);
                Some(response)
            }
        }
    }

    /// The answer to a request that waited; `None` if it was not for everybody.
    fn join(&self, outcome: &Outcome) -> Option<Response<Body>> {
        match outcome {
            Outcome::Stored(entry, source) => {
                let fits = self.suits(&entry.meta, Some(entry));
                fits.then(|| self.stored(entry, *source, true))
            }
            Outcome::StandsIn(entry, status) => {
                let now = self.route.shared.sources.now();
                let policy = &entry.meta.policy;
                let fits =
                    self.route
                        .suits(&entry.meta, self.ask.authorized, self.request.headers())
                        && policy.stands_in(now, entry.stopped(), &self.ask.asks);
                fits.then(|| self.stands_in(entry, *status))
            }
            Outcome::Filling(_) | Outcome::Private(..) => None,
        }
    }

    async fn join_fill(&self, fill: Arc<Fill>) -> Option<Response<Body>> {
        if !self.suits(&fill.meta, None) {
            return None;
        }
        // Only what cannot turn out too large is passed on before it is here in full.
        if fill.length.is_some() {
            return Some(self.read(fill, true));
        }
        let entry = fill.stored().await?;
        let fits = self.suits(&entry.meta, Some(&entry));
        fits.then(|| self.stored(&entry, Source::Upstream, true))
    }

    fn suits(&self, meta: &Meta, entry: Option<&Entry>) -> bool {
        let now = self.route.shared.sources.now();
        let stopped = entry.and_then(Entry::stopped);
        self.route
            .suits(meta, self.ask.authorized, self.request.headers())
            && meta.policy.verdict(now, stopped, &self.ask.asks) == Verdict::Fresh
    }

    fn stored(&self, entry: &Arc<Entry>, source: Source, collapsed: bool) -> Response<Body> {
        let request = self.request.headers();
        let now = self.route.shared.sources.now();
        let told = Told {
            stored: true,
            collapsed,
            ..Told::default()
        };
        match source {
            Source::Store => self.route.hit(entry, &self.request, now, None),
            Source::SecondLevel => self
                .route
                .hit(entry, &self.request, now, Some("second-level")),
            Source::Upstream => {
                self.route.metrics.misses.inc();
                let status = forwarded(self.ask.forward, told);
                passed_on(&entry.meta, request, Body::full(entry.body.clone()), status)
            }
            Source::Revalidated => {
                self.route.metrics.misses.inc();
                let told = Told {
                    upstream: Some(304),
                    ..told
                };
                let status = forwarded(self.ask.forward, told);
                super::answer::answer(entry, self.request.method(), request, now, status)
            }
        }
    }

    fn stands_in(&self, entry: &Entry, status: u16) -> Response<Body> {
        self.route.metrics.misses.inc();
        self.route.metrics.stale.inc();
        let request = &self.request;
        let told = Told {
            upstream: Some(status),
            detail: Some("stale-if-error"),
            ..Told::default()
        };
        let status = forwarded(Forward::Stale, told);
        let now = self.route.shared.sources.now();
        super::answer::answer(entry, request.method(), request.headers(), now, status)
    }

    /// The answer that is on its way, to be read as it comes.
    fn read(&self, fill: Arc<Fill>, collapsed: bool) -> Response<Body> {
        self.route.metrics.misses.inc();
        let told = Told {
            stored: true,
            collapsed,
            ..Told::default()
        };
        let status = forwarded(self.ask.forward, told);
        let reader = Reader::new(fill.clone());
        let request = self.request.headers();
        let response = passed_on(&fill.meta, request, Body::new(reader), status);
        if response.body().is_end_stream() {
            // The client has it, but others may want it: it is stored all the same.
            let background = &self.route.shared.background;
            if let Some(room) = background.room() {
                background.run(room, async move {
                    fill.stored().await;
                });
            }
        }
        response
    }
}
