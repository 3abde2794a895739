//! Puts the parts of a process together: the only place that decides, for each service, whether
//! it is here or in another process.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use cart::CartService;
use contracts::cart::{CartClient, CartServer};
use contracts::gateway::{GatewayClient, GatewayServer};
use contracts::product::{ProductClient, ProductServer};
use contracts::user::{UserClient, UserServer};
use feed::FeedService;
use gateway::Gateway;
use http::Uri;
use kernel::contract::{Dispatch, Transport};
use kernel::{Problem, Sources};
use notification::NotificationService;
use order::OrderService;
use parking_lot::Mutex;
use platform::auth::{Authenticator, JwkSet, KeySource};
use platform::cache::Cache;
use platform::contract::{LocalCalls, Peer, PeerSettings, RemoteCalls};
use platform::db::{Db, DbError, Migration};
use platform::events::{
    Bus, Consumer, DatabaseBus, Destination, EventSink, EventsClient, EventsServer, EverySink,
    Inbox, InboxSettings, LocalSinks, Relay, RemoteSink,
};
use platform::http::HttpContext;
use platform::metrics::Metrics;
use platform::tasks::TaskGroup;
use product::ProductService;
use user::UserService;

use crate::announce::Announced;
use crate::{Role, Settings, StartError, StartErrors, api};

type WrapSink = dyn Fn(Arc<dyn EventSink>) -> Arc<dyn EventSink> + Send + Sync;

/// What tests put in place of what a process has of its own.
#[derive(Clone)]
pub struct Hooks {
    /// Time, chance and ids.
    pub sources: Sources,
    /// Put between the bus and each inbox of the process.
    pub wrap_sink: Option<Arc<WrapSink>>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            sources: Sources::system(),
            wrap_sink: None,
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooks")
    }
}

/// The services of this process.
#[derive(Debug, Default, Clone)]
pub(crate) struct Services {
    pub(crate) user: Option<UserService>,
    pub(crate) product: Option<ProductService>,
    pub(crate) cart: Option<CartService>,
    pub(crate) order: Option<OrderService>,
    pub(crate) feed: Option<FeedService>,
    pub(crate) notification: Option<NotificationService>,
}

impl Services {
    /// Starts what they do in the background.
    pub(crate) fn start(&self, tasks: &TaskGroup) {
        self.user.iter().for_each(|service| service.start(tasks));
        self.product.iter().for_each(|service| service.start(tasks));
        self.cart.iter().for_each(|service| service.start(tasks));
        self.order.iter().for_each(|service| service.start(tasks));
        self.feed.iter().for_each(|service| service.start(tasks));
        self.notification
            .iter()
            .for_each(|service| service.start(tasks));
    }

    /// Does at once what the background would do by and by.
    pub(crate) async fn settle(&self) -> Result<(), DbError> {
        if let Some(service) = &self.user {
            service.settle().await?;
        }
        if let Some(service) = &self.product {
            service.settle().await?;
        }
        if let Some(service) = &self.cart {
            service.settle().await?;
        }
        if let Some(service) = &self.order {
            service.settle().await?;
        }
        if let Some(service) = &self.feed {
            service.settle().await?;
        }
        if let Some(service) = &self.notification {
            service.settle().await?;
        }
        Ok(())
    }

    /// What each role of this process does when events arrive.
    pub(crate) fn consumers(&self) -> Vec<(Role, Vec<Consumer>)> {
        let mut consumers = Vec::new();
        consumers.extend(self.user.iter().map(|s| (Role::User, s.consumers())));
        consumers.extend(self.product.iter().map(|s| (Role::Product, s.consumers())));
        consumers.extend(self.cart.iter().map(|s| (Role::Cart, s.consumers())));
        consumers.extend(self.order.iter().map(|s| (Role::Order, s.consumers())));
        consumers.extend(
            self.notification
                .iter()
                .map(|s| (Role::Notification, s.consumers())),
        );
        consumers
    }
}

/// A process, put together and not yet running.
pub(crate) struct Parts {
    pub(crate) services: Services,
    pub(crate) databases: BTreeMap<Role, Db>,
    pub(crate) relays: Vec<Arc<Relay>>,
    pub(crate) inboxes: Vec<Inbox>,
    /// The public stack, where the gateway runs here.
    pub(crate) public: Option<Gateway>,
    /// The services of this process, for other processes.
    pub(crate) routers: Vec<Router>,
    pub(crate) contracts: Vec<Arc<dyn Dispatch>>,
    /// Those that this process announces itself to.
    pub(crate) gateways: Vec<GatewayClient>,
    pub(crate) http: HttpContext,
}

