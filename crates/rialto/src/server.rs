//! A process of the shop: built, then run until it is told to stop.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use contracts::gateway::GatewayClient;
use gateway::ToHttps;
use platform::db::DbError;
use platform::events::Consumer;
use platform::http::HttpSettings;
use platform::http::serve::{self, Gate, Routed, Threads};
use platform::metrics::Metrics;
use platform::tasks::{Shutdown, TaskGroup};
use tokio::net::TcpListener;
use wire::server::Connection;
use wire::tls::{InUse, LoadErrors, Tls};

use crate::admin::{self, Health};
use crate::announce::{Announcer, reachable};
use crate::internal::{self, Internal};
use crate::wiring::{self, Parts};
use crate::{Hooks, Role, Settings, StartError, StartErrors};

/// The open listeners of a process. Tests bind theirs to port 0 and hand them in.
#[derive(Debug)]
pub struct Listeners {
    /// The public one, where the gateway runs.
    pub gateway: Option<TcpListener>,
    /// The one that leads to it from plain HTTP, where there is one.
    pub redirect: Option<TcpListener>,
    /// The one for other processes, where not every role runs here.
    pub internal: Option<TcpListener>,
    /// Health and metrics.
    pub admin: Option<TcpListener>,
}

impl Listeners {
    /// Binds what a process with `roles` needs; tells every address that is taken.
    pub fn bind(settings: &Settings, roles: &BTreeSet<Role>) -> Result<Self, StartErrors> {
        let mut bound = BTreeMap::new();
        let mut errors = Vec::new();
        for (key, address) in settings.listen_addresses(roles) {
            match serve::bind(address) {
                Ok(listener) => drop(bound.insert(key, listener)),
                Err(source) => errors.push(StartError::Bind {
                    key,
                    address,
                    source,
                }),
            }
        }
        if !errors.is_empty() {
            return Err(StartErrors(errors));
        }
        Ok(Self {
            gateway: bound.remove("gateway.listen"),
            redirect: bound.remove("gateway.redirect_listen"),
            internal: bound.remove("internal.listen"),
            admin: bound.remove("admin.listen"),
        })
    }
}

impl Listeners {
    /// Where they listen, with the key that says so; the port is the one that the system chose if
    /// the configuration says 0.
    pub fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        let all = [
            ("gateway.listen", &self.gateway),
            ("gateway.redirect_listen", &self.redirect),
            ("internal.listen", &self.internal),
            ("admin.listen", &self.admin),
        ];
        let bound = all.into_iter().filter_map(|(key, listener)| {
            let address = listener.as_ref()?.local_addr().ok()?;
            Some((key, address))
        });
        bound.collect()
    }
}

/// A process of the shop, put together and not yet running.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    listeners: Listeners,
    public: Option<(gateway::Gateway, gateway::Fronts)>,
    internal: Option<Internal>,
    announcer: Option<Announcer>,
    health: Health,
    handle: Handle,
}

/// A part of the process ended before anybody asked; the log says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a part of the server ended too early; the log says which")]
pub struct PartEnded;

/// Reaches into a running process, for tests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle(Arc<Running>);

#[derive(Debug)]
struct Running {
    services: wiring::Services,
    relays: Vec<Arc<platform::events::Relay>>,
    inboxes: Vec<platform::events::Inbox>,
    databases: Vec<(Role, platform::db::Db)>,
    tls: Option<Tls>,
}

