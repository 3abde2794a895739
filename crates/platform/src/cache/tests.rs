use kernel::{ManualClock, SystemRandom, Timestamp};

use super::*;
use crate::testing::TestRedis;

const MINUTE: Duration = Duration::from_secs(60);

fn clock() -> (Arc<ManualClock>, Sources) {
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(
        1_700_000_000_000_000,
    )));
    let sources = Sources::new(clock.clone(), Arc::new(SystemRandom));
    (clock, sources)
}

fn on_redis(server: &TestRedis, sources: &Sources) -> Cache {
    let redis = Redis::new(&server.settings(), RedisMetrics::default());
    Cache(Arc::new(Engines {
        memory: Memory::new(10, sources.clone()),
        shared: Some(Shared::new(redis, Some(sources.clone()))),
    }))
}

async fn a_window_ends(cache: &Cache, clock: &ManualClock) {
    assert_eq!(cache.counted("a").await, (0, Duration::ZERO));
    assert_eq!(cache.count("a", MINUTE).await, (1, MINUTE));
    clock.advance(MINUTE / 4);
    assert_eq!(cache.count("a", MINUTE).await, (2, MINUTE / 4 * 3));
    cache.take_back("a").await;
    assert_eq!(cache.counted("a").await, (1, MINUTE / 4 * 3));
    assert_eq!(cache.counted("b").await.0, 0, "each key for itself");
    cache.take_back("a").await;
    cache.take_back("a").await;
    assert_eq!(cache.counted("a").await.0, 0, "never below zero");
    clock.advance(MINUTE);
    assert_eq!(cache.counted("a").await, (0, Duration::ZERO));
    cache.take_back("a").await;
    assert_eq!(cache.count("a", MINUTE).await, (1, MINUTE));
    cache.forget("a").await;
    assert_eq!(cache.counted("a").await.0, 0);
}

#[tokio::test]
async fn a_window_ends_in_memory() {
    let (clock, sources) = clock();
    let cache = Cache::new(&CacheUrl::Memory, 10, sources, RedisMetrics::default());
    a_window_ends(&cache, &clock).await;
}

#[tokio::test]
async fn a_window_ends_in_redis() {
    let Some(server) = TestRedis::start() else {
        return;
    };
    let (clock, sources) = clock();
    a_window_ends(&on_redis(&server, &sources), &clock).await;
}

#[tokio::test]
async fn instances_count_together() {
    let Some(server) = TestRedis::start() else {
        return;
    };
    let url: CacheUrl = server.url().parse().expect("a URL");
    let cache = || Cache::new(&url, 10, Sources::system(), RedisMetrics::default());
    let (one, other) = (cache(), cache());
    assert_eq!(one.count("a", MINUTE).await.0, 1);
    assert_eq!(other.count("a", MINUTE).await.0, 2);
    other.forget("a").await;
    assert_eq!(one.counted("a").await.0, 0);
}

#[tokio::test]
async fn counting_goes_on_here_while_redis_is_away() {
    let Some(mut server) = TestRedis::start() else {
        return;
    };
    let (_, sources) = clock();
    let cache = on_redis(&server, &sources);
    assert_eq!(cache.count("a", MINUTE).await.0, 1);
    server.kill();
    for expected in 1..=10 {
        assert_eq!(cache.count("a", MINUTE).await.0, expected);
    }
}

#[test]
fn an_unknown_kind_is_refused_without_its_secrets() {
    let error = "memcached://:hunter2@host"
        .parse::<CacheUrl>()
        .expect_err("unknown");
    assert!(
        error.contains("redis://") && !error.contains("hunter2"),
        "{error}"
    );
}
