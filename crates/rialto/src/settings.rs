//! The configuration of a process, typed and checked.

mod peers;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use http::uri::Authority;
use platform::cache::CacheUrl;
use platform::config::{ConfigErrors, Layers, Section};
use platform::contract::PeerKey;
use platform::db::{DatabaseUrl, DbSettings};
use platform::http::HttpSettings;
use platform::telemetry::LogFormat;

pub use self::peers::Peers;
use crate::Role;

/// Everything that the configuration says.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The public listener and its stack.
    pub gateway: gateway::Config,
    /// Where health and metrics are.
    pub admin_listen: SocketAddr,
    /// Where the other processes call.
    pub internal: InternalSettings,
    /// Where the roles are that do not run here.
    pub peers: Peers,
    /// Limits of requests.
    pub http: HttpSettings,
    /// How long draining may take.
    pub drain: Duration,
    /// The database of each role.
    pub databases: BTreeMap<Role, DbSettings>,
    /// The roles whose database is not the common one.
    pub own_databases: BTreeSet<Role>,
    /// How events travel.
    pub bus: BusSettings,
    /// Where short-lived values are.
    pub cache: CacheUrl,
    /// Verified tokens that are remembered.
    pub cached_tokens: usize,
    /// Logs.
    pub telemetry: TelemetrySettings,
    /// The user service.
    pub user: user::Config,
    /// The product service.
    pub product: product::Config,
    /// The cart service.
    pub cart: cart::Config,
    /// The order service.
    pub order: order::Config,
    /// The feed service.
    pub feed: feed::Config,
    /// The notification service.
    pub notification: notification::Config,
}

/// The listener for other processes.
#[derive(Debug, Clone)]
pub struct InternalSettings {
    /// Its address.
    pub listen: SocketAddr,
    /// Where other processes find it, `HOST:PORT`; what it listens on, if nothing else is said.
    pub advertise: Option<Authority>,
    /// What processes prove to each other; `None` while every role runs in this one.
    pub key: Option<PeerKey>,
    /// Bytes of a contract message.
    pub body_limit: usize,
}

/// How events travel.
#[derive(Debug, Clone)]
pub struct BusSettings {
    /// How often an outbox is looked at that nobody has woken.
    pub poll: Duration,
    /// Attempts at an event before it is parked.
    pub attempts: u32,
    /// How long sent and handled events are kept.
    pub retention: Duration,
}

/// Logs.
#[derive(Debug, Clone)]
pub struct TelemetrySettings {
    /// What is logged.
    pub log: String,
    /// How lines look.
    pub format: LogFormat,
}

impl Settings {
    /// Reads the configuration for a process that runs `roles`; all that is wrong is told at once.
    pub fn read(layers: &Layers, roles: &BTreeSet<Role>) -> Result<Self, ConfigErrors> {
        match Self::read_all(layers, roles) {
            (settings, None) => Ok(settings),
            (_, Some(errors)) => Err(errors),
        }
    }

    /// Like [`read`](Self::read), but gives what there is even if something is wrong: a stand-in is
    /// in the place of each wrong value. For those who only look.
    pub fn read_all(layers: &Layers, roles: &BTreeSet<Role>) -> (Self, Option<ConfigErrors>) {
        let settings = Self {
            gateway: gateway::Config::read(&mut layers.section("gateway")),
            admin_listen: layers.section("admin").parse("listen"),
            internal: internal(&mut layers.section("internal")),
            peers: Peers::read(&mut layers.section("peers")),
            http: http(layers),
            drain: layers.section("http").duration("drain"),
            databases: databases(&mut layers.section("database")),
            own_databases: own_databases(&mut layers.section("database.roles")),
            bus: bus(&mut layers.section("bus")),
            cache: layers.section("cache").parse("url"),
            cached_tokens: layers.section("cache").parse("tokens"),
            telemetry: telemetry(&mut layers.section("telemetry")),
            user: user::Config::read(&mut layers.section("auth")),
            product: product::Config::read(&mut layers.section("product")),
            cart: cart::Config::read(&mut layers.section("cart"), &mut layers.section("payment")),
            order: order::Config::read(
                &mut layers.section("order"),
                &mut layers.section("payment"),
            ),
            feed: feed::Config::read(&mut layers.section("feed")),
            notification: notification::Config::read(
                &mut layers.section("notification"),
                &mut layers.section("mail"),
            ),
        };
        settings.check_peers(layers, roles);
        settings.peers.check(layers, roles);
        settings.check_advertised(layers, roles);
        settings.check_order(layers, roles);
        settings.check_templates(layers, roles);
        let errors = layers.finish().err();
        (settings, errors)
    }

