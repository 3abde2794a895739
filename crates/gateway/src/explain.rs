//! What would become of a request, without sending it.

mod policies;

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, Method, Uri};
use kernel::Sources;
use platform::cache::CacheUrl;
use platform::http::RouteInfo;
use platform::metrics::Metrics;
use platform::tasks::Shutdown;
use serde::Serialize;

pub use self::policies::Policy;
use self::policies::policies;
use crate::cache::{HttpCache, StoreSettings};
use crate::client_address::Forwarding;
use crate::identity::Shared;
use crate::limit::Counters;
use crate::path::normalise;
use crate::router::Found;
use crate::shop::paths;
use crate::snapshot::{Asked, Snapshot, Surroundings, Target};
use crate::table::{self, Files, Source, Table};
use crate::{TableErrors, forward};

/// A table to ask about.
#[derive(Debug)]
pub struct Explainer {
    table: Snapshot,
    /// As the table says them.
    definitions: Vec<table::Route>,
    shop: Vec<RouteInfo>,
}

/// What there is in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// How many routes.
    pub routes: usize,
    /// How many upstreams.
    pub upstreams: usize,
}

/// What would become of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "answered_by")]
pub enum Explanation {
    /// A route of the table leads to an upstream.
    Upstream {
        /// The route.
        route: String,
        /// Its path.
        template: String,
        /// The upstreams, and their shares of all requests.
        upstreams: Vec<(String, u64)>,
        /// Their servers.
        servers: Vec<String>,
        /// What they see.
        target: String,
        /// What it does with requests, in the order in which they meet it.
        policies: Vec<Policy>,
        /// What the request is checked by.
        #[serde(skip_serializing_if = "Option::is_none")]
        checked_by: Option<String>,
    },
    /// An answer that is put together.
    Compose {
        /// The route.
        route: String,
        /// Its parts, and what is asked for.
        parts: Vec<(String, String)>,
    },
    /// A route of the table sends the client elsewhere.
    Redirect {
        /// The route.
        route: String,
        /// The status.
        status: u16,
        /// Where to.
        location: String,
    },
    /// An operation of the shop.
    Shop {
        /// The role that has it.
        role: String,
        /// The operation.
        operation: String,
        /// Its path.
        template: String,
        /// Who may call it.
        access: String,
    },
    /// Nobody: 404.
    Nobody,
    /// The path is there, with other methods: 405.
    OtherMethods {
        /// Which.
        methods: Vec<String>,
    },
    /// The path is refused: 400.
    Refused {
        /// Why.
        problem: String,
    },
}

impl Explainer {
    /// Reads a table, or takes none; `shop` are the routes behind it.
    pub fn new(source: Option<&Source>, shop: Vec<RouteInfo>) -> Result<Self, TableErrors> {
        let table = source.map(|source| Table::read(source, &mut Files::default()));
        let table = table.transpose()?.unwrap_or_default();
        Ok(Self::of(&table, shop))
    }

    /// Of a checked table.
    pub(crate) fn of(table: &Table, shop: Vec<RouteInfo>) -> Self {
        let (sources, metrics) = (Sources::system(), Metrics::new());
        let (memory, nobody) = (CacheUrl::Memory, Shutdown::new());
        let store = StoreSettings::default();
        let around = Surroundings {
            counters: Counters::new(&memory, Duration::ZERO, sources.clone(), &metrics),
            cache: HttpCache::new(store, sources, &metrics.http_cache, None, nobody),
            workers: 1,
            longest: Duration::from_secs(10),
            forwarding: Forwarding::default(),
            identity: Shared::new(Sources::system(), &metrics),
            metrics,
        };
        let routes = table.routes.iter().map(toml::Spanned::get_ref);
        Self {
            table: Snapshot::new(table, &Snapshot::default(), &around),
            definitions: routes.cloned().collect(),
            shop,
        }
    }

    /// How much there is.
    pub fn summary(&self) -> Summary {
        Summary {
            routes: self.table.routes().len(),
            upstreams: self.table.upstreams().count(),
        }
    }

    /// What would become of a request for `target`, a path with or without a query.
    pub fn explain(&self, method: &Method, target: &Uri, headers: &HeaderMap) -> Explanation {
        let path = match normalise(target.path()) {
            Ok(path) => path,
            Err(bad) => {
                return Explanation::Refused {
                    problem: bad.to_string(),
                };
            }
        };
        let normal = forward::with_path(target, &path).unwrap_or_default();
        let asked = Asked {
            method,
            uri: &normal,
            headers,
        };
        match self.table.find(&asked) {
            Ok(route) => self.of_route(route, method, &normal),
            Err(Found::OtherMethods(methods)) => match self.of_shop(method, &path) {
                Explanation::Nobody => other_methods(&methods),
                shop => shop,
            },
            Err(_) => self.of_shop(method, &path),
        }
    }

