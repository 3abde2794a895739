//! What would become of a request, without sending it.

mod explanation;
mod policies;

use std::time::Duration;

use http::{HeaderMap, Method, Uri};
use kernel::Sources;
use platform::cache::CacheUrl;
use platform::http::RouteInfo;
use platform::metrics::Metrics;
use platform::tasks::Shutdown;
use serde::Serialize;

pub use self::explanation::Explanation;
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
use crate::stack::Stack;
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
            // Nobody is asked here.
            shop: None,
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
            Target::Forward(stack) => self.of_stack(route, stack, method, target),
        }
    }

    fn of_stack(
        &self,
        route: &crate::snapshot::Route,
        stack: &Stack,
        method: &Method,
        target: &Uri,
    ) -> Explanation {
        let (name, template) = (route.name.clone(), route.template.clone());
        let forward = stack.forward();
        let seen = forward.path(target.path());
        let seen = seen.unwrap_or_else(|| target.path().to_owned());
        let query = target.query().map(|query| format!("?{query}"));
        let query = query.unwrap_or_default();
        let mut definitions = self.definitions.iter();
        let definition = definitions.find(|definition| definition.name == name);
        let policies = definition.map(policies).unwrap_or_default();
        let checked_by = stack.validate().map(|of| of.explain(method, target.path()));
        if forward.is_to_shop() {
            return Explanation::ToShop {
                route: name,
                template,
                answer: Box::new(self.of_shop(method, &seen)),
                target: seen + &query,
                policies,
                checked_by,
            };
        }
        let shares = forward
            .shares()
            .map(|(name, share)| (name.to_owned(), share));
        let upstreams: Vec<(String, u64)> = shares.collect();
        let theirs = self
            .table
            .upstreams()
            .filter(|upstream| upstreams.iter().any(|(name, _)| **name == *upstream.name));
        let servers = theirs.flat_map(|upstream| upstream.states());
        Explanation::Upstream {
            route: name,
            template,
            servers: servers.map(|server| server.url).collect(),
            upstreams,
            target: seen + &query,
            policies,
            checked_by,
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
