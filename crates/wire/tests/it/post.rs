//! Messages are posted: written when all who are ready have come as far, and by their owners if they
//! cannot be written at once.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use wire::client::{self, Connect, Pool};
use wire::server::{self, Protocol, Settings};
use wire::{Body, Stream, post};

/// What has happened, in order.
type Told = Arc<Mutex<Vec<String>>>;

/// A peer who has said something already, tells when it is written to, and then closes.
struct Peer {
    says: &'static [u8],
    what: String,
    told: Told,
}

impl AsyncRead for Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        buffer.put_slice(std::mem::take(&mut self.says));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.told.lock().push(self.what.clone());
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Leads to a server that has answered before it is asked.
#[derive(Debug)]
struct Upstream(&'static str, Told);

impl Connect for Upstream {
    fn connect(&self) -> Pin<Box<dyn Future<Output = io::Result<Stream>> + Send + '_>> {
        let peer = Peer {
            says: b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            what: format!("{} sent on", self.0),
            told: self.1.clone(),
        };
        Box::pin(std::future::ready(Ok(Stream::other(peer))))
    }
}

#[tokio::test(flavor = "current_thread")]
async fn all_that_are_ready_are_handled_before_anything_is_written() {
    let told = Told::default();
    tokio::spawn(post::deliver());
    let serve = |name: &'static str| {
        let client = Peer {
            says: b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
            what: format!("{name} answered"),
            told: told.clone(),
        };
        let pool = Pool::new(
            Arc::new(Upstream(name, told.clone())),
            client::Settings::default(),
        );
        let told = told.clone();
        let answers = tower::service_fn(move |request: Request<Body>| {
            told.lock().push(format!("{name} read"));
            let pool = pool.clone();
            async move {
                let answer = pool.exchange(request, false).await.expect("an answer");
                Ok::<Response<Body>, Infallible>(answer)
            }
        });
        tokio::spawn(server::serve(
            Stream::other(client),
            Protocol::Unknown,
            answers,
            Arc::default(),
            CancellationToken::new(),
        ))
    };
    for served in ["a", "b", "c"].map(serve) {
        served.await.expect("no panic");
    }
    let expected = ["read", "sent on", "answered"]
        .iter()
        .flat_map(|what| ["a", "b", "c"].map(|name| format!("{name} {what}")));
    assert_eq!(*told.lock(), expected.collect::<Vec<_>>());
}

/// A connection with room for 16 bytes, whose requests are answered with 64.
fn narrow(settings: Settings) -> (DuplexStream, JoinHandle<()>) {
    tokio::spawn(post::deliver());
    answered(16, settings, || ())
}

/// A connection with so much room. For each request something is done `first`.
fn answered(
    room: usize,
    settings: Settings,
    first: impl Fn() + Clone + Send + 'static,
) -> (DuplexStream, JoinHandle<()>) {
    let (client, served) = tokio::io::duplex(room);
    let answers = tower::service_fn(move |request: Request<Body>| {
        first();
        let text = request.uri().path().repeat(32);
        std::future::ready(Ok::<_, Infallible>(Response::new(Body::full(text))))
    });
    let serving = tokio::spawn(server::serve(
        Stream::other(served),
        Protocol::Http1,
        answers,
        Arc::new(settings),
        CancellationToken::new(),
    ));
    (client, serving)
}

#[tokio::test(flavor = "current_thread")]
async fn what_finds_no_room_is_written_when_there_is_some() {
    let (mut client, serving) = narrow(Settings::default());
    let (mut reading, mut writing) = tokio::io::split(&mut client);
    let asking = async {
        for path in ["/a", "/b", "/c"] {
            let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
            writing.write_all(head.as_bytes()).await.expect("writes");
        }
        writing.shutdown().await.expect("shuts down");
    };
    let mut heard = String::new();
    let (read, ()) = tokio::join!(reading.read_to_string(&mut heard), asking);
    read.expect("whole answers");
    let bodies: Vec<&str> = heard
        .split("\r\n")
        .filter(|line| line.starts_with('/'))
        .collect();
    // The body of one, and the head of the next.
    let whole = |text: &str| bodies.iter().any(|body| body.starts_with(&text.repeat(32)));
    assert!(whole("/a") && whole("/b") && whole("/c"), "{heard}");
    serving.await.expect("no panic");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn who_makes_no_room_is_left() {
    let settings = Settings {
        write_timeout: Duration::from_secs(7),
        ..Settings::default()
    };
    let (mut client, serving) = narrow(settings);
    let began = Instant::now();
    let head = b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n";
    client.write_all(head).await.expect("writes");
    serving.await.expect("no panic");
    assert_eq!(began.elapsed().as_secs(), 7);
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_posted_when_nobody_delivers_any_more_is_written_all_the_same() {
    let delivering = tokio::spawn(post::deliver());
    tokio::task::yield_now().await;
    let abort = delivering.abort_handle();
    let (mut client, serving) = answered(4096, Settings::default(), move || abort.abort());
    let head = b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n";
    client.write_all(head).await.expect("writes");
    client.shutdown().await.expect("shuts down");
    let mut heard = String::new();
    let reading = client.read_to_string(&mut heard);
    let patience = Duration::from_secs(10);
    let read = tokio::time::timeout(patience, reading).await;
    read.expect("in time").expect("an answer");
    assert!(heard.ends_with(&"/a".repeat(32)), "{heard}");
    serving.await.expect("no panic");
}
