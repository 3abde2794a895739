//! A channel of Redis that is followed, lost and found again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kernel::Sources;
use platform::metrics::RedisMetrics;
use platform::redis::{Away, Channel, Cmd, Connection, Follower, Redis};
use platform::tasks::Shutdown;
use platform::testing::TestRedis;
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::log::Log;
use crate::redis::signal;

/// Notes what it hears. Catching up takes until it is allowed.
struct Ear {
    caught_up: AtomicUsize,
    heard: AtomicUsize,
    allowed: watch::Sender<bool>,
}

impl Ear {
    fn new() -> Self {
        Self {
            caught_up: AtomicUsize::new(0),
            heard: AtomicUsize::new(0),
            allowed: watch::Sender::new(true),
        }
    }
}

impl Follower for Ear {
    fn catch_up<'a>(&'a self, connection: &'a Connection) -> BoxFuture<'a, Result<(), Away>> {
        async move {
            connection.command::<()>(Cmd::new().arg("PING")).await?;
            self.caught_up.fetch_add(1, Ordering::SeqCst);
            let mut allowed = self.allowed.subscribe();
            allowed.wait_for(|allowed| *allowed).await.expect("alive");
            Ok(())
        }
        .boxed()
    }

    fn heard(&self, announcement: &[u8]) {
        assert_eq!(announcement, b"news");
        self.heard.fetch_add(1, Ordering::SeqCst);
    }
}

async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let asking = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    let asked = tokio::time::timeout(Duration::from_secs(30), asking).await;
    assert!(asked.is_ok(), "not in time: {what}");
}

/// Follows a channel while the story goes on.
async fn followed(url: &str, ear: &Ear, story: impl AsyncFnOnce(&Gauge)) {
    let (gauge, shutdown) = (Gauge::default(), Shutdown::new());
    let url = url.parse().expect("a URL");
    let channel = Channel::new(&url, "news", Sources::system(), gauge.clone());
    let telling = async {
        story(&gauge).await;
        shutdown.begin();
    };
    tokio::join!(channel.follow(ear, &shutdown), telling);
    assert_eq!(gauge.get(), 0, "nobody follows any more");
}

async fn announce(server: &TestRedis, times: usize) {
    let redis = Redis::new(&server.settings(), RedisMetrics::default());
    let mut command = Cmd::new();
    command.arg("PUBLISH").arg("news:0").arg("news");
    for _ in 0..times {
        let listening: u64 = redis.command(&command).await.expect("an answer");
        assert_eq!(listening, 1);
    }
}

#[tokio::test]
async fn whoever_cannot_keep_up_with_a_channel_catches_up() {
    let Some(server) = TestRedis::start() else {
        return;
    };
    let ear = Ear::new();
    followed(&server.url(), &ear, async |gauge| {
        eventually("it follows", || gauge.get() == 1).await;
        announce(&server, 3).await;
        eventually("it hears all", || ear.heard.load(Ordering::SeqCst) == 3).await;
        assert_eq!(ear.caught_up.load(Ordering::SeqCst), 1);
    })
    .await;
    let ear = Ear::new();
    ear.allowed.send_replace(false);
    followed(&server.url(), &ear, async |gauge| {
        let caught_up = |times| ear.caught_up.load(Ordering::SeqCst) == times;
        eventually("it begins", || caught_up(1)).await;
        announce(&server, 1100).await;
        assert_eq!(gauge.get(), 0, "it has not caught up");
        ear.allowed.send_replace(true);
        eventually("it begins anew", || caught_up(2)).await;
        let before = ear.heard.load(Ordering::SeqCst);
        announce(&server, 1).await;
        eventually("it goes on", || ear.heard.load(Ordering::SeqCst) > before).await;
    })
    .await;
}

#[tokio::test]
async fn a_channel_of_a_server_that_hangs_is_lost_and_found_again() {
    let Some(server) = TestRedis::start() else {
        return;
    };
    let ear = Ear::new();
    followed(&server.url(), &ear, async |gauge| {
        eventually("it follows", || gauge.get() == 1).await;
        signal(&server, "-STOP");
        eventually("the loss shows", || gauge.get() == 0).await;
        signal(&server, "-CONT");
        eventually("it follows again", || gauge.get() == 1).await;
        assert_eq!(ear.caught_up.load(Ordering::SeqCst), 2);
        announce(&server, 1).await;
        eventually("it hears", || ear.heard.load(Ordering::SeqCst) == 1).await;
    })
    .await;
}

/// Takes in so many attempts to connect, and answers none.
async fn in_vain(url: &str, attempts: usize) {
    let address = url.trim_start_matches("redis://");
    let listener = TcpListener::bind(address).await.expect("it is free");
    for _ in 0..attempts {
        let attempt = tokio::time::timeout(Duration::from_secs(30), listener.accept());
        drop(attempt.await.expect("in time").expect("a connection"));
    }
}

#[tokio::test]
async fn the_loss_of_a_channel_and_its_return_are_one_line_each() {
    let Some(mut server) = TestRedis::start() else {
        return;
    };
    let (log, _listening) = Log::listen();
    let ear = Ear::new();
    followed(&server.url(), &ear, async |gauge| {
        eventually("it follows", || gauge.get() == 1).await;
        assert_eq!(log.count("is heard again"), 0, "it was never lost");
        for times in 1..=2 {
            server.kill();
            eventually("the loss shows", || gauge.get() == 0).await;
            in_vain(&server.url(), 3).await;
            assert_eq!(log.count("is not heard"), times);
            server.start_again();
            eventually("it follows again", || gauge.get() == 1).await;
            assert_eq!(log.count("is heard again"), times);
        }
    })
    .await;
    assert_eq!(log.count("is not heard"), 2);
}
