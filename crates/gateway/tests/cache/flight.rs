//! Many clients at once, and answers that are long in coming.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::join_all;
use gateway::cache::CacheSettings;
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use wire::Body;

use crate::support::{World, answer, begin, get, get_with, parts, read, settle};

const FRESH: &[(&str, &str)] = &[("cache-control", "max-age=60")];

/// Answers each request when the story says so.
fn held(
    world: &World,
) -> tokio::sync::mpsc::UnboundedReceiver<oneshot::Sender<http::Response<Body>>> {
    let (asked, questions) = tokio::sync::mpsc::unbounded_channel();
    world.upstream.answers_later(move |_, _| {
        let (answering, answered) = oneshot::channel();
        asked.send(answering).expect("the story goes on");
        Box::pin(async move { answered.await.expect("an answer") })
    });
    questions
}

#[tokio::test]
async fn of_those_who_miss_at_once_one_asks() {
    let world = World::new();
    let mut questions = held(&world);
    let cache = world.plain();
    let all = join_all((0..50).map(|_| get(&cache, "/a")));
    let upstream = async {
        let question = questions.recv().await.expect("a question");
        settle().await;
        question
            .send(answer(200, FRESH, "body"))
            .expect("somebody waits");
    };
    let (all, ()) = futures_util::join!(all, upstream);
    assert!(all.iter().all(|seen| seen.body == "body"));
    assert_eq!(world.upstream.calls(), 1);
    let collapsed = all
        .iter()
        .filter(|seen| seen.cache().ends_with("; stored; collapsed"));
    assert_eq!(collapsed.count(), 49);
}

#[tokio::test]
async fn what_cannot_be_shared_piles_nobody_up() {
    let world = World::new();
    let mut questions = held(&world);
    let cache = world.plain();
    let mut all = Box::pin(join_all((0..10).map(|_| get(&cache, "/a"))));
    assert!(all.as_mut().now_or_never().is_none());
    assert_eq!(world.upstream.calls(), 1);
    let first = questions.recv().await.expect("a question");
    first
        .send(answer(200, &[("cache-control", "private")], "1"))
        .expect("somebody waits");
    assert!(all.as_mut().now_or_never().is_none());
    assert_eq!(
        world.upstream.calls(),
        10,
        "the others ask at once, each for itself"
    );
    for _ in 1..10 {
        let question = questions.recv().await.expect("a question");
        question
            .send(answer(200, &[("cache-control", "private")], "x"))
            .expect("somebody waits");
    }
    all.await;
    // For a while, nobody waits for anybody.
    let mut more = Box::pin(join_all((0..5).map(|_| get(&cache, "/a"))));
    assert!(more.as_mut().now_or_never().is_none());
    assert_eq!(world.upstream.calls(), 15);
    drop(more);
    world.later(10);
    let mut later = Box::pin(join_all((0..5).map(|_| get(&cache, "/a"))));
    assert!(later.as_mut().now_or_never().is_none());
    assert_eq!(world.upstream.calls(), 16, "then they do again");
}

