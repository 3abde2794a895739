//! A second level that several instances share, and that may fail.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gateway::cache::{
    Found, PurgeMode, Put, SecondKey, SecondLevel, SecondLevelError, StoreSettings, TagPurge,
};

use kernel::Sources;
use platform::context::RequestContext;
use platform::http::{ClientAddress, Origin};
use platform::telemetry::TraceContext;
use tokio::sync::oneshot;

use crate::support::{World, answer, get, get_with, settle};

/// The second level in memory: what an engine has to do, in as few words.
#[derive(Debug, Default)]
struct InMemory {
    state: Mutex<State>,
    calls: AtomicUsize,
    fails: AtomicBool,
    hangs: AtomicBool,
    /// What the next call waits for.
    slow: Mutex<Option<oneshot::Receiver<()>>>,
}

#[derive(Debug, Default)]
struct State {
    values: HashMap<SecondKey, Put>,
    purged: HashMap<String, u64>,
    purges: u64,
    /// All of them.
    seen: Vec<TagPurge>,
}

impl InMemory {
    async fn reach(&self) -> Result<(), SecondLevelError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let slow = self.slow.lock().expect("whole").take();
        if let Some(slow) = slow {
            slow.await.expect("the story goes on");
        }
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.fails.load(Ordering::SeqCst) {
            return Err(SecondLevelError("away".into()));
        }
        Ok(())
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn stored(&self) -> usize {
        self.state.lock().expect("whole").values.len()
    }
}

impl SecondLevel for InMemory {
    fn get<'a>(&'a self, key: &'a SecondKey) -> BoxFuture<'a, Result<Found, SecondLevelError>> {
        async move {
            self.reach().await?;
            let state = self.state.lock().expect("whole");
            let value = state.values.get(key).map(|put| put.value.clone());
            Ok(Found {
                value,
                purges: state.purges,
            })
        }
        .boxed()
    }

    fn put(&self, put: Put) -> BoxFuture<'_, Result<(), SecondLevelError>> {
        async move {
            self.reach().await?;
            let mut state = self.state.lock().expect("whole");
            let purged = |tag: &String| state.purged.get(tag).is_some_and(|at| *at > put.purges);
            if !put.tags.iter().any(purged) {
                state.values.insert(put.key, put);
            }
            Ok(())
        }
        .boxed()
    }

    fn purge<'a>(&'a self, purge: &'a TagPurge) -> BoxFuture<'a, Result<(), SecondLevelError>> {
        async move {
            self.reach().await?;
            let tags = &purge.tags;
            let mut state = self.state.lock().expect("whole");
            state.purges += 1;
            state.seen.push(purge.clone());
            let now = state.purges;
            state
                .values
                .retain(|_, put| !put.tags.iter().any(|tag| tags.contains(tag)));
            state
                .purged
                .extend(tags.iter().map(|tag| (tag.clone(), now)));
            Ok(())
        }
        .boxed()
    }
}

/// Two instances over one second level, and over the same upstream.
fn pair(level: &Arc<InMemory>) -> (World, World) {
    let one = World::with(StoreSettings::default(), Some(level.clone()));
    let mut other = World::with(StoreSettings::default(), Some(level.clone()));
    other.upstream = one.upstream.clone();
    (one, other)
}

#[tokio::test]
async fn what_one_instance_has_fetched_the_others_have() {
    let level = Arc::new(InMemory::default());
    let (one, other) = pair(&level);
    one.upstream.counts(&[
        ("cache-control", "max-age=60"),
        ("x-a", "b"),
        ("surrogate-key", "p"),
    ]);
    get(&one.plain(), "/a").await;
    settle().await;
    other.later(10);
    let seen = get(&other.plain(), "/a").await;
    assert_eq!(
        (seen.body.as_str(), seen.cache()),
        ("1", "Rialto; hit; ttl=50; detail=second-level")
    );
    assert_eq!(
        (
            seen.field("age"),
            seen.field("x-a"),
            seen.field("surrogate-key")
        ),
        ("10", "b", "")
    );
    let calls = level.calls();
    assert_eq!(
        get(&other.plain(), "/a").await.cache(),
        "Rialto; hit; ttl=50"
    );
    assert_eq!(
        (level.calls(), one.upstream.calls()),
        (calls, 1),
        "then it has it itself"
    );
    // What came from there can be purged by its tags all the same.
    other.cache.purge().tags(["p"], PurgeMode::Hard);
    settle().await;
    assert_eq!(level.stored(), 0);
    assert_eq!(get(&other.plain(), "/a").await.body, "2");
}

#[tokio::test]
async fn a_question_is_asked_in_the_name_of_whose_it_is() {
    let (answers, slow) = oneshot::channel();
    let level = Arc::new(InMemory::default());
    *level.slow.lock().expect("whole") = Some(slow);
    let world = World::with(StoreSettings::default(), Some(level));
    world.upstream.answers(|_, _| {
        let client = ClientAddress::current().expect("a request");
        answer(
            200,
            &[("cache-control", "max-age=60")],
            &client.0.to_string(),
        )
    });
    let cache = world.plain();
    let cache = &cache;
    let ask = |client: [u8; 4]| {
        let asked = async move {
            RequestContext::comes_from(Origin::direct(client.into()));
            get(cache, "/a").await
        };
        let trace = TraceContext::root(&Sources::system());
        Box::pin(RequestContext::new(trace, None).scope(asked))
    };
    let mut leads = ask([192, 0, 2, 1]);
    assert!(leads.as_mut().now_or_never().is_none());
    let mut joins = ask([192, 0, 2, 2]);
    assert!(joins.as_mut().now_or_never().is_none());
    answers.send(()).expect("it is waited for");
    let joined = joins.as_mut().now_or_never().expect("it goes on with it");
    assert_eq!(joined.body, "192.0.2.1");
    assert_eq!(leads.await.body, "192.0.2.1");
    assert_eq!(world.upstream.calls(), 1);
}