impl Server {
    /// Opens databases, migrates them, and puts everything together.
    pub async fn build(
        settings: Settings,
        roles: &BTreeSet<Role>,
        listeners: Listeners,
        hooks: &Hooks,
    ) -> Result<Self, StartErrors> {
        let metrics = Metrics::new();
        let fronts = if roles.contains(&Role::Gateway) {
            let fronts = settings
                .gateway
                .fronts(settings.http.header_timeout, &metrics);
            fronts.map_err(StartErrors::from)?
        } else {
            gateway::Fronts::default()
        };
        let parts = wiring::build(&settings, roles, hooks, &metrics).await?;
        let Parts {
            services,
            databases,
            relays,
            inboxes,
            public,
            routers,
            contracts,
            gateways,
            http,
        } = parts;
        let internal = settings.internal.key.clone().map(|key| {
            internal::build(contracts, routers, key, settings.internal.body_limit, &http)
        });
        let announcer = announcer(&settings, roles, gateways, &listeners);
        let product = services.product.clone();
        let health = Health::new(databases.clone(), product, public.clone(), metrics);
        let databases = databases.into_iter().collect();
        let handle = Handle(Arc::new(Running {
            services,
            relays,
            inboxes,
            databases,
            tls: fronts.public.front.tls.clone(),
        }));
        Ok(Self {
            settings,
            listeners,
            public: public.map(|gateway| (gateway, fronts)),
            internal,
            announcer,
            health,
            handle,
        })
    }

    /// Where it can be reached.
    pub fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        self.listeners.addresses()
    }

    /// The public stack, where the gateway runs here.
    pub fn gateway(&self) -> Option<gateway::Gateway> {
        self.public.as_ref().map(|(gateway, _)| gateway.clone())
    }

    /// Reaches into the process while it runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Runs until `shutdown` begins or a part fails, then drains: readiness fails, listeners close
    /// and running requests finish, then background tasks end, the outbox is flushed, and the
    /// databases close. Fails if a part ended before anybody asked.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), PartEnded> {
        let http = Arc::new(self.settings.http.clone());
        // Processes of the shop have many connections from one address.
        let inside = Arc::new(HttpSettings {
            connections_per_address: 0,
            ..self.settings.http.clone()
        });
        let front = TaskGroup::new(Shutdown::new());
        let back = TaskGroup::new(Shutdown::new());
        let gateway = self.gateway();
        if let Some((gateway, fronts)) = self.public {
            let upkeep = gateway.clone().keep(back.shutdown().clone());
            back.spawn("gateway upkeep", upkeep);
            let (config, gates) = (
                &self.settings.gateway,
                (self.listeners.gateway, self.listeners.redirect),
            );
            open_gates(&front, config, gates, (gateway, fronts), &http);
        }
        if let (Some(listener), Some(internal)) = (self.listeners.internal, self.internal) {
            let stop = front.shutdown().clone();
            let serving = serve::serve(listener, internal, inside.clone(), Threads::Shared, stop);
            front.spawn("internal listener", serving);
        }
        let announcing = TaskGroup::new(Shutdown::new());
        if let Some(announcer) = self.announcer {
            let stop = announcing.shutdown().clone();
            announcing.spawn("announcements", announcer.run(stop));
        }
        // Health is told until the very end.
        let admin = TaskGroup::new(Shutdown::new());
        if let Some(listener) = self.listeners.admin {
            let routed = Routed(admin::router(self.health.clone(), gateway));
            let stop = admin.shutdown().clone();
            let serving = serve::serve(listener, routed, inside.clone(), Threads::Shared, stop);
            admin.spawn("admin listener", serving);
        }
        self.handle.0.start(&back);
        let ended = tokio::select! {
            () = shutdown.requested() => Ok(()),
            () = front.shutdown().requested() => Err(PartEnded),
            () = back.shutdown().requested() => Err(PartEnded),
        };
        tracing::info!("draining");
        self.health.drain();
        // Nobody is led here any more before the listeners close.
        announcing.shutdown().begin();
        announcing.drain(self.settings.drain).await;
        front.shutdown().begin();
        front.drain(self.settings.drain).await;
        back.shutdown().begin();
        back.drain(self.settings.drain).await;
        for (_, db) in &self.handle.0.databases {
            db.close().await;
        }
        admin.shutdown().begin();
        admin.drain(self.settings.drain).await;
        ended
    }
}