#[tokio::test]
async fn an_answer_for_one_client_reaches_no_other() {
    let world = World::new();
    let mut questions = held(&world);
    let cache = world.plain();
    let mut first = Box::pin(get_with(&cache, "/a", &[("cookie", "ada")]));
    assert!(first.as_mut().now_or_never().is_none());
    let mut second = Box::pin(get_with(&cache, "/a", &[("cookie", "bob")]));
    assert!(second.as_mut().now_or_never().is_none());
    drop(first);
    let question = questions.recv().await.expect("a question");
    question
        .send(answer(200, &[("cache-control", "private")], "ada's"))
        .expect("bob waits");
    assert!(second.as_mut().now_or_never().is_none());
    assert_eq!(world.upstream.last().headers["cookie"], "bob");
    let question = questions.recv().await.expect("a question of bob's own");
    question
        .send(answer(200, &[("cache-control", "private")], "bob's"))
        .expect("bob waits");
    assert_eq!(second.await.body, "bob's");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_the_route_says() {
    let world = World::new();
    let mut questions = held(&world);
    let wait = Duration::from_secs(2);
    let cache = world.route(CacheSettings {
        wait,
        ..CacheSettings::default()
    });
    let mut first = Box::pin(get(&cache, "/a"));
    assert!(first.as_mut().now_or_never().is_none());
    let mut second = Box::pin(get(&cache, "/a"));
    assert!(second.as_mut().now_or_never().is_none());
    tokio::time::advance(wait).await;
    assert!(second.as_mut().now_or_never().is_none());
    assert_eq!(world.upstream.calls(), 2);
    let _slow = questions.recv().await.expect("the first question");
    let quick = questions.recv().await.expect("the second question");
    quick
        .send(answer(200, FRESH, "quick"))
        .expect("somebody waits");
    assert_eq!(second.await.body, "quick");
}

#[tokio::test]
async fn the_question_outlives_its_asker_only_while_others_wait() {
    let world = World::new();
    let mut questions = held(&world);
    let cache = world.plain();
    let mut first = Box::pin(get(&cache, "/a"));
    assert!(first.as_mut().now_or_never().is_none());
    let mut second = Box::pin(get(&cache, "/a"));
    assert!(second.as_mut().now_or_never().is_none());
    drop(first);
    let question = questions.recv().await.expect("a question");
    question
        .send(answer(200, FRESH, "body"))
        .expect("the other waits");
    assert_eq!(second.await.body, "body");
    assert_eq!(world.upstream.calls(), 1);
    let mut only = Box::pin(get(&cache, "/b"));
    assert!(only.as_mut().now_or_never().is_none());
    drop(only);
    let question = questions.recv().await.expect("a question");
    assert!(
        question.send(answer(200, FRESH, "")).is_err(),
        "the upstream is let go"
    );
    assert!(get(&cache, "/b").now_or_never().is_none());
    assert_eq!(world.upstream.calls(), 3, "who comes next asks anew");
}

#[tokio::test]
async fn the_first_client_reads_while_it_is_stored_and_others_read_along() {
    let world = World::new();
    let (sender, body) = parts(Some(6));
    let mut body = Some(body);
    world
        .upstream
        .answers(move |_, _| answer(200, FRESH, "").map(|_| body.take().expect("asked once")));
    let cache = world.plain();
    let mut first = begin(&cache, "GET", "/a", &[]).await.into_body();
    sender.send(Ok(Bytes::from_static(b"abc"))).expect("read");
    let data = first
        .frame()
        .await
        .expect("a part")
        .expect("whole")
        .into_data()
        .expect("data");
    assert_eq!(data, "abc", "before the rest has come");
    let second = begin(&cache, "GET", "/a", &[]).await;
    assert_eq!(
        second.headers()["cache-status"],
        "Rialto; fwd=uri-miss; stored; collapsed"
    );
    // The first client goes away, or reads no more: the second reads on.
    drop(first);
    let mut second = Box::pin(read(second));
    assert!(second.as_mut().now_or_never().is_none());
    sender.send(Ok(Bytes::from_static(b"def"))).expect("read");
    drop(sender);
    assert_eq!(second.await.body, "abcdef");
    let third = get(&cache, "/a").await;
    assert!(third.is_hit() && third.body == "abcdef");
}

#[tokio::test]
async fn a_slow_reader_holds_up_nobody() {
    let world = World::new();
    let (sender, body) = parts(None);
    let mut body = Some(body);
    world
        .upstream
        .answers(move |_, _| answer(200, FRESH, "").map(|_| body.take().expect("asked once")));
    let cache = world.plain();
    let slow = begin(&cache, "GET", "/a", &[]).await;
    let mut other = Box::pin(get(&cache, "/a"));
    assert!(
        other.as_mut().now_or_never().is_none(),
        "its length is not known: it waits"
    );
    sender.send(Ok(Bytes::from_static(b"body"))).expect("read");
    drop(sender);
    assert_eq!(other.await.body, "body");
    assert_eq!(read(slow).await.body, "body");
    assert_eq!(world.upstream.calls(), 1);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_passed_on_and_not_stored() {
    for length in [None, Some(30)] {
        let world = World::new();
        world.upstream.answers(move |_, _| {
            let (sender, body) = parts(length);
            for _ in 0..3 {
                sender
                    .send(Ok(Bytes::from_static(b"0123456789")))
                    .expect("read");
            }
            answer(200, FRESH, "").map(|_| body)
        });
        let cache = world.route(CacheSettings {
            body_limit: 20,
            ..CacheSettings::default()
        });
        let (one, other) = futures_util::join!(get(&cache, "/a"), get(&cache, "/a"));
        assert_eq!((one.body.len(), other.body.len()), (30, 30));
        assert_eq!(world.cache.bytes(), 0);
        assert_eq!(world.upstream.calls(), 2);
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_stored() {
    let world = World::new();
    world.upstream.answers(|count, _| {
        let (sender, body) = parts((count == 2).then_some(10));
        sender.send(Ok(Bytes::from_static(b"half"))).expect("read");
        if count == 1 {
            sender
                .send(Err("the upstream is gone".into()))
                .expect("read");
        }
        answer(200, FRESH, "").map(|_| body)
    });
    let cache = world.plain();
    for _ in 0..2 {
        let response = begin(&cache, "GET", "/a", &[]).await;
        assert!(response.into_body().collect().await.is_err());
        assert_eq!(world.cache.bytes(), 0);
    }
    assert!(!get(&cache, "/a").await.is_hit());
    assert_eq!(world.upstream.calls(), 3);
}

#[tokio::test]
async fn those_who_want_another_variant_ask_for_it() {
    let world = World::new();
    let mut questions = held(&world);
    let cache = world.plain();
    let mut german = Box::pin(get_with(&cache, "/a", &[("accept-language", "de")]));
    let mut english = Box::pin(get_with(&cache, "/a", &[("accept-language", "en")]));
    assert!(german.as_mut().now_or_never().is_none());
    assert!(english.as_mut().now_or_never().is_none());
    let fields = [("cache-control", "max-age=60"), ("vary", "accept-language")];
    let question = questions.recv().await.expect("a question");
    question
        .send(answer(200, &fields, "de"))
        .expect("somebody waits");
    assert_eq!(german.await.body, "de");
    assert!(english.as_mut().now_or_never().is_none());
    let question = questions.recv().await.expect("another question");
    question
        .send(answer(200, &fields, "en"))
        .expect("somebody waits");
    assert_eq!(english.await.body, "en");
}

#[tokio::test]
async fn those_who_wait_for_a_check_share_it() {
    let world = World::new();
    let fields = [("cache-control", "max-age=10"), ("etag", "\"v\"")];
    world
        .upstream
        .answers(move |_, _| answer(200, &fields, "body"));
    let cache = world.plain();
    get(&cache, "/a").await;
    world.later(20);
    let mut questions = held(&world);
    let mut all = Box::pin(join_all((0..5).map(|_| get(&cache, "/a"))));
    assert!(all.as_mut().now_or_never().is_none());
    let question = questions.recv().await.expect("a question");
    question
        .send(answer(304, &fields, ""))
        .expect("somebody waits");
    assert!(all.await.iter().all(|seen| seen.body == "body"));
    assert_eq!(world.upstream.calls(), 2);
}

#[tokio::test]
async fn once_too_large_nobody_waits() {
    let world = World::new();
    world.upstream.answers(move |_, _| {
        let (sender, body) = parts(None);
        sender
            .send(Ok(Bytes::from_static(b"012345678901234567890")))
            .expect("read");
        answer(200, FRESH, "").map(|_| body)
    });
    let cache = world.route(CacheSettings {
        body_limit: 20,
        ..CacheSettings::default()
    });
    get(&cache, "/a").await;
    let mut questions = held(&world);
    let mut others = Box::pin(join_all((0..3).map(|_| get(&cache, "/a"))));
    assert!(others.as_mut().now_or_never().is_none());
    assert_eq!(world.upstream.calls(), 4, "each asks for itself at once");
    drop(questions.recv().await);
}

#[tokio::test]
async fn nobody_reads_along_with_what_may_turn_out_too_large() {
    let world = World::new();
    let (sender, body) = parts(None);
    let mut bodies = vec![body];
    world.upstream.answers(move |_, _| {
        let whole = || Body::full("0123456789".repeat(3));
        let body = bodies.pop().unwrap_or_else(whole);
        answer(200, FRESH, "").map(|_| body)
    });
    let cache = world.route(CacheSettings {
        body_limit: 20,
        ..CacheSettings::default()
    });
    let leader = begin(&cache, "GET", "/a", &[]).await;
    let mut other = Box::pin(get(&cache, "/a"));
    assert!(other.as_mut().now_or_never().is_none());
    for _ in 0..3 {
        sender
            .send(Ok(Bytes::from_static(b"0123456789")))
            .expect("read");
    }
    drop(sender);
    let (leader, other) = futures_util::join!(read(leader), other);
    assert_eq!((leader.body.len(), other.body.len()), (30, 30));
    assert_eq!(world.upstream.calls(), 2);
}
