//! Everything that a table of routes stands for, put together once: requests see either all of it
//! or all of the next one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::{HeaderMap, Method, Request, Response, Uri};
use kernel::problem::codes;
use kernel::{Kind, Problem};
use platform::http::refuse;
use platform::http::route::RouteMetrics;
use platform::metrics::{Held, Metrics, Named, RouteLabels};
use wire::Body;

use crate::cache::HttpCache;
use crate::client_address::Forwarding;
use crate::compose::{Ask, Compose};
use crate::forward::Forward;
use crate::identity::{Guard, Identities, Shared};
use crate::limit::{Bounds, Counters, LimitFilter, Places, Rules};
use crate::purge_on_event::PurgeRule;
use crate::redirect::Redirect;
use crate::router::{Found, Router};
use crate::shop::Shop;
use crate::stack::Stack;
use crate::table::{self, AccessLog, Auth, Table, all_conditions};
use crate::transform::TransformFilter;
use crate::upstream::Upstream;
use crate::validate::{ValidateFilter, Validations};

/// What a table is made with, beside itself.
#[derive(Clone)]
pub(crate) struct Surroundings {
    /// Threads that serve requests.
    pub(crate) workers: usize,
    /// The longest deadline.
    pub(crate) longest: Duration,
    /// How upstreams are told where a request comes from.
    pub(crate) forwarding: Forwarding,
    /// Outlive every table.
    pub(crate) counters: Counters,
    pub(crate) cache: HttpCache,
    pub(crate) metrics: Metrics,
    /// What is known of callers whatever the table says.
    pub(crate) identity: Shared,
    /// The shop that routes can lead to, if there is one.
    pub(crate) shop: Option<Arc<Shop>>,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Surroundings")
    }
}

impl Surroundings {
    /// What stands before the upstreams of a checked route.
    fn stack(
        &self,
        route: &table::Route,
        known: &Validations,
        forward: Forward,
        places: Option<Arc<Places>>,
    ) -> Stack {
        let limits = (!route.limits.is_empty()).then(|| {
            let rules = Rules::new(&route.limits, &self.metrics).expect("the table was checked");
            LimitFilter::new(self.counters.clone(), rules, route.name.as_str())
        });
        let cache = route.cache.as_ref().map(|settings| {
            let layer = self.cache.layer(&route.name, settings.clone());
            layer.expect("the table was checked")
        });
        let patience = route.deadline.unwrap_or(self.longest).min(self.longest);
        let transform = TransformFilter::of(route, patience).expect("the table was checked");
        let bounds = Bounds::new(route, places, &self.metrics.shed);
        let validate = route.validate.as_ref().map(|settings| {
            let validation = known.of(settings).expect("the table was checked");
            ValidateFilter::new(validation, patience)
        });
        Stack::new(limits, bounds, validate, transform, cache, forward)
    }
}

/// One state of the table.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    router: Router,
    routes: Vec<Arc<Route>>,
    upstreams: BTreeMap<String, Arc<Upstream>>,
    /// Of the routes that answer so many requests at once.
    places: BTreeMap<String, Arc<Places>>,
    identities: Identities,
    purges: Vec<PurgeRule>,
    /// Which requests have a line in the log.
    access_log: Option<AccessLog>,
}

/// A route, ready to answer.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) name: String,
    pub(crate) template: String,
    pub(crate) target: Target,
    /// Who may call.
    auth: Option<Guard>,
    metrics: RouteMetrics,
    /// As long as it may be counted under: requests that it answers hold it, whatever the table says
    /// meanwhile.
    _name: Held,
}

/// What answers.
#[derive(Debug)]
pub(crate) enum Target {
    Forward(Stack),
    Redirect(Redirect),
    Compose(Compose),
}

impl Snapshot {
    /// Puts a checked table together. Upstreams that are as they were in `before` go on with their
    /// connections and what they know.
    pub(crate) fn new(table: &Table, before: &Self, around: &Surroundings) -> Self {
        let upstreams = table.upstreams.iter().map(|(name, definition)| {
            let definition = definition.get_ref();
            let kept = before
                .upstreams
                .get(name)
                .filter(|known| known.definition == *definition);
            let make = || Arc::new(Upstream::new(name, definition, around));
            (name.clone(), kept.cloned().unwrap_or_else(make))
        });
        let upstreams: BTreeMap<String, Arc<Upstream>> = upstreams.collect();
        let places = places(table, &before.places);
        let identities = Identities::new(table, &before.identities, &around.identity);
        let find = |name: &str| upstreams.get(name).cloned();
        let make = |name: RouteName, path: &str, target: Option<Target>, auth: Option<&Auth>| {
            Arc::new(Route {
                name: name.labels.route.clone(),
                template: path.to_owned(),
                target: target.expect("the table was checked"),
                auth: auth.map(|auth| Guard::new(auth, &identities)),
                metrics: RouteMetrics::new(name.labels, &around.metrics),
                _name: name.held,
            })
        };
        let routes = table
            .routes
            .iter()
            .map(toml::Spanned::get_ref)
            .map(|route| {
                let name = RouteName::new(&route.name, &around.metrics);
                let forward = || {
                    let forward = Forward::new(route, around, find)?;
                    let places = places.get(&route.name).cloned();
                    let known = &table.validations;
                    Some(Target::Forward(around.stack(route, known, forward, places)))
                };
                let redirect = Redirect::new(route).map(Target::Redirect);
                let target = redirect.or_else(forward);
                make(name, &route.path, target, route.auth.as_ref())
            });
        let composes = table
            .composes
            .iter()
            .map(toml::Spanned::get_ref)
            .map(|compose| {
                let name = RouteName::new(&compose.name, &around.metrics);
                let target = Compose::new(compose, around.longest).map(Target::Compose);
                make(name, &compose.path, target, None)
            });
        Self {
            router: Router::new(all_conditions(table)).expect("the table was checked"),
            routes: routes.chain(composes).collect(),
            upstreams,
            places,
            identities,
            purges: PurgeRule::all(table),
            access_log: table.access_log,
        }
    }