/// Tells gateways of this process, if there are any to tell.
fn announcer(
    settings: &Settings,
    roles: &BTreeSet<Role>,
    gateways: Vec<GatewayClient>,
    listeners: &Listeners,
) -> Option<Announcer> {
    if gateways.is_empty() {
        return None;
    }
    let advertised = settings
        .internal
        .advertise
        .as_ref()
        .map(ToString::to_string);
    let address = advertised.or_else(|| {
        let bound = listeners.internal.as_ref()?.local_addr().ok()?;
        reachable(bound)
    })?;
    Some(Announcer::new(gateways, roles.iter().copied(), address))
}

/// Opens the public listeners, and looks after their certificates.
fn open_gates(
    front: &TaskGroup,
    config: &gateway::Config,
    (public, redirect): (Option<TcpListener>, Option<TcpListener>),
    (gateway, fronts): (gateway::Gateway, gateway::Fronts),
    http: &Arc<HttpSettings>,
) {
    let stop = || front.shutdown().clone();
    if let Some(tls) = fronts.public.front.tls.clone() {
        front.spawn("certificates", tls.watch(config.tls_watch, stop().token()));
    }
    if let Some(listener) = public {
        let threads = Threads::Own(config.workers);
        let gate = Gate {
            watch: gateway.watch(),
            ..fronts.public
        };
        let (http, stop) = (http.clone(), stop());
        let serving = async move {
            // Who connects meanwhile waits in the queue of the kernel.
            tokio::select! {
                () = gateway.readiness() => {}
                () = stop.requested() => {}
            }
            let services = move |connection: &Connection| gateway.service(connection);
            serve::serve_behind(listener, gate, services, http, threads, stop).await;
        };
        front.spawn("gateway listener", serving);
    }
    if let Some(listener) = redirect {
        let (leads, threads) = (ToHttps::to(config.redirect_port), Threads::Shared);
        let serving = serve::serve_behind(
            listener,
            fronts.redirect,
            move |_: &Connection| leads,
            http.clone(),
            threads,
            stop(),
        );
        front.spawn("redirect listener", serving);
    }
}

impl Running {
    /// Starts what goes on in the background.
    fn start(&self, back: &TaskGroup) {
        for relay in &self.relays {
            back.spawn("relay", relay.clone().run(back.shutdown().clone()));
        }
        for inbox in &self.inboxes {
            back.spawn("inbox", inbox.clone().run(back.shutdown().clone()));
        }
        self.services.start(back);
    }
}

impl Handle {
    /// Reads the certificates of the public listener again; what cannot be used is told, and what
    /// it was to replace stays. Reads from the disk.
    pub fn reload_certificates(&self) -> Result<(), LoadErrors> {
        self.0.tls.as_ref().map_or(Ok(()), Tls::reload)
    }

    /// The certificates of the public listener.
    pub fn certificates(&self) -> Vec<InUse> {
        self.0.tls.as_ref().map(Tls::in_use).unwrap_or_default()
    }

    /// One round of what the background would do by and by; returns how many events were sent or
    /// retried. Nothing is left to do when every process of a shop returns zero.
    pub async fn settle(&self) -> Result<usize, DbError> {
        let mut done = 0;
        for relay in &self.0.relays {
            done += relay.flush().await?;
            done += relay.retry().await?;
        }
        for inbox in &self.0.inboxes {
            done += inbox.retry_due().await?;
        }
        self.0.services.settle().await?;
        Ok(done)
    }

    /// Events that were not sent yet.
    pub async fn pending_events(&self) -> Result<i64, DbError> {
        let mut pending = 0;
        for relay in &self.0.relays {
            pending += relay.pending().await?;
        }
        Ok(pending)
    }

    /// What a role that runs here does when events arrive.
    pub fn consumers(&self, role: Role) -> Option<Vec<Consumer>> {
        let all = self.0.services.consumers();
        all.into_iter()
            .find_map(|(mine, consumers)| (mine == role).then_some(consumers))
    }

    /// The database of a role that runs here.
    pub fn database(&self, role: Role) -> Option<&platform::db::Db> {
        self.0
            .databases
            .iter()
            .find(|(mine, _)| *mine == role)
            .map(|(_, db)| db)
    }
}
