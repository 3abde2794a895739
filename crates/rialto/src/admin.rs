//! The listener for those who operate the shop: health, metrics, and the gateway's upstreams.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use gateway::Gateway;
use gateway::cache::PurgeMode;
use gateway::identity::{Revocation, RevokeError};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use kernel::problem::codes;
use kernel::{Kind, Problem, Timestamp};
use platform::db::Db;
use platform::http::write;
use platform::metrics::Metrics;
use product::ProductService;
use serde::{Deserialize, Serialize};

use crate::Role;

/// Whether the process can answer. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Health(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    databases: BTreeMap<Role, Db>,
    product: Option<ProductService>,
    gateway: Option<Gateway>,
    draining: AtomicBool,
    metrics: Metrics,
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    draining: bool,
    roles: BTreeMap<Role, &'static str>,
}

impl Health {
    pub(crate) fn new(
        databases: BTreeMap<Role, Db>,
        product: Option<ProductService>,
        gateway: Option<Gateway>,
        metrics: Metrics,
    ) -> Self {
        Self(Arc::new(Inner {
            databases,
            product,
            gateway,
            draining: AtomicBool::new(false),
            metrics,
        }))
    }

    /// From now on the process is not ready: load balancers lead elsewhere.
    pub(crate) fn drain(&self) {
        self.0.draining.store(true, Ordering::SeqCst);
    }

    fn indexed(&self) -> bool {
        self.0.product.as_ref().is_none_or(ProductService::ready)
    }

    async fn readiness(&self) -> Readiness {
        let mut roles = BTreeMap::new();
        for (role, db) in &self.0.databases {
            let state = if db.ping().await.is_err() {
                "database away"
            } else if *role == Role::Product && !self.indexed() {
                "search index not built yet"
            } else {
                "ok"
            };
            roles.insert(*role, state);
        }
        if let Some(gateway) = &self.0.gateway {
            let state = if gateway.is_ready() {
                "ok"
            } else {
                "revocations not read yet"
            };
            roles.insert(Role::Gateway, state);
        }
        let draining = self.0.draining.load(Ordering::SeqCst);
        Readiness {
            ready: !draining && roles.values().all(|state| *state == "ok"),
            draining,
            roles,
        }
    }
}

pub(crate) fn router(health: Health, gateway: Option<Gateway>) -> Router {
    let of_gateway = gateway.map(|gateway| {
        Router::new()
            .route("/gateway/upstreams", get(upstreams))
            .route("/gateway/reload", post(reload))
            .route("/gateway/purge", post(purge))
            .route("/gateway/revoke", post(revoke))
            .with_state(gateway)
    });
    Router::new()
        .merge(of_gateway.unwrap_or_default())
        .route("/health/live", get(|| std::future::ready("ok")))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

async fn ready(State(health): State<Health>) -> Response {
    let readiness = health.readiness().await;
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(readiness)).into_response()
}

async fn metrics(State(health): State<Health>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], health.0.metrics.encode()).into_response()
}

async fn upstreams(State(gateway): State<Gateway>) -> Json<serde_json::Value> {
    Json(gateway.upstreams())
}

/// 204, or everything that is wrong with the table: then the last one stays in force.
async fn reload(State(gateway): State<Gateway>) -> Response {
    match gateway.reload() {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(errors) => (StatusCode::UNPROCESSABLE_ENTITY, format!("{errors}\n")).into_response(),
    }
}

/// Which answers shall not be served any more.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Purge {
    /// Those with one of these tags (`Surrogate-Key`, `Cache-Tag`).
    #[serde(default)]
    tags: Vec<String>,
    /// Those of this URL, whatever its query.
    #[serde(default)]
    url: Option<String>,
    /// All of them.
    #[serde(default)]
    all: bool,
    /// Whether they may stand in while they are revalidated, and if the upstream fails.
    #[serde(default)]
    soft: bool,
}

/// How long a call waits for Redis to take what it was asked for.
const TAKING: Duration = Duration::from_secs(2);

async fn purge(State(gateway): State<Gateway>, Json(purge): Json<Purge>) -> Response {
    let mode = if purge.soft {
        PurgeMode::Soft
    } else {
        PurgeMode::Hard
    };
    let purges = gateway.purge();
    if let Some(url) = &purge.url {
        match url.parse() {
            Ok(url) => purges.url(&url, mode),
            Err(error) => return invalid(&format!("url: {error}")),
        }
    }
    if purge.url.is_none() && purge.tags.is_empty() && !purge.all {
        return invalid("name `tags` or a `url`, or say `all = true`: nothing would be purged");
    }
    if !purge.tags.is_empty() {
        purges.tags(&purge.tags, mode);
    }
    if purge.all {
        purges.all(mode);
    }
    if purges.taken(TAKING).await {
        StatusCode::NO_CONTENT.into_response()
    } else {
        unavailable("purged here; the second level has not taken it yet, and is asked until it has")
    }
}

/// Which tokens shall not count any more on routes of the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    /// The issuer or introspection of the table that vouches for them, by its name.
    source: String,
    /// The token with this `jti`; or
    #[serde(default)]
    token: Option<String>,
    /// every token that this subject has got so far.
    #[serde(default)]
    subject: Option<String>,
    /// When the last of them expires by itself.
    until: Timestamp,
}

async fn revoke(State(gateway): State<Gateway>, Json(revoke): Json<Revoke>) -> Response {
    let what = match (&revoke.token, &revoke.subject) {
        (Some(token), None) => Revocation::Token(token),
        (None, Some(subject)) => Revocation::Subject(subject),
        _ => return invalid("name one of `token` (its jti) and `subject`"),
    };
    match gateway.revoke(&revoke.source, what, revoke.until).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error @ RevokeError::Unshared(_)) => unavailable(&error.to_string()),
        Err(
            error @ (RevokeError::UnknownSource(_)
            | RevokeError::NotAFingerprint
            | RevokeError::Expired),
        ) => invalid(&error.to_string()),
        Err(full) => (StatusCode::INSUFFICIENT_STORAGE, format!("{full}\n")).into_response(),
    }
}

/// What asks for nothing that could be done.
fn invalid(why: &str) -> Response {
    told(&Problem::new(Kind::Invalid, codes::INVALID, why))
}

/// A 503 that can be repeated.
fn unavailable(why: &str) -> Response {
    told(&Problem::unavailable(codes::UNAVAILABLE, why, 1))
}

fn told(problem: &Problem) -> Response {
    write(problem).map(axum::body::Body::new)
}
