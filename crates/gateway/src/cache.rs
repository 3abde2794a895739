//! A shared cache by RFC 9111: a layer for each route, over one store.
//!
//! **Owns** what upstreams have answered, in bounded memory, until it is stale, purged or has to
//! make room. Nothing here is the only place where something is known.
//!
//! From the request on:
//!
//! 1. [`key`]: what an answer is stored under; [`vary`]: which of several answers fits;
//! 2. [`store`] has it: [`policy`] says whether it may be used, [`answer`] sends it;
//! 3. else [`flight`] lets one request ask for all, [`fetch`] asks and stores what may be stored,
//!    [`fill`] passes the body on to everybody while it comes;
//! 4. [`purge`] keeps what is out of date from being used, wherever it is on its way;
//! 5. behind it all a [`SecondLevel`] may hold what other instances have fetched.

mod answer;
mod background;
mod conditional;
mod directives;
mod elsewhere;
mod entry;
mod exchange;
mod fetch;
mod fill;
mod flight;
mod keep;
pub(crate) mod key;
mod policy;
mod purge;
mod redis;
mod route;
mod second;
mod service;
mod settings;
mod share;
mod status;
mod store;
mod vary;
mod wire_form;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use kernel::Sources;
use platform::metrics::{HttpCacheLabels, HttpCacheMetrics};
use platform::tasks::Shutdown;

use self::background::Background;
pub(crate) use self::elsewhere::PurgesElsewhere;
use self::flight::Flights;
use self::key::Keyer;
use self::policy::Rules;
pub use self::purge::PurgeMode;
use self::purge::Purges;
pub(crate) use self::redis::shared_by;
use self::route::{Route, RouteMetrics, path_tag, tag};
use self::second::{EVERYTHING, Second};
pub use self::second::{Found, Put, SecondKey, SecondLevel, SecondLevelError, TagPurge};
pub use self::service::{CacheLayer, CacheService};
pub use self::settings::{CacheSettings, StoreSettings};
pub(crate) use self::status::CACHE_STATUS;
use self::store::{Passes, Store};

/// The store, which outlives reloads of the configuration. Cheap to clone.
#[derive(Clone)]
pub struct HttpCache(Arc<Shared>);

/// What all routes share.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) passes: Passes,
    pub(crate) flights: Arc<Flights>,
    pub(crate) second: Option<Second>,
    pub(crate) background: Background,
    pub(crate) sources: Sources,
    settings: StoreSettings,
    metrics: HttpCacheMetrics,
}

impl fmt::Debug for HttpCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpCache({} bytes)", self.0.store.bytes())
    }
}

impl HttpCache {
    /// An empty store. Background work ends when `shutdown` begins.
    pub fn new(
        settings: StoreSettings,
        sources: Sources,
        metrics: &HttpCacheMetrics,
        second: Option<Arc<dyn SecondLevel>>,
        shutdown: Shutdown,
    ) -> Self {
        let purges = Purges::new(settings.purge_records);
        let failed = &metrics.second_level_failures;
        let second =
            second.map(|level| Second::new(level, &settings, sources.clone(), failed.clone()));
        Self(Arc::new(Shared {
            store: Store::new(settings.memory, purges, metrics.clone()),
            passes: Passes::new(),
            flights: Arc::default(),
            second,
            background: Background::new(settings.background, shutdown),
            sources,
            settings,
            metrics: metrics.clone(),
        }))
    }

    /// The cache as the route of this name uses it; or everything that is wrong with its settings.
    pub fn layer(&self, name: &str, settings: CacheSettings) -> Result<CacheLayer, Vec<String>> {
        let faults = settings.faults(&self.0.settings);
        if !faults.is_empty() {
            return Err(faults);
        }
        let zone = match &settings.zone {
            Some(zone) => format!("zone {zone}"),
            None => format!("route {name}"),
        };
        let labels = HttpCacheLabels {
            route: name.to_owned(),
        };
        let metrics = &self.0.metrics;
        Ok(CacheLayer(Arc::new(Route {
            shared: self.0.clone(),
            rules: Rules {
                heuristic: settings.heuristic,
                while_revalidate: settings.stale_while_revalidate,
                if_error: settings.stale_if_error,
                store_set_cookie: settings.store_set_cookie,
            },
            keyer: Keyer::new(&zone, &settings),
            metrics: RouteMetrics {
                hits: metrics.hits.get_or_create(&labels).clone(),
                misses: metrics.misses.get_or_create(&labels).clone(),
                revalidations: metrics.revalidations.get_or_create(&labels).clone(),
                stale: metrics.stale.get_or_create(&labels).clone(),
            },
            settings,
        })))
    }

