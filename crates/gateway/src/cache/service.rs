//! The layer, and the service that it makes: who answers a request, the store or the upstream.

use std::convert::Infallible;
use std::fmt;
use std::future::ready;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use http::header::{CONTENT_LOCATION, LOCATION};
use http::{HeaderMap, Method, Request, Response, Uri};
use kernel::problem::codes;
use kernel::{Kind, Problem};
use platform::http::refuse;
use tower::{Layer, Service};
use wire::Body;
use wire::server::Answers;

use super::directives::Directives;
use super::entry::Entry;
use super::exchange::Exchange;
use super::fetch::Question;
use super::flight::Outcome;
use super::key::{Key, Target, host};
use super::purge::PurgeMode;
use super::route::{Look, Manner, Route, path_tag, strip_tags};
use super::status::{CACHE_STATUS, Forward, Told, own, tell};
use crate::filter::{Answering, answer};

/// Puts the cache before a service. Cheap to clone. Made by [`HttpCache::layer`].
///
/// [`HttpCache::layer`]: super::HttpCache::layer
#[derive(Clone)]
pub struct CacheLayer(pub(crate) Arc<Route>);

impl fmt::Debug for CacheLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CacheLayer")
    }
}

impl<S> Layer<S> for CacheLayer {
    type Service = CacheService<S>;

    fn layer(&self, inner: S) -> CacheService<S> {
        CacheService {
            route: self.0.clone(),
            inner,
        }
    }
}

/// Answers from the cache, or asks the service behind it, maybe for others or for nobody who waits: it is
/// cloned for that.
#[derive(Clone)]
pub struct CacheService<S> {
    route: Arc<Route>,
    inner: S,
}

impl<S> fmt::Debug for CacheService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CacheService")
    }
}

impl<S: Answers + 'static> Service<Request<Body>> for CacheService<S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // What is behind is asked when there is a request for it.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.answer(request)
    }
}

impl<S: Answers + 'static> CacheService<S> {
    /// Answers a request, whoever else has it answered by the same service.
    pub(crate) fn answer(&self, request: Request<Body>) -> Answering<'static> {
        let retrieves = matches!(*request.method(), Method::GET | Method::HEAD);
        if !retrieves {
            let passing = pass(self.route.clone(), self.inner.clone(), request);
            return passing.map(Ok).boxed();
        }
        match self.route.look(&request) {
            Look::Answer(response) => ready(Ok(response)).boxed(),
            Look::Refresh(response, key, entry) => {
                self.refresh(&request, key, entry);
                ready(Ok(response)).boxed()
            }
            Look::Ask(ask) => {
                let (head, body) = request.into_parts();
                let exchange = Exchange {
                    route: self.route.clone(),
                    request: Request::from_parts(head, ()),
                    ask,
                };
                exchange.run(self.inner.clone(), body).map(Ok).boxed()
            }
        }
    }

    /// Finds out in the background whether `entry` is still good.
    fn refresh(&self, request: &Request<Body>, key: Key, entry: Arc<Entry>) {
        let checking = Checking(entry);
        let background = &self.route.shared.background;
        let Some(room) = background.room() else {
            return;
        };
        let question = Target::with(request.uri(), request.headers(), |target| {
            Question::new(&self.route, request, target, key, Directives::default())
        });
        let question = question.afterwards();
        let asking =
            self.route
                .clone()
                .ask(self.inner.clone(), question, Some(checking.0.clone()), None);
        background.run(room, async move {
            if let Outcome::Filling(fill) = Box::pin(asking).await {
                fill.stored().await;
            }
            drop(checking);
        });
    }
}

/// Lets the next check of an entry begin when this one ends, however it ends.
struct Checking(Arc<Entry>);

impl Drop for Checking {
    fn drop(&mut self) {
        self.0.end_check();
    }
}

/// Sends a request on that retrieves nothing; what it may have changed is purged.
async fn pass<S: Answers>(route: Arc<Route>, inner: S, request: Request<Body>) -> Response<Body> {
    let safe = matches!(*request.method(), Method::OPTIONS | Method::TRACE);
    let (authority, path) = Target::with(request.uri(), request.headers(), |target| {
        (target.authority.to_owned(), target.uri.path().to_owned())
    });
    let mut response = answer(inner, request).await;
    let status = response.status();
    if !safe && (status.is_success() || status.is_redirection()) {
        let paths = changed(&authority, &path, response.headers());
        let tags = paths
            .iter()
            .map(|path| path_tag(&authority, path))
            .collect();
        route.shared.purge_expected(tags, PurgeMode::Hard);
    }
    if route.settings.strip_tags {
        strip_tags(response.headers_mut());
    }
    tell(response.headers_mut(), Forward::Method, Told::default());
    response
}

/// What an unsafe request has changed: its target, and what `Location` and `Content-Location` name
/// on the same host (RFC 9111, section 4.4).
fn changed(authority: &str, path: &str, answer: &HeaderMap) -> Vec<String> {
    let mut paths = vec![path.to_owned()];
    for name in [LOCATION, CONTENT_LOCATION] {
        let named = answer.get(name).and_then(|value| value.to_str().ok());
        let Some(named) = named else { continue };
        let Some(uri) = resolve(named, path) else {
            continue;
        };
        let here = |other: &str| host(other).eq_ignore_ascii_case(host(authority));
        if uri.authority().is_none_or(|other| here(other.as_str())) {
            paths.push(uri.path().to_owned());
        }
    }
    paths
}

/// A reference, resolved against a path as far as such fields need it (RFC 3986, section 5.2).
fn resolve(reference: &str, path: &str) -> Option<Uri> {
    let reference = reference.split('#').next().unwrap_or(reference);
    if let Some(rest) = reference.strip_prefix("//") {
        return format!("http://{rest}").parse().ok();
    }
    if reference.starts_with('/') || reference.contains("://") {
        return reference.parse().ok();
    }
    let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
    let rest = reference.strip_prefix("./").unwrap_or(reference);
    (!rest.starts_with("..")).then(|| format!("{folder}{rest}").parse().ok())?
}

/// The answer to `only-if-cached` when there is none.
pub(crate) fn not_cached() -> Response<Body> {
    let detail = "the request allows only a stored answer, and none can be used";
    let kind = Kind::DeadlineExceeded;
    let mut response = refuse(Problem::new(kind, codes::NOT_CACHED, detail));
    response
        .headers_mut()
        .insert(CACHE_STATUS, own("only-if-cached"));
    response
}

/// Whether a request goes on without the cache.
pub(crate) fn goes_through(manner: Manner) -> Option<&'static str> {
    match manner {
        Manner::Through(why) => Some(why),
        Manner::Together | Manner::Alone => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsafe_request_changes_what_its_answer_names_on_the_same_host() {
        let named = |location: &str| {
            let mut answer = HeaderMap::new();
            answer.insert(LOCATION, location.parse().expect("valid"));
            changed("shop.example", "/v1/orders", &answer).split_off(1)
        };
        assert_eq!(named("/v1/orders/7?x#y"), ["/v1/orders/7"]);
        assert_eq!(named("https://SHOP.example:443/a"), ["/a"]);
        assert_eq!(named("//shop.example/b"), ["/b"]);
        assert_eq!(named("latest"), ["/v1/latest"]);
        assert_eq!(named("https://other.example/a"), [""; 0]);
    }
}
