//! Asking the upstream, and what its answer means for the store.

use std::sync::Arc;

use http::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE};
use http::{HeaderMap, Method, Request, Response, StatusCode, request};
use http_body::Body as _;
use parking_lot::Mutex;
use platform::context::RequestContext;
use wire::Body;
use wire::server::Answers;

use super::conditional::Heeded;
use super::directives::Directives;
use super::entry::{Entry, Meta, freshened};
use super::fill::Fill;
use super::flight::{Landing, Outcome, Source};
use super::key::{Key, Target};
use super::policy::{Timing, Verdict};
use super::route::{Route, is_authorized, path_tag, strip_tags};
use super::share::Asked;
use super::store::Lookup;
use crate::filter::answer;

/// A question, as the upstream will get it.
pub(crate) struct Question {
    /// The request in whose name it is asked.
    context: Option<Arc<RequestContext>>,
    pub(crate) head: request::Parts,
    pub(crate) key: Key,
    pub(crate) path_tag: String,
    pub(crate) asks: Directives,
    pub(crate) authorized: bool,
}

impl Question {
    /// The question behind `request`: for all of the answer, whatever part of it the client wants.
    pub(crate) fn new<B>(
        route: &Route,
        request: &Request<B>,
        target: Target<'_>,
        key: Key,
        asks: Directives,
    ) -> Self {
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = Method::GET;
        let uri = request.uri();
        head.uri = route
            .keyer
            .upstream_target(uri)
            .unwrap_or_else(|| uri.clone());
        head.version = request.version();
        head.headers = request.headers().clone();
        head.extensions = request.extensions().clone();
        for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_RANGE, RANGE] {
            head.headers.remove(name);
        }
        Self {
            context: RequestContext::current(),
            authorized: is_authorized(Heeded::of(&head.headers), &head.extensions),
            head,
            key,
            path_tag: path_tag(target.authority, target.uri.path()),
            asks,
        }
    }

    /// The same for nobody who waits for it.
    pub(crate) fn afterwards(self) -> Self {
        let context = self.context.map(|context| context.afterwards());
        Self { context, ..self }
    }

    /// What `inner` answers, in the name of whose question it is: whoever of those that share it may poll it.
    async fn ask<S: Answers + 'static>(
        &self,
        inner: S,
        stored: Option<&Arc<Entry>>,
    ) -> Response<Body> {
        let request = self.request(stored);
        // Called in there, not only polled: services may look at the context when they are called.
        let asking = async { answer(inner, request).await };
        match self.context.clone() {
            Some(context) => context.scope(asking).await,
            None => asking.await,
        }
    }

    fn request(&self, stored: Option<&Arc<Entry>>) -> Request<Body> {
        let mut request = Request::from_parts(self.head.clone(), Body::empty());
        if let Some(entry) = stored {
            let stored = &entry.meta.head;
            for (name, condition) in [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)] {
                if let Some(value) = stored.get(name) {
                    request.headers_mut().insert(condition, value.clone());
                }
            }
        }
        request
    }
}

