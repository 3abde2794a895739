//! Redis that answers, dies, hangs and comes back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kernel::Sources;
use platform::metrics::RedisMetrics;
use platform::redis::{Away, Channel, Cmd, Connection, Follower, Redis, RedisSettings, Script};
use platform::tasks::Shutdown;
use platform::testing::TestRedis;
use prometheus_client::metrics::gauge::Gauge;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;

fn incr() -> Cmd {
    let mut command = Cmd::new();
    command.arg("INCR").arg("n");
    command
}

/// Asks until there is an answer; the breaker's pauses are short.
async fn back(redis: &Redis) -> i64 {
    let asking = async {
        loop {
            if let Ok(answer) = redis.command(&incr()).await {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    let back = tokio::time::timeout(Duration::from_secs(20), asking).await;
    back.expect("it comes back")
}

#[tokio::test]
async fn commands_are_answered_over_one_connection() {
    let Some(server) = TestRedis::start() else {
        return;
    };
    let redis = Redis::new(&server.settings(), RedisMetrics::default());
    let commands = (0..200).map(|_| async { redis.command::<i64>(&incr()).await });
    let mut answers: Vec<i64> = futures_util::future::try_join_all(commands)
        .await
        .expect("answers");
    answers.sort_unstable();
    assert_eq!(answers, (1..=200).collect::<Vec<_>>());
    let mut command = Cmd::new();
    let clients: String = redis
        .command(command.arg("CLIENT").arg("LIST"))
        .await
        .expect("a list");
    assert_eq!(clients.lines().count(), 1, "{clients}");
}

#[tokio::test]
async fn a_script_that_the_server_has_forgotten_runs_all_the_same() {
    let Some(mut server) = TestRedis::start() else {
        return;
    };
    let redis = Redis::new(&server.settings(), RedisMetrics::default());
    let script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    let add = || {
        redis.script::<i64>(&script, 1, |command| {
            command.arg("n").arg(2);
        })
    };
    assert_eq!(add().await.expect("an answer"), 2);
    assert_eq!(add().await.expect("an answer"), 4);
    let mut flush = Cmd::new();
    let flushed = redis.command::<()>(flush.arg("SCRIPT").arg("FLUSH")).await;
    flushed.expect("an answer");
    assert_eq!(add().await.expect("an answer"), 6);
    server.start_again();
    assert_eq!(
        add().await.expect("a lost connection is met once more"),
        2,
        "empty"
    );
}

#[tokio::test]
async fn a_server_that_dies_is_left_alone_and_found_again() {
    let Some(mut server) = TestRedis::start() else {
        return;
    };
    let metrics = RedisMetrics::default();
    let redis = Redis::new(&server.settings(), metrics.clone());
    assert_eq!(redis.command::<i64>(&incr()).await.expect("an answer"), 1);
    server.kill();
    for _ in 0..3 {
        let failed = redis.command::<i64>(&incr()).await;
        assert!(matches!(failed, Err(Away::Failed(_))), "{failed:?}");
    }
    let refused = redis.command::<i64>(&incr()).await;
    assert!(matches!(refused, Err(Away::Refused)), "{refused:?}");
    assert!(!redis.is_up() && metrics.up.get() == 0);
    server.start_again();
    assert_eq!(back(&redis).await, 1, "empty");
    assert!(redis.is_up() && metrics.up.get() == 1);
}

#[tokio::test]
async fn a_server_that_hangs_costs_the_deadline_three_times() {
    let Some(server) = TestRedis::start() else {
        return;
    };
    let metrics = RedisMetrics::default();
    let timeout = Duration::from_millis(100);
    let settings = RedisSettings {
        timeout,
        ..server.settings()
    };
    let redis = Redis::new(&settings, metrics.clone());
    let first = back(&redis).await;
    signal(&server, "-STOP");
    let began = Instant::now();
    let mut late = 0;
    for _ in 0..1000 {
        match redis.command::<i64>(&incr()).await {
            Err(Away::Late(_)) => late += 1,
            Err(Away::Refused) => {}
            other => panic!("{other:?}"),
        }
    }
    // The first pause is as long as the deadline here, so a slow machine may see a probe.
    assert!((3..=5).contains(&late), "{late} waited");
    assert!(began.elapsed() >= timeout * 3);
    signal(&server, "-CONT");
    assert!(back(&redis).await > first);
}

#[tokio::test]
async fn a_wrong_answer_for_one_key_is_not_an_absence() {
    let Some(server) = TestRedis::start() else {
        return;
    };
    let redis = Redis::new(&server.settings(), RedisMetrics::default());
    let mut command = Cmd::new();
    let pushed = redis.command::<()>(command.arg("LPUSH").arg("n").arg("x"));
    pushed.await.expect("an answer");
    for _ in 0..10 {
        let wrong = redis.command::<i64>(&incr()).await;
        assert!(matches!(wrong, Err(Away::Failed(_))), "{wrong:?}");
    }
    assert!(redis.is_up());
}

#[tokio::test]
async fn a_probe_that_nobody_waits_for_holds_nobody_up() {
    let Some(server) = TestRedis::start() else {
        return;
    };
    let settings = RedisSettings {
        timeout: Duration::from_millis(20),
        ..server.settings()
    };
    let redis = Redis::new(&settings, RedisMetrics::default());
    back(&redis).await;
    signal(&server, "-STOP");
    while redis.is_up() {
        let _ = redis.command::<i64>(&incr()).await;
    }
    // Whoever is let through to probe is gone before there is an answer.
    let probes = async {
        loop {
            let command = incr();
            if redis.command::<i64>(&command).now_or_never().is_none() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let probed = tokio::time::timeout(Duration::from_secs(10), probes).await;
    probed.expect("somebody probes");
    signal(&server, "-CONT");
    back(&redis).await;
}

#[tokio::test]
async fn a_server_that_takes_no_writes_any_more_is_looked_for_anew() {
    let Some(server) = TestRedis::start() else {
        return;
    };
    let redis = Redis::new(&server.settings(), RedisMetrics::default());
    let operator = Redis::new(&server.settings(), RedisMetrics::default());
    let words = |line: &str| {
        let mut command = Cmd::new();
        line.split(' ').for_each(|word| {
            command.arg(word);
        });
        command
    };
    let order = async |line: &str| {
        let done = operator.command::<()>(&words(line)).await;
        done.expect("an answer");
    };
    let id = async || redis.command::<i64>(&words("CLIENT ID")).await;
    let before = id().await.expect("an answer");
    // As after a failover: the old connection leads to what is a replica now.
    order("REPLICAOF 127.0.0.1 1").await;
    while redis.is_up() {
        let failed = redis.command::<i64>(&incr()).await;
        assert!(matches!(failed, Err(Away::Failed(_))), "{failed:?}");
    }
    order("REPLICAOF NO ONE").await;
    back(&redis).await;
    assert_ne!(id().await.expect("an answer"), before, "another connection");
}

#[tokio::test]
async fn rediss_is_tls() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let url = format!("rediss://127.0.0.1:{port}").parse().expect("a URL");
    let settings = RedisSettings {
        timeout: Duration::from_secs(5),
        ..RedisSettings::new(url)
    };
    let redis = Redis::new(&settings, RedisMetrics::default());
    let greeted = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut begins = [0; 2];
        stream.read_exact(&mut begins).await.expect("a greeting");
        begins
    };
    let command = incr();
    let (answer, begins) = tokio::join!(redis.command::<i64>(&command), greeted);
    assert_eq!(begins, [22, 3], "a handshake record");
    assert!(matches!(answer, Err(Away::Failed(_))), "{answer:?}");
}

fn signal(server: &TestRedis, signal: &str) {
    let pid = server.pid().expect("it runs").to_string();
    let sent = std::process::Command::new("kill")
        .args([signal, &pid])
        .status();
    assert!(sent.expect("kill is there").success());
}

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
async fn followed(server: &TestRedis, ear: &Ear, story: impl AsyncFnOnce(&Gauge)) {
    let (gauge, shutdown) = (Gauge::default(), Shutdown::new());
    let url = server.url().parse().expect("a URL");
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
    followed(&server, &ear, async |gauge| {
        eventually("it follows", || gauge.get() == 1).await;
        announce(&server, 3).await;
        eventually("it hears all", || ear.heard.load(Ordering::SeqCst) == 3).await;
        assert_eq!(ear.caught_up.load(Ordering::SeqCst), 1);
    })
    .await;
    let ear = Ear::new();
    ear.allowed.send_replace(false);
    followed(&server, &ear, async |gauge| {
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
    followed(&server, &ear, async |gauge| {
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
