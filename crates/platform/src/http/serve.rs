//! Listeners: accepting, limits of connections, and draining. The connections themselves are
//! [`wire`]'s.

mod clients;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::routing::future::RouteFuture;
use futures_util::TryFutureExt;
use futures_util::future::MapOk;
use http::{Request, Response};
use kernel::problem::codes;
use kernel::{Kind, Problem};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;
use wire::Body;
use wire::front::{Front, Passed, Refused};
use wire::http1::Malformed;
use wire::network::Networks;
use wire::server::{Answers, Connection, Refuse, Settings};
use wire::tls::{HandshakeError, Presented};
use wire::turn::Turns;
use wire::workers::{PerWorker, Serving, Workers};

use self::clients::{Clients, Counted};
use super::refused::{Refused as RefusedHead, Watch};
use super::{HttpSettings, write};
use crate::metrics::HandshakeLabels;
use crate::tasks::Shutdown;

const BACKOFF: Duration = Duration::from_millis(50);
/// Connections that the kernel keeps until they are accepted, up to its own limit (`somaxconn`):
/// with the usual 128, a few hundred clients at once wait a second to try again.
const BACKLOG: u32 = 4096;

/// What a connection holds as long as it is open.
type Place = (OwnedSemaphorePermit, Counted);

/// Binds `address`; the error names what is wrong with it.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // What a process before has left behind does not keep the address.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Where connections are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// In the runtime of whoever serves.
    Shared,
    /// On so many threads of their own, for a listener under load.
    Own(usize),
}

/// What connections pass before their first request, and where is counted who does not pass. The
/// default is nothing: HTTP in the clear.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    /// What they pass.
    pub front: Front,
    /// Whose connections are those of many clients: they are not counted by address.
    pub uncounted: Networks,
    /// Handshakes that fail.
    pub failed_handshakes: Family<HandshakeLabels, Counter>,
    /// Who hears of heads that cannot be read.
    pub watch: Option<Arc<dyn Watch>>,
}

/// Answers connections of `listener` in the clear; see [`serve_behind`].
pub async fn serve(
    listener: TcpListener,
    answers: impl Answers + Sync + 'static,
    settings: Arc<HttpSettings>,
    threads: Threads,
    shutdown: Shutdown,
) {
    let gate = Gate::default();
    let each = move |_: &Connection| answers.clone();
    serve_behind(listener, gate, each, settings, threads, shutdown).await;
}

/// Answers connections of `listener` that pass `gate`, until `shutdown` begins, then lets running
/// requests finish; `answers` makes what answers the requests of each. Connections above the limit wait in the kernel's queue; those of a client that
/// has too many are closed at once.
pub async fn serve_behind<A: Answers + 'static>(
    listener: TcpListener,
    gate: Gate,
    answers: impl Fn(&Connection) -> A + Clone + Send + Sync + 'static,
    settings: Arc<HttpSettings>,
    threads: Threads,
    shutdown: Shutdown,
) {
    let room = Room {
        slots: Arc::new(Semaphore::new(settings.connections)),
        clients: Clients::new(settings.connections_per_address, gate.uncounted),
    };
    let door = Arc::new(Door {
        front: gate.front,
        failed_handshakes: gate.failed_handshakes,
        clients: room.clients.clone(),
        watch: gate.watch,
        settings: Arc::new(connection_settings(&settings)),
        drain: PerWorker::by_processors(|| shutdown.child().token()),
    });
    let serve = move |stream: TcpStream, peer: SocketAddr| -> Serving {
        Box::pin(door.clone().connection(stream, peer, answers.clone()))
    };
    match threads {
        Threads::Shared => {
            let connections = TaskTracker::new();
            let spawn = |stream, peer, place: Place| {
                let serving = serve(stream, peer);
                connections.spawn(async move {
                    Turns::new(serving).await;
                    drop(place);
                });
                Ok(())
            };
            accept_all(&listener, &room, &shutdown, spawn).await;
            drop(listener);
            connections.close();
            connections.wait().await;
        }
        Threads::Own(count) => {
            let workers = match Workers::start(count, "worker", serve) {
                Ok(workers) => workers,
                Err(error) => {
                    // The task ends, and the process with it.
                    tracing::error!(%error, "the threads of a listener cannot be started");
                    return;
                }
            };
            let deal = |stream: TcpStream, peer, place| {
                workers.deal(stream.into_std()?, peer, place);
                Ok(())
            };
            accept_all(&listener, &room, &shutdown, deal).await;
            drop(listener);
            workers.finish().await;
        }
    }
}