    /// The route of a request whose path is in its normal form.
    pub(crate) fn find(&self, asked: &Asked<'_>) -> Result<&Arc<Route>, Found> {
        let host = if self.router.has_hosts() {
            asked.host()
        } else {
            ""
        };
        let path = asked.uri.path();
        match self.router.find(asked.method, host, path, asked.headers) {
            Found::Route(index) => self.routes.get(index).ok_or(Found::Nothing),
            other => Err(other),
        }
    }

    pub(crate) fn access_log(&self) -> Option<AccessLog> {
        self.access_log
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    pub(crate) fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    pub(crate) fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.upstreams.values()
    }

    pub(crate) fn purge_rules(&self) -> &[PurgeRule] {
        &self.purges
    }

    pub(crate) fn identities(&self) -> &Identities {
        &self.identities
    }
}

/// What a route is counted under; held before anything is, what is in its stack as well.
struct RouteName {
    labels: RouteLabels,
    held: Held,
}

impl RouteName {
    fn new(name: &str, metrics: &Metrics) -> Self {
        let labels = RouteLabels {
            role: "gateway",
            route: name.to_owned(),
            method: String::from("*"),
        };
        let held = metrics.hold(Named::Route(labels.clone()));
        Self { labels, held }
    }
}

/// The places of routes. Those of which the table says what it has said before are the same.
fn places(table: &Table, before: &BTreeMap<String, Arc<Places>>) -> BTreeMap<String, Arc<Places>> {
    let routes = table.routes.iter().map(toml::Spanned::get_ref);
    let places = routes.filter_map(|route| {
        let settings = route.concurrency?;
        let kept = before.get(&route.name);
        let kept = kept.filter(|places| places.settings == settings);
        let make = || Arc::new(Places::new(settings));
        Some((route.name.clone(), kept.cloned().unwrap_or_else(make)))
    });
    places.collect()
}

/// What decides about the route of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
}

impl<'a> Asked<'a> {
    /// The host that is asked for, without its port.
    fn host(&self) -> &'a str {
        let named = || {
            let named = self.headers.get(HOST)?.to_str().ok()?;
            Some(match named.rsplit_once(':') {
                Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
                _ => named,
            })
        };
        let host = self.uri.host().or_else(named).unwrap_or_default();
        // The root of all names may be named.
        host.strip_suffix('.').unwrap_or(host)
    }
}

impl Route {
    /// Answers a request, and measures it; `ask` answers those for its parts, if it may have any.
    pub(crate) async fn call(
        &self,
        request: &mut Request<Body>,
        ask: Option<Ask<'_>>,
    ) -> Response<Body> {
        let measured = self.metrics.begin();
        let response = match self.admit(request).await {
            Err(refused) => refused,
            Ok(()) => match &self.target {
                Target::Forward(stack) => stack.call(std::mem::take(request)).await,
                Target::Redirect(redirect) => redirect.call(request),
                Target::Compose(compose) => match ask {
                    // Boxed: the future of every request would be as large.
                    Some(ask) => Box::pin(compose.call(std::mem::take(request), ask)).await,
                    None => refuse(part_of_part()),
                },
            },
        };
        measured.answered(response.status().as_u16(), 0);
        response
    }

    /// Lets a request through to who may call, or answers why not.
    async fn admit(&self, request: &mut Request<Body>) -> Result<(), Response<Body>> {
        match &self.auth {
            None => Ok(()),
            Some(auth) => auth.admit(request).await,
        }
    }
}

fn part_of_part() -> Problem {
    let detail = "a part of an answer cannot be put together itself";
    Problem::new(Kind::NotFound, codes::NO_ROUTE, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_no_port_and_no_dot_at_its_end() {
        for (uri, named, host) in [
            ("/", "shop.example:8080", "shop.example"),
            ("/", "shop.example.:80", "shop.example"),
            ("http://shop.example.:80/", "other.example", "shop.example"),
            ("/", "", ""),
        ] {
            let uri: Uri = uri.parse().expect("a target");
            let mut headers = HeaderMap::new();
            headers.insert(HOST, named.parse().expect("valid"));
            let asked = Asked {
                method: &Method::GET,
                uri: &uri,
                headers: &headers,
            };
            assert_eq!(asked.host(), host, "{uri} {named}");
        }
    }
}