    /// Where a process with `roles` listens, with the key that says so.
    pub fn listen_addresses(&self, roles: &BTreeSet<Role>) -> Vec<(&'static str, SocketAddr)> {
        let public = roles.contains(&Role::Gateway);
        // Others call only what is somewhere else for them; gateways are told of events and
        // instances.
        let called = roles.len() < Role::ALL.len() && !self.stands_alone(roles);
        let mut addresses = Vec::new();
        if public {
            addresses.push(("gateway.listen", self.gateway.listen));
            let redirect = self.gateway.redirect_listen;
            addresses.extend(redirect.map(|address| ("gateway.redirect_listen", address)));
        }
        if called {
            addresses.push(("internal.listen", self.internal.listen));
        }
        addresses.push(("admin.listen", self.admin_listen));
        addresses
    }

    /// The key that says where the database of `role` is.
    pub fn database_key(&self, role: Role) -> String {
        if self.own_databases.contains(&role) {
            format!("database.roles.{role}")
        } else {
            String::from("database.url")
        }
    }

    /// A gateway must be told of an address that leads somewhere.
    fn check_advertised(&self, layers: &Layers, roles: &BTreeSet<Role>) {
        let advertise = self.internal.advertise.as_ref();
        if advertise.is_some_and(|authority| authority.port().is_none()) {
            layers.report(
                "internal.advertise",
                "has no port",
                "write it as HOST:PORT, as the gateways reach it",
            );
        }
        let tells = !roles.contains(&Role::Gateway) && self.peers.know(Role::Gateway);
        if tells && advertise.is_none() && self.internal.listen.ip().is_unspecified() {
            layers.report(
                "internal.advertise",
                "is empty, and internal.listen is every address of this machine: gateways would \
                 not know where it is",
                "set internal.advertise = \"HOST:PORT\", as the gateways reach it",
            );
        }
    }

    /// A request that is still at work must not be taken for dead, nor stock that is still wanted.
    fn check_order(&self, layers: &Layers, roles: &BTreeSet<Role>) {
        let (lease, deadline) = (self.order.lease, self.http.deadline);
        if roles.contains(&Role::Order) && lease <= deadline {
            layers.report(
                "order.lease",
                format!("{lease:?} is not longer than http.deadline, {deadline:?}"),
                "make it longer: orders are undone that are older and still pending",
            );
        }
        let (waits, held) = (self.order.payment_timeout, self.order.reservation_ttl);
        if roles.contains(&Role::Order) && waits + lease >= held {
            layers.report(
                "order.reservation_ttl",
                format!(
                    "{held:?} is not longer than order.payment_timeout and order.lease, \
                     {waits:?} and {lease:?}"
                ),
                "make it longer: an order that is paid for late would have lost its stock",
            );
        }
    }

    /// A mail must not be the first to find out that its template is broken.
    fn check_templates(&self, layers: &Layers, roles: &BTreeSet<Role>) {
        if roles.contains(&Role::Notification) {
            for error in notification::check_templates(&self.notification) {
                let remedy = "correct the template, or remove the file to use the built-in one";
                layers.report("notification.templates", error.to_string(), remedy);
            }
        }
    }