    fn of_route(
        &self,
        route: &crate::snapshot::Route,
        method: &Method,
        target: &Uri,
    ) -> Explanation {
        let name = route.name.clone();
        match &route.target {
            Target::Redirect(redirect) => Explanation::Redirect {
                route: name,
                status: redirect.status(),
                location: redirect.location(target.path(), target.query()),
            },
            Target::Compose(compose) => {
                let parts = compose.parts();
                Explanation::Compose {
                    route: name,
                    parts: parts
                        .map(|(name, get)| (name.to_owned(), get.to_owned()))
                        .collect(),
                }
            }
            Target::Forward(stack) => {
                let forward = stack.forward();
                let mut definitions = self.definitions.iter();
                let definition = definitions.find(|definition| definition.name == name);
                let shares = forward
                    .shares()
                    .map(|(name, share)| (name.to_owned(), share));
                let upstreams: Vec<(String, u64)> = shares.collect();
                let theirs = self
                    .table
                    .upstreams()
                    .filter(|upstream| upstreams.iter().any(|(name, _)| **name == *upstream.name));
                let servers = theirs.flat_map(|upstream| upstream.states());
                let seen = forward.path(target.path());
                let seen = seen.unwrap_or_else(|| target.path().to_owned());
                let query = target.query().map(|query| format!("?{query}"));
                Explanation::Upstream {
                    route: name,
                    template: route.template.clone(),
                    servers: servers.map(|server| server.url).collect(),
                    upstreams,
                    target: seen + &query.unwrap_or_default(),
                    policies: definition.map(policies).unwrap_or_default(),
                    checked_by: stack.validate().map(|of| of.explain(method, target.path())),
                }
            }
        }
    }

    fn of_shop(&self, method: &Method, path: &str) -> Explanation {
        match paths(&self.shop).find(method, "", path, &HeaderMap::new()) {
            Found::Route(index) => {
                let route = &self.shop[index];
                Explanation::Shop {
                    role: route.role.to_owned(),
                    operation: route.operation.to_owned(),
                    template: route.path.clone(),
                    access: route.access.to_string(),
                }
            }
            Found::OtherMethods(methods) => other_methods(&methods),
            Found::Nothing => Explanation::Nobody,
        }
    }
}

fn other_methods(methods: &[Method]) -> Explanation {
    Explanation::OtherMethods {
        methods: methods.iter().map(ToString::to_string).collect(),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream {
                route,
                template,
                upstreams,
                servers,
                target,
                policies,
                checked_by,
            } => {
                let all: u64 = upstreams.iter().map(|(_, share)| share).sum();
                writeln!(f, "route      {route} ({template})")?;
                for (name, share) in upstreams {
                    writeln!(f, "upstream   {name}, {share} of {all} requests")?;
                }
                if let Some(document) = checked_by {
                    writeln!(f, "checked by {document}")?;
                }
                let servers = if servers.is_empty() {
                    String::from("none known before the gateway runs")
                } else {
                    servers.join(", ")
                };
                write!(f, "servers    {servers}\nthey see   {target}")?;
                let mut policies = policies.iter();
                policies.try_for_each(|(kind, says)| write!(f, "\n{kind:<10} {says}"))
            }
            Self::Redirect {
                route,
                status,
                location,
            } => {
                write!(
                    f,
                    "route      {route}\nanswer     {status}, Location: {location}"
                )
            }
            Self::Shop {
                role,
                operation,
                template,
                access,
            } => {
                write!(
                    f,
                    "operation  {operation} ({template})\nrole       {role}\naccess     {access}"
                )
            }
            Self::Compose { route, parts } => {
                write!(f, "route      {route}")?;
                let mut parts = parts.iter();
                parts.try_for_each(|(name, get)| write!(f, "\npart       {name}: GET {get}"))
            }
            Self::Nobody => f.write_str("answer     404: no route has this path"),
            Self::OtherMethods { methods } => {
                write!(f, "answer     405: the path has {}", methods.join(", "))
            }
            Self::Refused { problem } => write!(f, "answer     400: {problem}"),
        }
    }
}
