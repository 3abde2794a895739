//! The route table of a service: each route with its handler, its documentation and its access.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use kernel::problem::codes;
use kernel::{Access, Caller, Kind, Problem};
use parking_lot::RwLock;
use prometheus_client::metrics::counter::Counter;
use tracing::Instrument;
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::{RefOr, Schema};
use wire::turn;

use super::extract::BodyLimits;
use super::{ApiError, CallerOf, HttpContext};
use crate::auth::Authenticator;
use crate::context::RequestContext;
use crate::metrics::{AnswerLabels, Durations, Metrics, RoleLabels, RouteLabels, Tally, UnderWay};

/// What is known of a route without the service behind it: enough to route to it, to document it
/// and to test its access.
#[derive(Debug, Clone)]
pub struct RouteInfo {
    /// Who answers.
    pub role: &'static str,
    /// The operation: the name of the file that holds it, and its `operationId`.
    pub operation: &'static str,
    /// The method.
    pub method: Method,
    /// The path, such as `/v1/orders/{id}`.
    pub path: String,
    /// Who may call it.
    pub access: Access,
    /// Its documentation.
    pub documentation: Operation,
    /// The schemas that the documentation names.
    pub schemas: Vec<(String, RefOr<Schema>)>,
}

/// One route, not yet joined with its service. Made by [`route!`](crate::route).
pub struct Route<S> {
    info: RouteInfo,
    method_router: MethodRouter<S>,
}

impl<S> fmt::Debug for Route<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} as {}",
            self.info.method, self.info.path, self.info.operation
        )
    }
}

/// A route of the calling crate: the module of an operation, which has a `handler` annotated with
/// `#[utoipa::path]`, and who may call it. There is no route without a declared access.
///
/// ```ignore
/// route!(place_order, Access::Anyone)
/// ```
#[macro_export]
macro_rules! route {
    ($module:ident, $access:expr $(,)?) => {
        $crate::http::Route::new::<$module::__path_handler, _, _>(
            stringify!($module),
            $access,
            $module::handler,
        )
    };
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    #[doc(hidden)]
    pub fn new<P, H, T>(operation: &'static str, access: Access, handler: H) -> Self
    where
        P: utoipa::Path + utoipa::__dev::SchemaReferences,
        H: Handler<T, S>,
        T: 'static,
    {
        let (method, filter) = match P::methods().first() {
            Some(HttpMethod::Post) => (Method::POST, MethodFilter::POST),
            Some(HttpMethod::Put) => (Method::PUT, MethodFilter::PUT),
            Some(HttpMethod::Patch) => (Method::PATCH, MethodFilter::PATCH),
            Some(HttpMethod::Delete) => (Method::DELETE, MethodFilter::DELETE),
            _ => (Method::GET, MethodFilter::GET),
        };
        let mut schemas = Vec::new();
        P::schemas(&mut schemas);
        let info = RouteInfo {
            role: "",
            operation,
            method,
            path: P::path(),
            access,
            documentation: P::operation(),
            schemas,
        };
        Self {
            info,
            method_router: on(filter, handler),
        }
    }
}

/// The route table of one service.
#[derive(Debug)]
pub struct Routes<S> {
    routes: Vec<Route<S>>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// The table of `role`.
    pub fn new(role: &'static str, routes: impl IntoIterator<Item = Route<S>>) -> Self {
        let mut routes: Vec<Route<S>> = routes.into_iter().collect();
        routes.iter_mut().for_each(|route| route.info.role = role);
        Self { routes }
    }

    /// What is known without the service.
    pub fn infos(&self) -> Vec<RouteInfo> {
        self.routes.iter().map(|route| route.info.clone()).collect()
    }

    /// The routes with their service behind them, each guarded.
    pub fn serve(self, service: S, http: &HttpContext) -> Router {
        let mut router = Router::new();
        for route in self.routes {
            let guard = Guard::new(&route.info, http);
            let guarded = route
                .method_router
                .layer(from_fn_with_state(guard, guard_route));
            router = router.route(&route.info.path, guarded);
        }
        router.with_state(service)
    }
}

/// Checks and measures one route. Cheap to clone.
#[derive(Clone)]
pub struct Guard(Arc<GuardInner>);

struct GuardInner {
    role: &'static str,
    operation: Operator,
    access: Access,
    limits: BodyLimits,
    authenticator: Authenticator,
    metrics: RouteMetrics,
}

/// Which operation a request has reached.
#[derive(Debug, Clone)]
pub struct Operator {
    /// The `operationId`.
    pub operation: &'static str,
    /// The path template.
    pub route: Arc<str>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guard({})", self.0.operation.operation)
    }
}