/// Opens databases, builds services in the order of the call graph, joins them.
pub(crate) async fn build(
    settings: &Settings,
    roles: &BTreeSet<Role>,
    hooks: &Hooks,
    metrics: &Metrics,
) -> Result<Parts, StartErrors> {
    let wiring = Wiring {
        settings,
        roles,
        hooks,
        metrics,
        databases: open_databases(settings, roles, hooks, metrics).await?,
        local_calls: Arc::new(LocalCalls(metrics.clone())),
        peers: Mutex::default(),
    };
    let mut services = Services::default();
    let user = wiring.user(&mut services).await?;
    let product = wiring.product(&mut services).await?;
    let cart = wiring.cart(&mut services, &product).await?;
    wiring
        .order(&mut services, cart, product.clone(), user.clone())
        .await?;
    wiring.feed(&mut services, product, user.clone());
    wiring.notification(&mut services).await?;

    let http = wiring.http(user);
    let routers = wiring.routers(&services, &http);
    let public = roles
        .contains(&Role::Gateway)
        .then(|| wiring.gateway(routers.clone(), &http))
        .transpose()?;
    let (inboxes, sinks) = wiring.inboxes(&services, public.as_ref());
    let relays = wiring.relays(&sinks);
    let gateways = wiring.gateways();
    let contracts = wiring.contracts(&services, sinks);
    let databases = wiring.databases;
    Ok(Parts {
        services,
        databases,
        relays,
        inboxes,
        public,
        routers,
        contracts,
        gateways,
        http,
    })
}

struct Wiring<'a> {
    settings: &'a Settings,
    roles: &'a BTreeSet<Role>,
    hooks: &'a Hooks,
    metrics: &'a Metrics,
    databases: BTreeMap<Role, Db>,
    local_calls: Arc<LocalCalls>,
    /// One for each role elsewhere.
    peers: Mutex<BTreeMap<Role, Arc<Peer>>>,
}

