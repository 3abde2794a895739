//! `rialto serve`.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;

use gateway::Gateway;
use platform::config::{ConfigErrors, Layers};
use platform::tasks::Shutdown;
use platform::telemetry::start_logging;
use rialto::{Hooks, Listeners, Role, Server, Settings, StartErrors, demo, look_around};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Exit, Failure, Outcome, named};
use crate::cli::{Global, Serve};
use crate::terminal::{faint, good, say};

pub(crate) async fn run(global: &Global, serve: Serve) -> Outcome {
    let roles = named(&serve.roles);
    if serve.listen.is_some() && !roles.contains(&Role::Gateway) {
        return Err(Failure::usage(
            "--listen is for the gateway, which does not run here",
        ));
    }
    if serve.demo && !roles.contains(&Role::Product) {
        return Err(Failure::usage(
            "--demo fills the catalogue of product, which does not run here",
        ));
    }
    let mut layers = global.layers();
    if let Some(address) = serve.listen {
        layers.flag_named("gateway.listen", &address.to_string(), "--listen");
    }
    if serve.demo && routes_are_free(&layers) {
        layers.flag_named("gateway.routes", "demo:", "--demo");
    }
    let settings = match Settings::read_all(&layers, &roles) {
        (settings, None) => settings,
        (settings, Some(errors)) => {
            return Err(everything_wrong(&layers, &settings, &roles, &errors).await);
        }
    };
    start_logging(settings.telemetry.format, &settings.telemetry.log);
    raise_file_limit();
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let server = match start(&settings, &roles).await {
        Ok(server) => server,
        Err(errors) => return Err(cannot_start(&layers, &settings, &roles, errors).await),
    };
    if serve.demo {
        Box::pin(demo::fill(&server.handle())).await?;
    }
    banner(&server.addresses(), &roles, serve.demo)?;
    let shutdown = Shutdown::new();
    let mut hang_up = signal(SignalKind::hangup())?;
    let reloading = reload_when_told(&mut hang_up, server.gateway());
    let asking = async {
        asked(&mut terminate, &mut interrupt).await;
        shutdown.begin();
        asked(&mut terminate, &mut interrupt).await;
    };
    tokio::select! {
        ended = Box::pin(server.run(shutdown.clone())) => ended.map(|()| Exit::Done).map_err(Into::into),
        never = reloading => match never {},
        () = asking => Err(anyhow::anyhow!("asked twice to stop: ended without draining").into()),
    }
}

fn routes_are_free(layers: &Layers) -> bool {
    let named: Option<String> = layers.section("gateway").optional("routes");
    named.is_none()
}

/// SIGHUP: the table of routes is read again.
async fn reload_when_told(hang_up: &mut Signal, gateway: Option<Gateway>) -> Infallible {
    loop {
        if hang_up.recv().await.is_none() {
            return std::future::pending().await;
        }
        match gateway.as_ref().map(Gateway::reload) {
            Some(Ok(())) => tracing::info!("the table of routes was read again"),
            Some(Err(errors)) => {
                tracing::error!(%errors, "the table of routes is wrong; the last one stays in force");
            }
            None => tracing::info!("there is nothing to reload here"),
        }
    }
}

async fn asked(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

async fn start(settings: &Settings, roles: &BTreeSet<Role>) -> Result<Server, StartErrors> {
    let listeners = Listeners::bind(settings, roles)?;
    Box::pin(Server::build(
        settings.clone(),
        roles,
        listeners,
        &Hooks::default(),
    ))
    .await
}

/// The configuration is wrong; what is right in it is tried, so that everything is told at once.
async fn everything_wrong(
    layers: &Layers,
    settings: &Settings,
    roles: &BTreeSet<Role>,
    errors: &ConfigErrors,
) -> Failure {
    let wrong = errors.0.iter().map(|error| error.key.clone()).collect();
    let outside = look_around(settings, roles, &wrong).await;
    Failure::start(&errors.0, &outside.told(layers))
}

/// The first thing that failed may not be the only one.
async fn cannot_start(
    layers: &Layers,
    settings: &Settings,
    roles: &BTreeSet<Role>,
    first: StartErrors,
) -> Failure {
    let around = look_around(settings, roles, &BTreeSet::new()).await;
    let told = if around.0.len() > first.0.len() {
        around.told(layers)
    } else {
        first.told(layers)
    };
    Failure::start(&[], &told)
}

/// Each connection is a file; the usual soft limit of 1024 is for programs that use `select`.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(%error, "the limit of open files stays as it is");
        }
    }
}

/// Where it can be reached, and what to try first.
fn banner(
    addresses: &[(&'static str, SocketAddr)],
    roles: &BTreeSet<Role>,
    demo: bool,
) -> std::io::Result<()> {
    let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    let version = env!("CARGO_PKG_VERSION");
    let name = good("Rialto");
    say(format_args!("{name} {version} runs {}", names.join(", ")))?;
    for (key, address) in addresses {
        let (what, page) = match *key {
            "gateway.listen" => ("shop", "/docs/"),
            "internal.listen" => ("other processes", ""),
            _ => ("health and metrics", "/health/ready"),
        };
        say(format_args!("  {:20} http://{address}{page}", faint(what)))?;
        if demo && *key == "gateway.listen" {
            say(try_this(&format!("http://{address}")))?;
        }
    }
    Ok(())
}

fn try_this(base: &str) -> String {
    format!(
        "
Try:
  curl {base}/v1/products
  curl {base}/v1/search?q=mug
  curl {base}/v1/home
  curl {base}/v1/carts --json '{{\"currency\": \"EUR\"}}'
  rialto staff create --email you@example.com --name You --role admin
  rialto mail list
"
    )
}
