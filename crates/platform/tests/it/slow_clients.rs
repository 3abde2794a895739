//! Hundreds of clients that do as little as they can for as long as they can: the service goes on,
//! and each of them is ended by a deadline (CVE-2007-6750 and its kin).

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use kernel::Sources;
use platform::http::entry::{Entry, Trust};
use platform::http::serve::{self, Threads};
use platform::http::{HttpContext, HttpSettings};
use platform::metrics::Metrics;
use platform::tasks::{Shutdown, TaskGroup};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use wire::Body;
use wire::front::Front;
use wire::server::Connection;
use wire::tls::{ClientAuth, Files, Tls};

use crate::house::{context, settings};
use crate::log::Log;

const EACH: usize = 125;
const HEAD: Duration = Duration::from_secs(5);
const DEADLINE: Duration = Duration::from_secs(10);
/// What is told of as slow.
const SLOW: Duration = Duration::from_secs(5);
/// What a connection may take to close, and an answer to be written in vain.
const LATER: Duration = Duration::from_secs(35);
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
const HALF_A_HEAD: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: ";
const NO_BODY_YET: &[u8] = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n";
const HALF_A_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

/// A listener in the clear and one with TLS.
struct Target {
    plain: SocketAddr,
    encrypted: SocketAddr,
    trusting: Arc<rustls::ClientConfig>,
    tasks: TaskGroup,
}

impl Target {
    fn open() -> Self {
        let settings = HttpSettings {
            header_timeout: HEAD,
            deadline: DEADLINE,
            slow: SLOW,
            connections: 1000,
            ..settings()
        };
        let http = context(settings, Sources::system(), &Metrics::new());
        let tasks = TaskGroup::new(Shutdown::new());
        let (tls, trusting) = tls();
        let encrypted = Front {
            tls: Some(tls),
            ..Front::default()
        };
        Self {
            plain: listen(&tasks, &http, Front::default()),
            encrypted: listen(&tasks, &http, encrypted),
            trusting: Arc::new(trusting),
            tasks,
        }
    }

    /// What somebody gets who keeps to the rules.
    async fn serves(&self) {
        let mut plain = TcpStream::connect(self.plain).await.expect("connects");
        plain.write_all(GET).await.expect("writes");
        let mut answer = String::new();
        plain.read_to_string(&mut answer).await.expect("reads");
        assert!(answer.ends_with("served"), "{answer}");
        let stream = TcpStream::connect(self.encrypted).await.expect("connects");
        let name = ServerName::try_from("localhost").expect("a name");
        let connector = tokio_rustls::TlsConnector::from(self.trusting.clone());
        let mut encrypted = connector.connect(name, stream).await.expect("shakes hands");
        encrypted.write_all(GET).await.expect("writes");
        let mut answer = String::new();
        encrypted.read_to_string(&mut answer).await.expect("reads");
        assert!(answer.ends_with("served"), "{answer}");
    }
}

fn tls() -> (Tls, rustls::ClientConfig) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("made");
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writes");
        path
    };
    let tls = Tls::load(wire::tls::Settings {
        certificates: vec![Files {
            certificate: write("server.pem", made.cert.pem()),
            key: write("server.key", made.signing_key.serialize_pem()),
        }],
        client_auth: ClientAuth::Off,
        handshake_timeout: HEAD,
        handshakes: 1000,
    });
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let trusting = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (tls.expect("loads"), trusting)
}

fn listen(tasks: &TaskGroup, http: &HttpContext, front: Front) -> SocketAddr {
    let listener = serve::bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = listener.local_addr().expect("bound");
    let entry = Entry::new(http, Trust::Public, tower::service_fn(answer));
    let (settings, stop) = (http.settings.clone(), tasks.shutdown().clone());
    let gate = serve::Gate {
        front,
        ..serve::Gate::default()
    };
    let serving = serve::serve_behind(
        listener,
        gate,
        move |_: &Connection| entry.clone(),
        settings,
        Threads::Shared,
        stop,
    );
    tasks.spawn("listener", serving);
    address
}

async fn answer(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    if request.uri().path() == "/endless" {
        return Ok(Response::new(Body::new(Endless)));
    }
    let slow = request.uri().path() == "/slow";
    let _ = request.into_body().collect().await;
    if slow {
        sleep(SLOW + Duration::from_secs(1)).await;
    }
    Ok(Response::new(Body::full("served")))
}

struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        static PART: [u8; 16 << 10] = [b'x'; 16 << 10];
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(&PART)))))
    }
}

/// Sends `begin`, and then a byte now and then, until the server has had enough.
async fn drip(
    kind: &'static str,
    address: SocketAddr,
    begin: &'static [u8],
    byte: u8,
) -> &'static str {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(begin).await.expect("writes");
    let mut heard = [0; 1024];
    loop {
        match timeout(Duration::from_millis(900), stream.read(&mut heard)).await {
            Ok(Ok(0) | Err(_)) => return kind,
            Ok(Ok(_)) => {}
            Err(_) => {
                if stream.write_all(&[byte]).await.is_err() {
                    return kind;
                }
            }
        }
    }
}

/// Asks for much and takes nothing, until the server has had enough.
async fn ignore(address: SocketAddr) -> &'static str {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a size");
    let mut stream = socket.connect(address).await.expect("connects");
    let request = b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request).await.expect("writes");
    // More of it breaks once the server has closed: nothing has to be read for that.
    loop {
        sleep(Duration::from_secs(1)).await;
        if stream.write_all(b"\r\n").await.is_err() {
            return "reader";
        }
    }
}

/// What somebody hears who sends `parts` of a body that is `announced`, one each second.
async fn upload(
    (target, path): (&Target, &str),
    announced: usize,
    parts: usize,
    part: &[u8],
) -> String {
    let mut stream = TcpStream::connect(target.plain).await.expect("connects");
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {announced}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("writes");
    for _ in 0..parts {
        sleep(Duration::from_secs(1)).await;
        stream
            .write_all(part)
            .await
            .expect("is heard until the end");
    }
    let mut answer = [0; 1024];
    let read = stream.read(&mut answer).await.expect("is answered");
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test(start_paused = true)]
async fn who_sends_much_has_the_time_that_it_takes() {
    let (log, _listening) = Log::listen();
    let target = Target::open();
    let (part, begun) = ([b'x'; 2000], Instant::now());
    let answer = upload((&target, "/"), 60 * part.len(), 60, &part).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(begun.elapsed() > 5 * DEADLINE);
    // It is not the answer that was slow.
    assert_eq!(log.count("a slow answer"), 0);
    let answer = upload((&target, "/slow"), 60 * part.len(), 60, &part).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(log.count("a slow answer"), 1);
    // Who stops is heard of no more than anybody else.
    let begun = Instant::now();
    let answer = upload((&target, "/"), 60 * part.len(), 30, &part).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let ended = begun.elapsed() - Duration::from_secs(30);
    assert!(ended <= DEADLINE + Duration::from_secs(1), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn who_sends_little_has_what_it_is_worth() {
    let target = Target::open();
    // A tenth of what is wanted of them: ten seconds bring one more.
    let (part, begun) = ([b'x'; 100], Instant::now());
    let answer = upload((&target, "/"), 100 * part.len(), 11, &part).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(begun.elapsed() < DEADLINE + Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn five_hundred_slow_clients_hold_nobody_up() {
    let target = Target::open();
    let mut slow = JoinSet::new();
    let (plain, encrypted) = (target.plain, target.encrypted);
    for _ in 0..EACH {
        slow.spawn(drip("head", plain, HALF_A_HEAD, b'x'));
        slow.spawn(drip("body", plain, NO_BODY_YET, b'x'));
        slow.spawn(drip("handshake", encrypted, HALF_A_HELLO, 0));
        slow.spawn(ignore(plain));
    }
    assert_eq!(slow.len(), 500);
    let begun = Instant::now();
    while begun.elapsed() < DEADLINE + LATER {
        target.serves().await;
        sleep(Duration::from_secs(1)).await;
    }
    let mut ended = BTreeMap::new();
    while let Some(over) = slow.try_join_next() {
        *ended.entry(over.expect("nothing but slow")).or_insert(0) += 1;
    }
    let each = ["body", "handshake", "head", "reader"].map(|kind| (kind, EACH));
    assert_eq!(ended, BTreeMap::from(each), "each has come to its deadline");
    target.tasks.shutdown().begin();
    target.tasks.drain(Duration::from_secs(1)).await;
}