type Sinks = Vec<(&'static str, Arc<dyn EventSink>)>;

impl Wiring<'_> {
    async fn user(&self, services: &mut Services) -> Result<UserClient, StartError> {
        let Some(db) = self.databases.get(&Role::User) else {
            return Ok(UserClient::remote(self.remote_calls(Role::User)));
        };
        let cache = Cache::new(
            &self.settings.cache,
            100_000,
            self.hooks.sources.clone(),
            self.metrics.redis("cache"),
        );
        let deps = user::Deps {
            db: db.clone(),
            cache,
            config: self.settings.user.clone(),
        };
        let service = UserService::build(deps)
            .await
            .map_err(cannot_start(Role::User))?;
        services.user = Some(service.clone());
        Ok(UserClient::local(
            Arc::new(service),
            self.local_calls.clone(),
        ))
    }

    async fn product(&self, services: &mut Services) -> Result<ProductClient, StartError> {
        let Some(db) = self.databases.get(&Role::Product) else {
            return Ok(ProductClient::remote(self.remote_calls(Role::Product)));
        };
        let deps = product::Deps {
            db: db.clone(),
            config: self.settings.product.clone(),
            metrics: self.metrics.search.clone(),
        };
        let service = ProductService::build(deps)
            .await
            .map_err(cannot_start(Role::Product))?;
        services.product = Some(service.clone());
        Ok(ProductClient::local(
            Arc::new(service),
            self.local_calls.clone(),
        ))
    }

    async fn cart(
        &self,
        services: &mut Services,
        product: &ProductClient,
    ) -> Result<CartClient, StartError> {
        let Some(db) = self.databases.get(&Role::Cart) else {
            return Ok(CartClient::remote(self.remote_calls(Role::Cart)));
        };
        let config = self.settings.cart.clone();
        let deps = cart::Deps {
            db: db.clone(),
            product: product.clone(),
            config,
        };
        let service = CartService::build(deps)
            .await
            .map_err(cannot_start(Role::Cart))?;
        services.cart = Some(service.clone());
        Ok(CartClient::local(
            Arc::new(service),
            self.local_calls.clone(),
        ))
    }

    async fn order(
        &self,
        services: &mut Services,
        cart: CartClient,
        product: ProductClient,
        user: UserClient,
    ) -> Result<(), StartError> {
        if let Some(db) = self.databases.get(&Role::Order).cloned() {
            let deps = order::Deps {
                db,
                cart,
                product,
                user,
                config: self.settings.order.clone(),
            };
            let service = OrderService::build(deps)
                .await
                .map_err(cannot_start(Role::Order))?;
            services.order = Some(service);
        }
        Ok(())
    }

    fn feed(&self, services: &mut Services, product: ProductClient, user: UserClient) {
        if let Some(db) = self.databases.get(&Role::Feed).cloned() {
            services.feed = Some(FeedService::build(feed::Deps {
                db,
                product,
                user,
                config: self.settings.feed.clone(),
            }));
        }
    }

    async fn notification(&self, services: &mut Services) -> Result<(), StartError> {
        if let Some(db) = self.databases.get(&Role::Notification).cloned() {
            let deps = notification::Deps {
                db,
                config: self.settings.notification.clone(),
            };
            let service = NotificationService::build(deps).await;
            services.notification = Some(service.map_err(cannot_start(Role::Notification))?);
        }
        Ok(())
    }

    /// The instances of a role in other processes.
    fn peer(&self, role: Role) -> Arc<Peer> {
        let known = self.peers.lock().get(&role).cloned();
        known.unwrap_or_else(|| {
            let peer = self.peer_at(role, self.settings.peers.of(role));
            self.peers.lock().insert(role, peer.clone());
            peer
        })
    }

    fn peer_at(&self, role: Role, addresses: &[Uri]) -> Arc<Peer> {
        let key = self.settings.internal.key.clone();
        let key = key.expect("the configuration was checked: several processes have a key");
        let settings = PeerSettings {
            deadline: self.settings.http.deadline,
            body_limit: self.settings.internal.body_limit,
        };
        Peer::new(
            role.as_str(),
            addresses,
            key,
            self.hooks.sources.clone(),
            settings,
            self.metrics,
        )
    }

    fn remote_calls(&self, role: Role) -> Arc<dyn Transport> {
        // A role that nobody here needs is never called.
        let needed = self.roles.iter().any(|mine| mine.needs().contains(&role));
        if !needed || self.settings.stands_alone(self.roles) {
            return self.local_calls.clone();
        }
        Arc::new(RemoteCalls::new(self.peer(role), self.metrics.clone()))
    }

    /// Calls to each gateway in another process: what one of them is told, the others are not.
    fn gateway_calls(&self) -> impl Iterator<Item = Arc<dyn Transport>> {
        let here = self.roles.contains(&Role::Gateway);
        let elsewhere = self.settings.peers.of(Role::Gateway).iter();
        elsewhere.filter(move |_| !here).map(|address| {
            let peer = self.peer_at(Role::Gateway, std::slice::from_ref(address));
            Arc::new(RemoteCalls::new(peer, self.metrics.clone())) as _
        })
    }

    /// The gateways that this process announces itself to.
    fn gateways(&self) -> Vec<GatewayClient> {
        self.gateway_calls().map(GatewayClient::remote).collect()
    }

    fn http(&self, user: UserClient) -> HttpContext {
        let authenticator = Authenticator::new(
            Box::new(UserKeys(user)),
            self.hooks.sources.clone(),
            self.settings.user.issuer.clone(),
            self.settings.cached_tokens,
            self.metrics,
        );
        HttpContext {
            settings: Arc::new(self.settings.http.clone()),
            sources: self.hooks.sources.clone(),
            metrics: self.metrics.clone(),
            authenticator,
        }
    }

    fn inboxes(&self, services: &Services, gateway: Option<&Gateway>) -> (Vec<Inbox>, Sinks) {
        let settings = InboxSettings {
            attempts: self.settings.bus.attempts,
            poll: self.settings.bus.poll,
        };
        let (mut inboxes, mut sinks) = (Vec::new(), Sinks::new());
        for (role, consumers) in services.consumers() {
            let db = self.databases[&role].clone();
            let inbox = Inbox::new(db, consumers, self.metrics.clone(), settings);
            sinks.push((role.as_str(), self.wrapped(Arc::new(inbox.clone()))));
            inboxes.push(inbox);
        }
        if let Some(gateway) = gateway {
            let sink = self.wrapped(Arc::new(gateway.clone()));
            sinks.push((Role::Gateway.as_str(), sink));
        }
        (inboxes, sinks)
    }

    fn wrapped(&self, sink: Arc<dyn EventSink>) -> Arc<dyn EventSink> {
        match &self.hooks.wrap_sink {
            Some(wrap) => wrap(sink),
            None => sink,
        }
    }

    /// For each role of this process, a relay that reaches the inboxes of all roles.
    fn relays(&self, sinks: &Sinks) -> Vec<Arc<Relay>> {
        let destinations: Vec<Destination> = Role::ALL
            .iter()
            .map(|role| (*role, subscriptions(*role)))
            .filter(|(_, event_types)| !event_types.is_empty())
            .filter_map(|(role, event_types)| {
                let event_types = event_types.iter().copied().collect();
                Some(Destination {
                    role: role.as_str(),
                    event_types,
                    sink: self.sink(role, sinks)?,
                })
            })
            .collect();
        let bus = &self.settings.bus;
        self.databases
            .values()
            .map(|db| {
                let carrier = Bus::Database(DatabaseBus::new(db.clone(), destinations.clone()));
                Relay::new(
                    db.clone(),
                    carrier,
                    self.metrics.clone(),
                    bus.poll,
                    bus.retention,
                )
            })
            .collect()
    }

    fn sink(&self, role: Role, sinks: &Sinks) -> Option<Arc<dyn EventSink>> {
        if let Some((_, sink)) = sinks.iter().find(|(name, _)| *name == role.as_str()) {
            return Some(sink.clone());
        }
        if role == Role::Gateway {
            let gateways = self.gateway_calls();
            let sinks: Vec<_> = gateways
                .map(|calls| RemoteSink::new(role.as_str(), EventsClient::remote(calls)))
                .collect();
            return (!sinks.is_empty()).then(|| Arc::new(EverySink(sinks)) as _);
        }
        let needed = self.roles.iter().any(|mine| mine.needs().contains(&role));
        needed.then(|| -> Arc<dyn EventSink> {
            let client = EventsClient::remote(self.remote_calls(role));
            Arc::new(RemoteSink::new(role.as_str(), client))
        })
    }

    fn routers(&self, services: &Services, http: &HttpContext) -> Vec<Router> {
        let mut routers = Vec::new();
        routers.extend(services.user.clone().map(|s| user::routes().serve(s, http)));
        routers.extend(
            services
                .product
                .clone()
                .map(|s| product::routes().serve(s, http)),
        );
        routers.extend(services.cart.clone().map(|s| cart::routes().serve(s, http)));
        routers.extend(
            services
                .order
                .clone()
                .map(|s| order::routes().serve(s, http)),
        );
        routers.extend(services.feed.clone().map(|s| feed::routes().serve(s, http)));
        routers.extend(
            services
                .notification
                .clone()
                .map(|s| notification::routes().serve(s, http)),
        );
        routers
    }

    fn gateway(&self, local: Vec<Router>, http: &HttpContext) -> Result<Gateway, StartError> {
        let routes = if self.settings.stands_alone(self.roles) {
            Vec::new()
        } else {
            api::all_routes()
        };
        let mut elsewhere: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for route in &routes {
            let role: Role = route.role.parse().expect("routes belong to roles");
            if !self.roles.contains(&role) {
                elsewhere
                    .entry(role.as_str())
                    .or_default()
                    .push(route.clone());
            }
        }
        let remote = elsewhere
            .into_iter()
            .map(|(role, routes)| gateway::RemoteService {
                routes,
                peer: self.peer(role.parse().expect("it was a role before")),
            });
        let services = gateway::Services {
            local,
            remote: remote.collect(),
            routes,
        };
        let document = api::openapi()
            .to_json()
            .expect("the document is plain data");
        Gateway::build(&self.settings.gateway, services, document, http).map_err(StartError::Table)
    }

    fn contracts(&self, services: &Services, sinks: Sinks) -> Vec<Arc<dyn Dispatch>> {
        let mut contracts: Vec<Arc<dyn Dispatch>> =
            vec![Arc::new(EventsServer(Arc::new(LocalSinks(sinks))))];
        if let Some(service) = services.user.clone() {
            contracts.push(Arc::new(UserServer(Arc::new(service))));
        }
        if let Some(service) = services.product.clone() {
            contracts.push(Arc::new(ProductServer(Arc::new(service))));
        }
        if let Some(service) = services.cart.clone() {
            contracts.push(Arc::new(CartServer(Arc::new(service))));
        }
        if self.roles.contains(&Role::Gateway) {
            let announced = Role::ALL.iter().copied();
            let announced = announced.filter(|role| self.settings.peers.announced(*role));
            let announced = announced.map(|role| (role, self.peer(role))).collect();
            contracts.push(Arc::new(GatewayServer(Arc::new(Announced(announced)))));
        }
        contracts
    }
}

