//! The gateway: the only public listener.
//!
//! **Owns** nothing durable. It knows every route of every service of the shop, and those of other
//! servers that a [`table`] names; it leads each request to whom it is for: by a function call
//! where that runs in this process, over the wire where it does not. The stack, from the outside in:
//!
//! 1. CORS, and [`entry`](platform::http::entry): trace, deadline, request id, problems;
//! 2. the [`door`]: refuses what is too much, strips identity headers, limits;
//! 3. [`dispatch`]: the route of the table, by host, path, method and headers, or the shop;
//! 4. for a route of the table, its [limits, checks and its cache](stack), then [`forward`] to an [`upstream`], a [`redirect`], or an answer that
//!    is put [together](compose) from several;
//! 5. for the shop, [compression, the caller's token](shop), the route's
//!    [`Guard`](platform::http::route::Guard), then the service or the [`proxy`].

mod access_log;
pub mod cache;
mod client_address;
mod compose;
mod config;
mod cors;
mod dispatch;
mod docs;
mod door;
mod errors;
pub mod explain;
pub mod export;
mod filter;
mod forward;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod hop;
pub mod identity;
mod json_body;
mod json_syntax;
mod limit;
mod live;
mod path;
mod proxy;
mod purge_on_event;
mod redirect;
mod rewrite;
mod router;
mod shop;
mod snapshot;
mod stack;
mod swapped;
mod table;
mod template;
mod to_https;
mod trailers;
mod transform;
mod upstream;
mod validate;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use kernel::Timestamp;
use platform::contract::Peer;
use platform::http::entry::{Entry, Trust};
use platform::http::refused::Watch;
use platform::http::{HttpContext, RouteInfo};
use platform::tasks::Shutdown;
use tower::Service;
use tower::util::Either;
use wire::Body;
use wire::server::Connection;
use wire::workers::PerWorker;

use self::access_log::RefusedLog;
use self::cache::{CachePurge, HttpCache, PurgesElsewhere, StoreSettings};
pub use self::config::{Config, Fronts};
use self::cors::CorsService;
use self::dispatch::Dispatch;
use self::door::Door;
use self::identity::{Revocation, RevokeError, SharedRevocations};
use self::limit::Counters;
use self::live::Live;
pub use self::purge_on_event::SUBSCRIPTIONS;
use self::shop::Shop;
use self::snapshot::Surroundings;
pub use self::table::{Source, TableError, TableErrors};
pub use self::to_https::ToHttps;

/// How long what is done in the background may take to end.
const PARTING: Duration = Duration::from_secs(5);

/// A service in another process: its routes, and where it is.
#[derive(Debug)]
pub struct RemoteService {
    /// Its routes.
    pub routes: Vec<RouteInfo>,
    /// Its instances.
    pub peer: Arc<Peer>,
}

/// What the gateway leads to.
#[derive(Debug, Default)]
pub struct Services {
    /// The routers of the services in this process.
    pub local: Vec<Router>,
    /// The services in other processes.
    pub remote: Vec<RemoteService>,
    /// All routes of both.
    pub routes: Vec<RouteInfo>,
}

/// The gateway, put together. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

/// What every request passes first; without the room for CORS, which is large, where there is none.
type Stack = Either<Box<CorsService<Entry<Dispatch>>>, Entry<Dispatch>>;

/// The gateway, as one connection finds it: all of it in a place of its own, as the future of a connection
/// has several for this.
#[derive(Clone)]
pub struct GatewayService(Box<Stack>);

struct Inner {
    stacks: PerWorker<Stack>,
    live: Live,
    cache: HttpCache,
    /// What other instances purge, if they share a second level.
    purged: Option<PurgesElsewhere>,
    /// Ends what the cache does in the background.
    background: Shutdown,
    callers: identity::Shared,
    /// What all instances have revoked, if they share that.
    revoked: Option<SharedRevocations>,
    refused: Option<Arc<dyn Watch>>,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("live", &self.0.live)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for GatewayService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GatewayService")
    }
}