/// How many connections there may be, of all and of each.
struct Room {
    slots: Arc<Semaphore>,
    clients: Arc<Clients>,
}

/// What all connections of a listener share.
struct Door {
    front: Front,
    failed_handshakes: Family<HandshakeLabels, Counter>,
    clients: Arc<Clients>,
    watch: Option<Arc<dyn Watch>>,
    settings: Arc<Settings>,
    /// Every request asks whether it ends, which takes a lock.
    drain: PerWorker<CancellationToken>,
}

impl Door {
    async fn connection<A: Answers + 'static>(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        answers: impl Fn(&Connection) -> A,
    ) {
        let passed = tokio::select! {
            passed = self.front.pass(stream, peer) => passed,
            () = self.drain.own().cancelled() => return,
        };
        let Passed {
            stream,
            protocol,
            connection,
            certificate,
        } = match passed {
            Ok(passed) => passed,
            Err(error) => {
                if let Refused::Tls(HandshakeError { reason, .. }) = &error {
                    let reason = reason.as_str();
                    let labels = HandshakeLabels { reason };
                    self.failed_handshakes.get_or_create(&labels).inc();
                }
                // Anybody can bring this about: worth no more than a look.
                tracing::debug!(%peer, %error, "a connection did not pass");
                return;
            }
        };
        // Whom a balancer names counts for himself.
        let named = (connection.peer != peer).then(|| self.clients.enter(connection.peer));
        if matches!(named, Some(None)) {
            return;
        }
        let answers = Presented::new(answers(&connection), certificate);
        let (settings, drain) = (self.settings_of(&connection), self.drain.own().clone());
        wire::server::serve(stream, protocol, answers, settings, drain).await;
    }

    /// The settings of a connection. Where somebody watches they are its own, so that they know whose
    /// head is refused: that costs each connection a little, and no request anything.
    fn settings_of(&self, connection: &Connection) -> Arc<Settings> {
        let Some(watch) = self.watch.clone() else {
            return self.settings.clone();
        };
        let connection = *connection;
        let watched = move |malformed| {
            let response = refuse(malformed);
            watch.refused(&RefusedHead {
                status: response.status(),
                connection: Some(connection),
                asked: None,
            });
            response
        };
        Arc::new(Settings {
            refuse: Refuse::new(watched),
            ..Settings::clone(&self.settings)
        })
    }
}

async fn accept_all(
    listener: &TcpListener,
    room: &Room,
    shutdown: &Shutdown,
    take: impl Fn(TcpStream, SocketAddr, Place) -> io::Result<()>,
) {
    loop {
        let accepted = tokio::select! {
            () = shutdown.requested() => return,
            accepted = accept(listener, &room.slots) => accepted,
        };
        let taken = accepted.and_then(|(stream, peer, slot)| {
            let Some(counted) = room.clients.enter(peer) else {
                return Ok(());
            };
            take(stream, peer, (slot, counted))
        });
        if let Err(error) = taken {
            // Out of file descriptors, for instance: running requests will free some.
            tracing::warn!(%error, "a connection could not be accepted");
            shutdown.sleep(BACKOFF).await;
        }
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = slots
        .clone()
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, slot))
}

fn connection_settings(settings: &HttpSettings) -> Settings {
    Settings {
        // What is larger than the limit, but not this large, is refused with all that a problem
        // tells.
        head_limit: settings.header_limit.saturating_mul(2).max(8192),
        head_timeout: settings.header_timeout,
        refuse: Refuse::new(refuse),
        ..Settings::default()
    }
}

/// The answer to what is no request.
fn refuse(malformed: Malformed) -> Response<Body> {
    let (kind, code) = match malformed {
        Malformed::TooLarge => (Kind::HeadersTooLarge, codes::HEADERS_TOO_LARGE),
        Malformed::Slow => (Kind::RequestTimeout, codes::REQUEST_TIMEOUT),
        _ => (Kind::Malformed, codes::MALFORMED),
    };
    let status = wire::server::status(malformed).as_u16();
    write(&Problem::new(kind, code, malformed.to_string()).with_status(status))
}

/// A router of axum's as a service of the wire.
#[derive(Debug, Clone)]
pub struct Routed(pub Router);

impl Service<Request<Body>> for Routed {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = MapOk<RouteFuture<Infallible>, fn(axum::response::Response) -> Response<Body>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.0
            .call(request.map(axum::body::Body::new))
            .map_ok(|response| response.map(Body::new))
    }
}