/// The types of events that a role listens to.
pub fn subscriptions(role: Role) -> &'static [&'static str] {
    match role {
        Role::Gateway => gateway::SUBSCRIPTIONS,
        Role::User => user::SUBSCRIPTIONS,
        Role::Product => product::SUBSCRIPTIONS,
        Role::Cart => cart::SUBSCRIPTIONS,
        Role::Order => order::SUBSCRIPTIONS,
        Role::Feed => &[],
        Role::Notification => notification::SUBSCRIPTIONS,
    }
}

/// The schema of each role; nothing for roles without a database.
pub fn migrations(role: Role) -> &'static [Migration] {
    match role {
        Role::Gateway => &[],
        Role::User => user::MIGRATIONS,
        Role::Product => product::MIGRATIONS,
        Role::Cart => cart::MIGRATIONS,
        Role::Order => order::MIGRATIONS,
        Role::Feed => feed::MIGRATIONS,
        Role::Notification => notification::MIGRATIONS,
    }
}

/// Opens the database of one role, without migrating it.
pub async fn open_database(
    settings: &Settings,
    role: Role,
    sources: Sources,
    metrics: &Metrics,
) -> Result<Db, StartError> {
    let database = &settings.databases[&role];
    let opened = Db::open(role.as_str(), database, sources, metrics.db(role.as_str())).await;
    opened.map_err(|error| StartError::database(settings, role, &error))
}

