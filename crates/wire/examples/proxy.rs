//! A proxy with nothing but the wire, and what no gateway goes without: a deadline for each
//! exchange, fields that tell of the client, a counter. `cargo xtask bench gateway` measures it
//! beside other proxies.
//!
//! `cargo run --release -p rialto-wire --example proxy LISTEN UPSTREAM WORKERS`

#![expect(clippy::print_stderr, reason = "a program for the terminal")]

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use wire::client::{self, Connect, ExchangeError, Pool};
use wire::server::{self, Connection, Protocol};
use wire::workers::{self, Workers};
use wire::{Body, Stream};

const PATIENCE: Duration = Duration::from_secs(30);
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

#[derive(Debug)]
struct To(SocketAddr);

impl Connect for To {
    fn connect(&self) -> Pin<Box<dyn Future<Output = std::io::Result<Stream>> + Send + '_>> {
        Box::pin(async {
            let stream = TcpStream::connect(self.0).await?;
            stream.set_nodelay(true)?;
            Ok(Stream::tcp(stream))
        })
    }
}

/// What all connections share.
struct Proxy {
    pools: Vec<Pool>,
    passed: AtomicU64,
    failed: AtomicU64,
}

impl Proxy {
    async fn pass(&self, mut request: Request<Body>, client: &HeaderValue) -> Response<Body> {
        let headers = request.headers_mut();
        // Nobody before this proxy is trusted.
        headers.insert(FORWARDED_FOR, client.clone());
        let pool = &self.pools[workers::index()];
        let status = match pool.exchange_within(PATIENCE, request, true).await {
            Ok(response) => {
                self.passed.fetch_add(1, Ordering::Relaxed);
                return response;
            }
            Err(ExchangeError::Slow) => StatusCode::GATEWAY_TIMEOUT,
            Err(_) => StatusCode::BAD_GATEWAY,
        };
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        response
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("LISTEN UPSTREAM WORKERS");
    let listen: SocketAddr = next()?.parse()?;
    let upstream: SocketAddr = next()?.parse()?;
    let count: usize = next()?.parse()?;
    let pool = |_| Pool::new(Arc::new(To(upstream)), client::Settings::default());
    let proxy = Arc::new(Proxy {
        pools: (0..count).map(pool).collect(),
        passed: AtomicU64::new(0),
        failed: AtomicU64::new(0),
    });
    let (counted, settings) = (proxy.clone(), Arc::new(server::Settings::default()));
    let workers = Workers::start(count, "proxy", move |stream, peer| {
        let proxy = proxy.clone();
        let client = HeaderValue::from_str(&peer.ip().to_string()).expect("digits and dots");
        let answers = tower::service_fn(move |request: Request<Body>| {
            let (proxy, client) = (proxy.clone(), client.clone());
            async move { Ok::<_, Infallible>(proxy.pass(request, &client).await) }
        });
        let connection = Connection {
            peer,
            encrypted: false,
        };
        Box::pin(server::serve(
            Stream::tcp(stream),
            Protocol::Unknown,
            connection,
            answers,
            settings.clone(),
            CancellationToken::new(),
        ))
    })?;
    let listener = TcpListener::bind(listen).await?;
    let accepting = async {
        loop {
            let (stream, peer) = listener.accept().await?;
            stream.set_nodelay(true)?;
            workers.deal(stream.into_std()?, peer, ());
        }
    };
    let result: std::io::Result<Infallible> = tokio::select! {
        result = accepting => result,
        _ = tokio::signal::ctrl_c() => Err(std::io::ErrorKind::Interrupted.into()),
    };
    let (passed, failed) = (&counted.passed, &counted.failed);
    eprintln!(
        "{} passed, {} failed; {}",
        passed.load(Ordering::Relaxed),
        failed.load(Ordering::Relaxed),
        result.expect_err("accepts until it fails")
    );
    Ok(())
}