#[tokio::test]
async fn variants_are_found_there_too() {
    let level = Arc::new(InMemory::default());
    let (one, other) = pair(&level);
    one.upstream.answers(|_, request| {
        let language = request.headers["accept-language"].to_str().expect("text");
        answer(
            200,
            &[("cache-control", "max-age=60"), ("vary", "accept-language")],
            language,
        )
    });
    for language in ["de", "en"] {
        get_with(&one.plain(), "/a", &[("accept-language", language)]).await;
        settle().await;
    }
    for language in ["de", "en"] {
        let seen = get_with(&other.plain(), "/a", &[("accept-language", language)]).await;
        assert!(seen.is_hit());
        assert_eq!(seen.body, language);
    }
    assert!(
        !get_with(&other.plain(), "/a", &[("accept-language", "fr")])
            .await
            .is_hit()
    );
}

#[tokio::test]
async fn what_was_purged_on_its_way_is_not_put_there() {
    let level = Arc::new(InMemory::default());
    let (one, other) = pair(&level);
    let purge = other.cache.purge();
    one.upstream.answers_later(move |count, _| {
        // Another instance purges while the upstream answers.
        purge.tags(["p"], PurgeMode::Hard);
        Box::pin(async move {
            settle().await;
            let fields = [("cache-control", "max-age=60"), ("surrogate-key", "p")];
            answer(200, &fields, &count.to_string())
        })
    });
    get(&one.plain(), "/a").await;
    settle().await;
    assert_eq!(level.stored(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_request_fails_or_waits_for_it() {
    let level = Arc::new(InMemory::default());
    let (world, _) = pair(&level);
    world.upstream.counts(&[("cache-control", "max-age=60")]);
    let cache = world.plain();
    level.hangs.store(true, Ordering::SeqCst);
    let before = tokio::time::Instant::now();
    assert_eq!(get(&cache, "/0").await.status, 200);
    assert_eq!(before.elapsed(), Duration::from_millis(50));
    level.hangs.store(false, Ordering::SeqCst);
    level.fails.store(true, Ordering::SeqCst);
    for number in 1..20 {
        assert_eq!(get(&cache, &format!("/{number}")).await.status, 200);
        settle().await;
    }
    assert_eq!(level.calls(), 5, "after five failures it is left alone");
    level.fails.store(false, Ordering::SeqCst);
    world.later(5);
    get(&cache, "/again").await;
    settle().await;
    assert_eq!(level.stored(), 1, "until it may be tried again");
}

#[tokio::test(start_paused = true)]
async fn it_is_not_asked_before_it_knows_of_a_purge() {
    let level = Arc::new(InMemory::default());
    let (world, _) = pair(&level);
    world
        .upstream
        .counts(&[("cache-control", "max-age=60"), ("surrogate-key", "p")]);
    let cache = world.plain();
    get(&cache, "/a").await;
    settle().await;
    assert_eq!(level.stored(), 1);
    level.fails.store(true, Ordering::SeqCst);
    world.cache.purge().tags(["p"], PurgeMode::Hard);
    settle().await;
    level.fails.store(false, Ordering::SeqCst);
    assert_eq!(
        get(&cache, "/a").await.body,
        "2",
        "what it still holds is what was purged"
    );
    tokio::time::advance(Duration::from_secs(6)).await;
    settle().await;
    assert_eq!(level.stored(), 0, "the purge was delivered");
}

#[tokio::test(start_paused = true)]
async fn what_other_instances_are_to_be_told_of_is_not_forgotten_among_many_purges() {
    for everywhere in [false, true] {
        let level = Arc::new(InMemory::default());
        let (world, _) = pair(&level);
        level.fails.store(true, Ordering::SeqCst);
        let quiet = world.cache.purge();
        if everywhere {
            quiet.clone().everywhere().tags(["p"], PurgeMode::Soft);
        }
        for number in 0..1500 {
            quiet.tags([number.to_string()], PurgeMode::Hard);
        }
        level.fails.store(false, Ordering::SeqCst);
        tokio::time::advance(Duration::from_secs(6)).await;
        settle().await;
        let state = level.state.lock().expect("whole");
        let seen = &state.seen;
        assert!(seen.len() < 1000, "{} purges", seen.len());
        let all = seen.iter().find(|purge| purge.tags == ["all"]);
        let told = everywhere.then_some(PurgeMode::Hard);
        assert_eq!(all.expect("one stands for many").told, told);
    }
}

#[tokio::test]
async fn what_it_holds_of_another_version_is_not_there() {
    let level = Arc::new(InMemory::default());
    let (one, other) = pair(&level);
    one.upstream.counts(&[("cache-control", "max-age=60")]);
    get(&one.plain(), "/a").await;
    settle().await;
    for put in level.state.lock().expect("whole").values.values_mut() {
        let mut bytes = put.value.to_vec();
        bytes.truncate(bytes.len() - 1);
        put.value = Bytes::from(bytes);
    }
    assert_eq!(get(&other.plain(), "/a").await.body, "2");
}