/// Opens and migrates the databases of `roles`; tells every one that cannot be had.
async fn open_databases(
    settings: &Settings,
    roles: &BTreeSet<Role>,
    hooks: &Hooks,
    metrics: &Metrics,
) -> Result<BTreeMap<Role, Db>, StartErrors> {
    let roles = roles.iter().copied().filter(|role| role.has_database());
    let opening = roles.map(|role| open_migrated(settings, role, hooks, metrics));
    let (mut databases, mut errors) = (BTreeMap::new(), Vec::new());
    for opened in futures_util::future::join_all(opening).await {
        match opened {
            Ok((role, db)) => drop(databases.insert(role, db)),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(databases)
    } else {
        Err(StartErrors(errors))
    }
}

async fn open_migrated(
    settings: &Settings,
    role: Role,
    hooks: &Hooks,
    metrics: &Metrics,
) -> Result<(Role, Db), StartError> {
    let db = open_database(settings, role, hooks.sources.clone(), metrics).await?;
    let migrated = db.migrate(migrations(role)).await;
    let applied = migrated.map_err(|source| StartError::Migrate { role, source })?;
    if !applied.is_empty() {
        tracing::info!(
            role = role.as_str(),
            applied = applied.len(),
            "the schema was migrated"
        );
    }
    Ok((role, db))
}

fn cannot_start<E: std::error::Error + Send + Sync + 'static>(
    role: Role,
) -> impl Fn(E) -> StartError {
    move |error| StartError::Service {
        role,
        source: Box::new(error),
    }
}

/// The keys of the user service, wherever it is.
struct UserKeys(UserClient);

impl KeySource for UserKeys {
    fn keys(&self) -> Pin<Box<dyn Future<Output = Result<JwkSet, Problem>> + Send + '_>> {
        Box::pin(async move {
            let keys = self.0.verification_keys(()).await?;
            let unreadable = |error: serde_json::Error| {
                let code = kernel::problem::codes::INTERNAL;
                Problem::new(kernel::Kind::Internal, code, format!("the keys: {error}"))
            };
            serde_json::from_value(keys).map_err(unreadable)
        })
    }
}
