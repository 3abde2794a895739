//! Who is to write waits for all who are ready.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;
use wire::client::{self, Connect, Pool};
use wire::server::{self, Connection, Protocol};
use wire::{Body, Stream};

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
        let connection = Connection {
            peer: ([127, 0, 0, 1], 1).into(),
            encrypted: false,
        };
        tokio::spawn(server::serve(
            Stream::other(client),
            Protocol::Unknown,
            connection,
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
