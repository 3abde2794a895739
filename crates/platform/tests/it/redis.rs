//! Redis that answers, dies, hangs and comes back.

use std::time::{Duration, Instant};

use futures_util::FutureExt;
use platform::metrics::RedisMetrics;
use platform::redis::{Away, Cmd, Redis, RedisSettings, Script};
use platform::testing::TestRedis;
use tokio::io::AsyncReadExt;

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

/// Sends a signal to its process.
pub(crate) fn signal(server: &TestRedis, signal: &str) {
    let pid = server.pid().expect("it runs").to_string();
    let sent = std::process::Command::new("kill")
        .args([signal, &pid])
        .status();
    assert!(sent.expect("kill is there").success());
}
