//! Several gateways that share a Redis, which each may lose.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::bridge::Bridge;

/// Asks until it is so. No sleeps: it asks and asks.
pub(crate) async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let asking = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    let asked = tokio::time::timeout(Duration::from_secs(30), asking).await;
    assert!(asked.is_ok(), "not in time: {what}");
}

impl Bridge {
    /// Whether the gateway hears what others announce for `user` of Redis.
    pub(crate) async fn follows(&self, user: &str) -> bool {
        let metric = format!("rialto_redis_followed{{user=\"{user}\"}}");
        self.shop.metric(&metric).await == 1
    }
}

/// A way to a server that can be cut, and mended. It ends when it is dropped.
pub(crate) struct Cable {
    address: SocketAddr,
    whole: watch::Sender<bool>,
}

impl Cable {
    /// A way to the server at `url`, which is `redis://HOST:PORT`.
    pub(crate) async fn to(url: &str) -> Self {
        let target = url.trim_start_matches("redis://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let whole = watch::Sender::new(true);
        let mut state = whole.subscribe();
        #[expect(clippy::disallowed_methods, reason = "ends with the test's cable")]
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    // Nobody can cut it any more.
                    _ = state.wait_for(|_| false) => return,
                    accepted = listener.accept() => accepted,
                };
                let (Ok((stream, _)), true) = (accepted, *state.borrow()) else {
                    continue;
                };
                tokio::spawn(carry(stream, target.clone(), state.clone()));
            }
        });
        Self { address, whole }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub(crate) fn cut(&self) {
        self.whole.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.whole.send_replace(true);
    }
}

async fn carry(mut near: TcpStream, target: String, mut state: watch::Receiver<bool>) {
    let Ok(mut far) = TcpStream::connect(target).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = state.wait_for(|whole| !whole) => {}
    }
}