impl Route {
    /// Asks the second level and then the upstream; `stored` is what has to be checked.
    pub(crate) async fn ask<S: Answers + 'static>(
        self: Arc<Self>,
        inner: S,
        question: Question,
        stored: Option<Arc<Entry>>,
        landing: Option<Landing>,
    ) -> Outcome {
        let store = &self.shared.store;
        // From here on, an unsafe request to the path is a purge that this answer must outlive.
        store
            .purges
            .expect_path(store.purges.hash(&question.path_tag));
        let meanwhile = landing.as_ref().and_then(|_| self.usable(&question));
        if let Some(entry) = meanwhile {
            return Outcome::Stored(entry, Source::Store);
        }
        let Asked { entry, purges } = self.ask_second(&question).await;
        if let Some(entry) = entry {
            store.insert(&question.key, entry.clone(), self.settings.variants);
            return Outcome::Stored(entry, Source::SecondLevel);
        }
        let mut check = stored.as_ref().filter(|entry| checkable(entry));
        loop {
            let birth = store.purges.count();
            let asked = self.shared.sources.now();
            if check.is_some() {
                self.metrics.revalidations.inc();
            }
            let response = question.ask(inner.clone(), check).await;
            let answered = self.shared.sources.now();
            let timing = Timing {
                asked,
                answered,
                authorized: question.authorized,
            };
            let confirms = response.status() == StatusCode::NOT_MODIFIED;
            if let Some(entry) = check.take().filter(|_| confirms) {
                let told = response.headers();
                match self.freshen(&question, entry, told, (timing, birth), purges) {
                    Some(outcome) => return outcome,
                    // It speaks of something else: what is stored is of no use.
                    None => continue,
                }
            }
            let fetched = (response, timing, birth);
            return self.take_in(question, fetched, stored, landing, purges);
        }
    }

    /// What is stored by now for the question.
    fn usable(&self, question: &Question) -> Option<Arc<Entry>> {
        let Lookup::Found(entry) = self
            .shared
            .store
            .look_up(&question.key, &question.head.headers)
        else {
            return None;
        };
        let now = self.shared.sources.now();
        self.suits(&entry.meta, question.authorized, &question.head.headers)
            .then(|| {
                entry
                    .meta
                    .policy
                    .verdict(now, entry.stopped(), &question.asks)
            })
            .filter(|verdict| *verdict == Verdict::Fresh)
            .map(|_| entry)
    }

    /// Whether an answer that was made for another request suits this one, apart from its age.
    pub(crate) fn suits(&self, meta: &Meta, authorized: bool, request: &HeaderMap) -> bool {
        let purges = &self.shared.store.purges;
        (!authorized || meta.policy.shareable)
            && meta.selecting.matches(request)
            && purges.concerns(&meta.tags.hashes, meta.birth) == Some(None)
    }

    /// What a 304 makes of the stored answer; `None` if it is about another.
    fn freshen(
        self: &Arc<Self>,
        question: &Question,
        entry: &Arc<Entry>,
        told: &HeaderMap,
        timing: (Timing, u64),
        purges: Option<u64>,
    ) -> Option<Outcome> {
        let stored = &entry.meta.head;
        let other = |name| {
            told.get(&name)
                .is_some_and(|value| stored.get(&name) != Some(value))
        };
        if other(ETAG) || (!told.contains_key(ETAG) && other(LAST_MODIFIED)) {
            return None;
        }
        let mut head = freshened(stored, told);
        let status = entry.meta.status;
        let request = &question.head.headers;
        match self.consider(status, &head, request, &question.path_tag, timing) {
            Ok(mut meta) => {
                let news = ["surrogate-key", "cache-tag"];
                if !news.iter().any(|name| told.contains_key(*name)) {
                    meta.tags = entry.meta.tags.clone();
                }
                let fresh = Arc::new(Entry::with_body(Arc::new(meta), entry.body.clone()));
                self.keeper(question, purges)(Ok(&fresh));
                Some(Outcome::Stored(fresh, Source::Revalidated))
            }
            Err(why) => {
                self.shared.store.remove(&question.key, entry);
                strip_tags(&mut head);
                let mut response = Response::new(Body::full(entry.body.clone()));
                *response.status_mut() = status;
                *response.headers_mut() = head;
                Some(Outcome::Private(Arc::new(Mutex::new(Some(response))), why))
            }
        }
    }

    /// What an answer other than a 304 means.
    fn take_in(
        self: &Arc<Self>,
        question: Question,
        (mut response, timing, birth): (Response<Body>, Timing, u64),
        stored: Option<Arc<Entry>>,
        landing: Option<Landing>,
        purges: Option<u64>,
    ) -> Outcome {
        let status = response.status();
        if let Some(entry) = stored.as_ref().filter(|_| failed(status)) {
            let now = timing.answered;
            entry.leave_alone(now.plus(self.settings.error_pause));
            if entry
                .meta
                .policy
                .stands_in(now, entry.stopped(), &question.asks)
            {
                return Outcome::StandsIn(entry.clone(), status.as_u16());
            }
        }
        let request = &question.head.headers;
        let told = response.headers();
        let meta = self.consider(status, told, request, &question.path_tag, (timing, birth));
        let length = response.body().size_hint().exact();
        let too_large = length.is_some_and(|length| length > self.settings.body_limit as u64);
        let meta = match meta {
            Ok(_) if too_large => Err("too-large"),
            // A problem of this process, whose body is written further out.
            Ok(_) if is_unwritten(&response) => Err("problem"),
            meta => meta,
        };
        let meta = match meta {
            Ok(meta) => Arc::new(meta),
            Err(why) => {
                self.note_private(&question, stored.as_ref(), status, why, timing.answered);
                if self.settings.strip_tags {
                    strip_tags(response.headers_mut());
                }
                return Outcome::Private(Arc::new(Mutex::new(Some(response))), why);
            }
        };
        let keep = self.keeper(&question, purges);
        let body = response.into_body();
        if let Some(whole) = body.whole() {
            let part = bytes::Bytes::copy_from_slice(whole);
            let entry = Arc::new(Entry::with_body(meta, part));
            keep(Ok(&entry));
            return Outcome::Stored(entry, Source::Upstream);
        }
        Outcome::Filling(Fill::new(
            meta,
            body,
            self.settings.body_limit,
            landing,
            keep,
        ))
    }
}

fn checkable(entry: &Entry) -> bool {
    let head = &entry.meta.head;
    head.contains_key(ETAG) || head.contains_key(LAST_MODIFIED)
}

/// Whether an error carries what only this process can read.
fn is_unwritten(response: &Response<Body>) -> bool {
    let error = response.status().is_client_error() || response.status().is_server_error();
    error && !response.extensions().is_empty()
}

/// What counts as an error for `stale-if-error` (RFC 5861, section 4).
fn failed(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}