impl Gateway {
    /// Puts the gateway together. `openapi` is the document of all routes of the shop, as JSON.
    pub fn build(
        config: &Config,
        services: Services,
        openapi: String,
        http: &HttpContext,
    ) -> Result<Self, TableErrors> {
        let (sources, metrics) = (&http.sources, &http.metrics);
        let timeout = config.limits_timeout;
        let counters = Counters::new(&config.limits, timeout, sources.clone(), metrics);
        let store = StoreSettings {
            memory: config.cache_memory,
            second_level_timeout: config.cache_timeout,
            ..StoreSettings::default()
        };
        let background = Shutdown::new();
        let (measures, ends) = (&metrics.http_cache, background.clone());
        let name = sources.uuid().to_string();
        let second = cache::shared_by(&config.cache, config.cache_timeout, &name, metrics);
        let cache = HttpCache::new(store, sources.clone(), measures, second, ends);
        let purged = PurgesElsewhere::at(&config.cache, &cache, &name, sources, metrics);
        let callers = identity::Shared::new(http.sources.clone(), &http.metrics);
        let own = &callers.revocations;
        let revoked = SharedRevocations::at(&config.revocations, own, sources, metrics);
        let shop = Shop::new(services, openapi, http);
        let around = Surroundings {
            counters: counters.clone(),
            cache: cache.clone(),
            workers: config.workers,
            longest: http.settings.deadline,
            forwarding: config.forwarded,
            metrics: http.metrics.clone(),
            identity: callers.clone(),
            shop: shop.is_there().then(|| shop.clone().into()),
        };
        let live = Live::new(config.routes.clone(), around)?;
        let door = Door::new(config, counters, http);
        let dispatch = Dispatch::new(door, live.clone(), shop);
        // Only a table has a log of requests.
        let refused = config.routes.as_ref().map(|_| {
            let log = RefusedLog::new(config, live.clone(), sources.clone());
            Arc::new(log) as Arc<dyn Watch>
        });
        let stack = || {
            let entry = Entry::new(http, Trust::Public, dispatch.again());
            let entry = match &refused {
                Some(watch) => entry.watched(watch.clone()),
                None => entry,
            };
            if config.cors_origins.is_empty() {
                Either::Right(entry)
            } else {
                Either::Left(Box::new(CorsService::new(config, entry)))
            }
        };
        Ok(Self(Arc::new(Inner {
            stacks: PerWorker::by_processors(stack),
            live,
            cache,
            purged,
            background,
            callers,
            revoked,
            refused,
        })))
    }

    /// What answers the requests of a connection; to be asked for by the worker that serves it.
    pub fn service(&self, connection: &Connection) -> GatewayService {
        let mut stack = Box::new(self.0.stacks.own().clone());
        let entry = match &mut *stack {
            Either::Left(cors) => cors.get_mut(),
            Either::Right(entry) => entry,
        };
        entry.connect(connection);
        GatewayService(stack)
    }

    /// Who is to hear of heads that cannot be read on the listener of the gateway, if anybody is.
    pub fn watch(&self) -> Option<Arc<dyn Watch>> {
        self.0.refused.clone()
    }

    /// From now on `what` of the issuer or introspection `source` does not count on routes of the
    /// table, in any instance that shares what is revoked. It is forgotten at `until`: no token that
    /// it concerns may live longer than that.
    pub async fn revoke(
        &self,
        source: &str,
        what: Revocation<'_>,
        until: Timestamp,
    ) -> Result<(), RevokeError> {
        if until <= self.0.callers.sources.now() {
            return Err(RevokeError::Expired);
        }
        let name = {
            let present = self.0.live.present();
            let name = present.identities().revocable(source, what)?;
            name.into_owned()
        };
        let what = what.called(&name);
        match &self.0.revoked {
            Some(shared) => shared.revoke(source, what, until).await,
            None => {
                let own = &self.0.callers.revocations;
                own.revoke(source, what, until)?;
                Ok(())
            }
        }
    }

    /// Whether it knows all that it has to know before it is asked: what other instances have
    /// revoked.
    pub fn is_ready(&self) -> bool {
        let shared = self.0.revoked.as_ref();
        shared.is_none_or(SharedRevocations::read)
    }

    /// Waits until it is [ready](Self::is_ready), or those who have to tell take too long: whoever lets
    /// requests in before could let in who was revoked.
    pub async fn readiness(&self) {
        if let Some(revoked) = &self.0.revoked {
            revoked.first_read().await;
        }
    }

    /// Reads the table of routes again. Requests that are under way end as they began; if anything
    /// is wrong, everything stays as it is.
    pub fn reload(&self) -> Result<(), TableErrors> {
        self.0.live.reload()
    }

    /// How the servers of each upstream are, as JSON.
    pub fn upstreams(&self) -> serde_json::Value {
        let present = self.0.live.present();
        let states = present.upstreams().map(|upstream| {
            let servers = serde_json::to_value(upstream.states()).unwrap_or_default();
            (upstream.name.to_string(), servers)
        });
        states.collect()
    }

    /// Takes answers out of the cache, also of the instances that share a second level.
    pub fn purge(&self) -> CachePurge {
        self.0.cache.purge().everywhere()
    }

    /// Watches the table, looks after the upstreams, and hears what other instances announce, until
    /// `shutdown` begins.
    pub async fn keep(self, shutdown: Shutdown) {
        let upkeep = self.0.live.clone().keep(shutdown.clone());
        let revocations = async {
            if let Some(revoked) = &self.0.revoked {
                revoked.follow(&shutdown).await;
            }
        };
        let purges = async {
            if let Some(purged) = &self.0.purged {
                purged.follow(&shutdown).await;
            }
        };
        tokio::join!(upkeep, revocations, purges);
        self.0.background.begin();
        self.0.cache.ended(PARTING).await;
    }
}

impl Service<Request<Body>> for GatewayService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // What is inside is asked when there is a request for it.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match &mut *self.0 {
            Either::Left(cors) => cors.call(request),
            Either::Right(entry) => entry.call(request),
        }
    }
}