    /// Whether this process is a gateway before other servers only: there is no shop behind it.
    pub fn stands_alone(&self, roles: &BTreeSet<Role>) -> bool {
        let gateway = roles.len() == 1 && roles.contains(&Role::Gateway);
        gateway
            && self.gateway.routes.is_some()
            && !Role::ALL.iter().any(|role| self.peers.know(*role))
    }

    /// A role that is needed and does not run here must be somewhere, and processes must be able
    /// to recognise each other.
    fn check_peers(&self, layers: &Layers, roles: &BTreeSet<Role>) {
        if self.stands_alone(roles) {
            return;
        }
        let needed: BTreeSet<Role> = roles
            .iter()
            .flat_map(|role| role.needs())
            .copied()
            .collect();
        for role in needed.difference(roles) {
            if !self.peers.know(*role) {
                let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
                layers.report(
                    &format!("peers.{role}"),
                    format!("{} needs {role}, which does not run in this process", names.join(", ")),
                    format!("set peers.{role} = [\"http://HOST:PORT\"] to its internal listener, or add --role {role}"),
                );
            }
        }
        if roles.len() < Role::ALL.len() && self.internal.key.is_none() {
            layers.report(
                "internal.key",
                "is empty, but roles run in several processes",
                "set the same random text of 32 characters or more in each process, for instance by RIALTO__INTERNAL__KEY",
            );
        }
    }
}

fn internal(section: &mut Section<'_>) -> InternalSettings {
    let key = section
        .secret("key")
        .and_then(|key| match PeerKey::new(&key) {
            Ok(key) => Some(key),
            Err(weak) => {
                section.report("key", weak.to_string(), "take 32 random characters or more");
                None
            }
        });
    InternalSettings {
        listen: section.parse("listen"),
        advertise: section.optional("advertise"),
        key,
        body_limit: section.bytes("body_limit"),
    }
}

fn http(layers: &Layers) -> HttpSettings {
    let mut section = layers.section("http");
    HttpSettings {
        deadline: section.duration("deadline"),
        header_timeout: section.duration("header_timeout"),
        header_limit: section.bytes("header_limit"),
        uri_limit: section.parse("uri_limit"),
        body_limit: section.bytes("body_limit"),
        body_rate: section.bytes("body_rate"),
        json_depth: section.parse("json_depth"),
        slow: layers.section("telemetry").duration("slow"),
        connections: layers.section("gateway").parse("connections"),
        connections_per_address: layers.section("gateway").parse("connections_per_address"),
    }
}

fn databases(section: &mut Section<'_>) -> BTreeMap<Role, DbSettings> {
    let common = DbSettings {
        url: section.parse("url"),
        write_connections: section.parse("write_connections"),
        read_connections: section.parse("read_connections"),
        queue: section.parse("queue"),
        wait: section.duration("wait"),
    };
    let mut own = section.section("roles");
    let databases = Role::ALL.iter().copied().filter(|role| role.has_database());
    databases
        .map(|role| {
            let url: Option<DatabaseUrl> = own.optional(role.as_str());
            let url = url.unwrap_or_else(|| common.url.clone());
            (
                role,
                DbSettings {
                    url,
                    ..common.clone()
                },
            )
        })
        .collect()
}

fn own_databases(section: &mut Section<'_>) -> BTreeSet<Role> {
    let roles = Role::ALL.iter().copied().filter(|role| role.has_database());
    roles
        .filter(|role| section.optional::<String>(role.as_str()).is_some())
        .collect()
}

fn bus(section: &mut Section<'_>) -> BusSettings {
    let url: String = section.parse("url");
    if url != "database:" {
        section.report(
            "url",
            format!("`{url}` is not a bus"),
            "this version has database:",
        );
    }
    BusSettings {
        poll: section.duration("poll"),
        attempts: section.parse("attempts"),
        retention: section.duration("retention"),
    }
}

fn telemetry(section: &mut Section<'_>) -> TelemetrySettings {
    TelemetrySettings {
        log: section.parse("log"),
        format: section.parse("format"),
    }
}