impl Guard {
    /// The guard of a route.
    pub fn new(info: &RouteInfo, http: &HttpContext) -> Self {
        let labels = RouteLabels {
            role: info.role,
            route: info.path.clone(),
            method: info.method.to_string(),
        };
        Self(Arc::new(GuardInner {
            role: info.role,
            operation: Operator {
                operation: info.operation,
                route: info.path.as_str().into(),
            },
            access: info.access,
            limits: BodyLimits {
                bytes: http.settings.body_limit,
                depth: http.settings.json_depth,
            },
            authenticator: http.authenticator.clone(),
            metrics: RouteMetrics::new(labels, &http.metrics),
        }))
    }
}

/// Finds out who calls, refuses who may not, and measures the rest. A middleware for
/// [`axum::middleware::from_fn_with_state`].
pub async fn guard_route(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let guard = &*guard.0;
    let measured = guard.metrics.begin();
    let context = RequestContext::current();
    let before = context.as_ref().map_or(0, |context| context.statements());
    let trace_id = context
        .as_ref()
        .map(|context| context.trace.trace_id_text());
    let span = tracing::info_span!(
        "request",
        role = guard.role,
        operation = guard.operation.operation,
        trace_id = trace_id.as_deref().unwrap_or_default(),
    );
    let response = answer(guard, request, next).instrument(span).await;
    let statements = context.map_or(0, |context| context.statements() - before);
    measured.answered(response.status().as_u16(), statements);
    response
}

async fn answer(guard: &GuardInner, mut request: Request, next: Next) -> Response {
    let caller = match request.extensions_mut().remove::<CallerOf>() {
        Some(caller) => caller,
        None => match authenticate(&guard.authenticator, request.headers()).await {
            Ok(caller) => CallerOf(caller),
            Err(error) => return error.into_response(),
        },
    };
    if let Err(denied) = guard.access.check(&caller) {
        return ApiError::from(denied).into_response();
    }
    let extensions = request.extensions_mut();
    extensions.insert(caller);
    extensions.insert(guard.limits);
    extensions.insert(guard.operation.clone());
    next.run(request).await
}

/// Who the `Authorization` header speaks for; nobody if there is none.
pub async fn authenticate(
    authenticator: &Authenticator,
    headers: &HeaderMap,
) -> Result<Caller, ApiError> {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Ok(Caller::Anonymous);
    };
    let token = value.to_str().ok().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then_some(token.trim())
    });
    let Some(token) = token else {
        let detail = "expected `Authorization: Bearer TOKEN`";
        return Err(Problem::new(Kind::Unauthenticated, codes::BAD_TOKEN, detail).into());
    };
    Ok(authenticator.verify(token).await?)
}

/// The metrics of one route, looked up once.
pub struct RouteMetrics {
    labels: RouteLabels,
    duration: Durations,
    in_flight: UnderWay,
    statements: Counter,
    /// The status that was answered first, which is mostly that of all.
    usual: OnceLock<(u16, Tally)>,
    answers: RwLock<Vec<(u16, Tally)>>,
    metrics: Metrics,
}

impl fmt::Debug for RouteMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RouteMetrics({:?})", self.labels)
    }
}

/// A request that is being answered.
#[derive(Debug)]
#[must_use]
pub struct Measured<'a> {
    metrics: &'a RouteMetrics,
    started: Instant,
}

impl Measured<'_> {
    /// It was answered, at the cost of so many statements.
    pub fn answered(self, status: u16, statements: u32) {
        self.metrics.answered(status, self.started, statements);
    }
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
    }
}

impl RouteMetrics {
    /// Those of the route with these labels.
    pub fn new(labels: RouteLabels, metrics: &Metrics) -> Self {
        let role = RoleLabels { role: labels.role };
        Self {
            duration: metrics.http_duration.get_or_create(&labels).clone(),
            in_flight: metrics.http_in_flight.get_or_create(&role).clone(),
            statements: metrics.http_statements.get_or_create(&labels).clone(),
            usual: OnceLock::new(),
            answers: RwLock::default(),
            metrics: metrics.clone(),
            labels,
        }
    }

    /// A request begins.
    pub fn begin(&self) -> Measured<'_> {
        self.in_flight.inc();
        Measured {
            metrics: self,
            started: turn::now().into_std(),
        }
    }

    fn answered(&self, status: u16, started: Instant, statements: u32) {
        let took = turn::look().into_std().saturating_duration_since(started);
        self.duration.observe(took);
        if statements > 0 {
            self.statements.inc_by(u64::from(statements));
        }
        if let Some((usual, counter)) = self.usual.get()
            && *usual == status
        {
            counter.inc();
            return;
        }
        let answers = self.answers.read();
        if let Some((_, counter)) = answers.iter().find(|(known, _)| *known == status) {
            counter.inc();
            return;
        }
        drop(answers);
        let RouteLabels {
            role,
            route,
            method,
        } = self.labels.clone();
        let labels = AnswerLabels {
            role,
            route,
            method,
            status,
        };
        let counter = self.metrics.http_answers.get_or_create(&labels).clone();
        counter.inc();
        if self.usual.set((status, counter.clone())).is_err() {
            self.answers.write().push((status, counter));
        }
    }
}
