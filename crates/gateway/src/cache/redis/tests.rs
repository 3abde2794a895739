//! Redis does what the second level promises, as a model in memory does.

use std::collections::{HashMap, HashSet};

use platform::testing::TestRedis;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::super::purge::PurgeMode;
use super::*;

fn level(server: &TestRedis) -> RedisLevel {
    let metrics = Metrics::new();
    let redis = Redis::new(&server.settings(), metrics.redis("test"));
    RedisLevel::new(redis, CHANNEL.to_owned(), "test")
}

fn key(number: u8) -> SecondKey {
    [number; 32]
}

fn put(key: SecondKey, value: &str, tags: &[&str], purges: u64) -> Put {
    Put {
        key,
        value: Bytes::from(value.to_owned()),
        tags: tags.iter().map(ToString::to_string).collect(),
        keep: Duration::from_secs(60),
        purges,
    }
}

fn tags(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

async fn get(level: &RedisLevel, number: u8) -> Found {
    level.get(&key(number)).await.expect("an answer")
}

async fn store(level: &RedisLevel, number: u8, value: &str, tags: &[&str]) {
    let purges = get(level, number).await.purges;
    let put = put(key(number), value, tags, purges);
    level.put(put).await.expect("stored");
}

async fn purge(level: &RedisLevel, names: &[&str]) {
    let tags = tags(names);
    let purge = TagPurge { tags, told: None };
    level.purge(&purge).await.expect("purged");
}

async fn command<T: platform::redis::FromRedisValue>(level: &RedisLevel, words: &[&str]) -> T {
    let mut command = Cmd::new();
    for word in words {
        command.arg(word);
    }
    level.redis.command(&command).await.expect("an answer")
}

#[derive(Debug, Clone)]
enum Step {
    /// Asks for a value, as every request does.
    Get(u8),
    /// Stores a value that was asked for so many steps ago.
    Put(u8, Vec<u8>, usize),
    Purge(Vec<u8>),
    PurgeAll,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let number = 0..4u8;
    let set = prop::collection::vec(0..4u8, 1..3);
    let step = prop_oneof![
        4 => number.clone().prop_map(Step::Get),
        4 => (number, set.clone(), 0..4usize).prop_map(|(key, tags, ago)| Step::Put(key, tags, ago)),
        2 => set.prop_map(Step::Purge),
        1 => Just(Step::PurgeAll),
    ];
    prop::collection::vec(step, 1..40)
}

/// Which values count, by what was done since they were asked for.
#[derive(Default)]
struct Model {
    values: HashMap<u8, (String, HashSet<u8>)>,
    /// The tags of each purge; none for all.
    purges: Vec<Option<HashSet<u8>>>,
}

impl Model {
    fn purge(&mut self, tags: Option<HashSet<u8>>) {
        self.values
            .retain(|_, (_, of)| tags.as_ref().is_some_and(|tags| tags.is_disjoint(of)));
        self.purges.push(tags);
    }

    fn put(&mut self, key: u8, value: String, tags: HashSet<u8>, seen: usize) {
        let purged = |purge: &Option<HashSet<u8>>| {
            purge
                .as_ref()
                .is_none_or(|purged| !purged.is_disjoint(&tags))
        };
        if !self.purges[seen..].iter().any(purged) {
            self.values.insert(key, (value, tags));
        }
    }
}

async fn agree(level: &RedisLevel, steps: Vec<Step>) {
    let names = |numbers: &[u8]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>();
    command::<()>(level, &["FLUSHALL"]).await;
    let mut model = Model::default();
    // What was known after each step, by Redis and by the model.
    let mut known = vec![(get(level, 0).await.purges, 0)];
    for (index, step) in steps.into_iter().enumerate() {
        match step {
            Step::Get(number) => {
                let found = get(level, number).await;
                let value = found.value.map(|value| String::from_utf8(value.into()));
                let value = value.transpose().expect("text");
                let expected = model.values.get(&number).map(|(value, _)| value.clone());
                assert_eq!(value, expected, "step {index}");
            }
            Step::Put(number, of, ago) => {
                let (purges, seen) = known[known.len().saturating_sub(ago + 1)];
                let value = index.to_string();
                let mut all = names(&of);
                all.push(EVERYTHING.to_owned());
                let all: Vec<&str> = all.iter().map(String::as_str).collect();
                let told = put(key(number), &value, &all, purges);
                level.put(told).await.expect("told");
                model.put(number, value, of.into_iter().collect(), seen);
            }
            Step::Purge(of) => {
                let tags = names(&of);
                let told = (of.len() > 1).then_some(PurgeMode::Soft);
                let purge = TagPurge { tags, told };
                level.purge(&purge).await.expect("purged");
                model.purge(Some(of.into_iter().collect()));
            }
            Step::PurgeAll => {
                purge(level, &[EVERYTHING]).await;
                model.purge(None);
            }
        }
        known.push((get(level, 9).await.purges, model.purges.len()));
    }
}

#[test]
fn whatever_is_stored_and_purged_it_is_found_as_it_should() {
    let Some(server) = TestRedis::start() else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    // Connections belong to the runtime.
    let level = level(&server);
    let config = ProptestConfig::with_cases(256);
    let run = TestRunner::new(config).run(&steps(), |steps| {
        runtime.block_on(agree(&level, steps));
        Ok(())
    });
    run.expect("Redis and the model agree");
}

#[tokio::test]
async fn what_was_purged_stays_so_when_redis_forgets_the_purges() {
    let Some(server) = TestRedis::start() else {
        return;
    };
    let level = level(&server);
    store(&level, 1, "old", &["p"]).await;
    purge(&level, &["p"]).await;
    command::<()>(&level, &["DEL", PURGES]).await;
    assert_eq!(get(&level, 1).await.value, None);
    // A put that was on its way when they were lost comes to nothing, too.
    let before = get(&level, 2).await.purges;
    command::<()>(&level, &["DEL", PURGES]).await;
    let late = put(key(2), "late", &["p"], before);
    level.put(late.clone()).await.expect("told");
    assert_eq!(get(&level, 2).await.value, None);
    level.put(late).await.expect("told");
    assert_eq!(get(&level, 2).await.value, None);
    // Whoever comes first after the loss, what is stored from then on counts.
    command::<()>(&level, &["DEL", PURGES]).await;
    purge(&level, &["q"]).await;
    store(&level, 2, "new", &["p"]).await;
    assert_eq!(get(&level, 2).await.value.as_deref(), Some(&b"new"[..]));
}

#[tokio::test]
async fn the_oldest_purges_make_room_and_count_for_everything() {
    let Some(server) = TestRedis::start() else {
        return;
    };
    let level = RedisLevel {
        records: 4,
        ..level(&server)
    };
    store(&level, 1, "older", &["a"]).await;
    purge(&level, &["b"]).await;
    store(&level, 2, "newer", &["b"]).await;
    for tag in ["c", "d", "e"] {
        purge(&level, &[tag]).await;
    }
    assert_eq!(
        get(&level, 1).await.value,
        None,
        "the purge of b is forgotten"
    );
    assert_eq!(get(&level, 2).await.value.as_deref(), Some(&b"newer"[..]));
    for number in 0..100 {
        purge(&level, &[&number.to_string()]).await;
    }
    let kept: u64 = command(&level, &["ZCARD", PURGES]).await;
    assert!(kept <= 5, "{kept} records");
}

#[tokio::test]
async fn a_value_goes_when_its_time_is_over() {
    let Some(server) = TestRedis::start() else {
        return;
    };
    let level = level(&server);
    store(&level, 1, "value", &["p"]).await;
    let text = name(&key(1));
    let mut ask = platform::redis::Cmd::new();
    ask.arg("PTTL").arg(&text);
    let left: i64 = level.redis.command(&ask).await.expect("an answer");
    assert!((50_000..=60_000).contains(&left), "{left} ms");
}

#[tokio::test]
async fn what_comes_late_does_not_replace_what_is_newer() {
    let Some(server) = TestRedis::start() else {
        return;
    };
    let level = level(&server);
    for tag in ["p", EVERYTHING] {
        let before = get(&level, 1).await.purges;
        purge(&level, &[tag]).await;
        store(&level, 1, "newer", &["p"]).await;
        let late = put(key(1), "late", &["p"], before);
        level.put(late).await.expect("told");
        assert_eq!(get(&level, 1).await.value.as_deref(), Some(&b"newer"[..]));
    }
}