    /// Who purges in this instance and in the second level.
    pub fn purge(&self) -> CachePurge {
        CachePurge {
            shared: self.0.clone(),
            everywhere: false,
        }
    }

    /// Bytes that are stored: keys, heads and bodies.
    pub fn bytes(&self) -> u64 {
        self.0.store.bytes()
    }

    /// Waits until no background work is left, once the shutdown has begun, but not longer than
    /// `deadline`.
    pub async fn ended(&self, deadline: Duration) {
        if tokio::time::timeout(deadline, self.0.background.ended())
            .await
            .is_err()
        {
            tracing::warn!("background work of the cache did not end in time");
        }
    }
}

/// Purges what is out of date. It counts at once in this process, also for answers that are on
/// their way; the second level follows in the background, and is not asked before it has. Cheap to
/// clone. To be called where tasks can be spawned.
#[derive(Clone)]
pub struct CachePurge {
    shared: Arc<Shared>,
    everywhere: bool,
}

/// Tags that other instances are told of at once.
const TOLD: usize = 100;

impl fmt::Debug for CachePurge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CachePurge")
    }
}

impl CachePurge {
    /// The same, also in the memory of the instances that share the second level.
    pub fn everywhere(self) -> Self {
        Self {
            everywhere: true,
            ..self
        }
    }

    /// Everything to which an upstream gave one of `tags` in `Surrogate-Key` or `Cache-Tag`.
    pub fn tags<T: AsRef<str>>(&self, tags: impl IntoIterator<Item = T>, mode: PurgeMode) {
        let tags: Vec<String> = tags.into_iter().map(|text| tag(text.as_ref())).collect();
        let told = self.told(mode);
        for tags in tags.chunks(if told.is_some() { TOLD } else { usize::MAX }) {
            self.shared.purge(tags.to_vec(), mode, told);
        }
    }

    /// Everything at the host and the path of `url`, whatever the scheme and the query.
    pub fn url(&self, url: &Uri, mode: PurgeMode) {
        let authority = url.authority().map_or("", |authority| authority.as_str());
        let tags = vec![path_tag(authority, url.path())];
        self.shared.purge(tags, mode, self.told(mode));
    }

    /// Everything.
    pub fn all(&self, mode: PurgeMode) {
        self.shared.purge_all(mode);
        let tags = vec![EVERYTHING.to_owned()];
        self.shared.purge_second(tags, self.told(mode));
    }

    /// Whether the second level, if there is one, has taken all of it, or does within `patience`. Else it
    /// goes on trying.
    pub async fn taken(&self, patience: Duration) -> bool {
        match &self.shared.second {
            Some(second) => second.confirms(patience).await,
            None => true,
        }
    }

    fn told(&self, mode: PurgeMode) -> Option<PurgeMode> {
        self.everywhere.then_some(mode)
    }
}

impl Shared {
    fn purge(&self, tags: Vec<String>, mode: PurgeMode, told: Option<PurgeMode>) {
        if tags.is_empty() {
            return;
        }
        self.purge_here(&tags, mode);
        self.purge_second(tags, told);
    }

    /// Purges what this instance has in memory.
    fn purge_here(&self, tags: &[String], mode: PurgeMode) {
        self.metrics.purges.inc();
        let purges = &self.store.purges;
        let hashes: Vec<u64> = tags.iter().map(|tag| purges.hash(tag)).collect();
        purges.purge(&hashes, mode, self.sources.now());
    }

    /// Purges all that this instance has in memory.
    fn purge_all(&self, mode: PurgeMode) {
        self.metrics.purges.inc();
        self.store.purges.purge_all(mode, self.sources.now());
        if mode == PurgeMode::Hard {
            self.store.clear();
        }
    }

    /// Purges paths, those of them at which anything may be stored or on its way.
    pub(crate) fn purge_expected(&self, mut tags: Vec<String>, mode: PurgeMode) {
        if self.second.is_none() {
            let purges = &self.store.purges;
            tags.retain(|tag| purges.expects_path(purges.hash(tag)));
        }
        self.purge(tags, mode, None);
    }

    fn purge_second(&self, tags: Vec<String>, told: Option<PurgeMode>) {
        if let Some(second) = &self.second {
            second.purge(TagPurge { tags, told }, &self.background);
        }
    }
}
