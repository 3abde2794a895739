//! What is out of date is not used, wherever it is.

use futures_util::FutureExt;
use gateway::cache::{PurgeMode, StoreSettings};
use tokio::sync::oneshot;

use crate::support::{World, answer, begin, get, get_with, parts, read, send, settle};

#[tokio::test]
async fn a_tag_purges_what_has_it() {
    for name in ["surrogate-key", "cache-tag"] {
        let world = World::new();
        world.upstream.answers(move |count, request| {
            let tags = match (name, request.uri.path()) {
                ("cache-tag", "/a") => "product-1,shop",
                (_, "/a") => "product-1 shop",
                _ => "product-2",
            };
            answer(
                200,
                &[("cache-control", "max-age=60"), (name, tags)],
                &count.to_string(),
            )
        });
        let cache = world.plain();
        assert_eq!(
            get(&cache, "/a").await.field(name),
            "",
            "clients do not see tags"
        );
        get(&cache, "/b").await;
        world.cache.purge().tags(["product-1"], PurgeMode::Hard);
        assert_eq!(get(&cache, "/a").await.body, "3");
        assert_eq!(get(&cache, "/b").await.body, "2");
        assert!(get(&cache, "/a").await.is_hit(), "what comes later stays");
        world
            .cache
            .purge()
            .tags(["shop", "product-2"], PurgeMode::Hard);
        assert_eq!(
            (get(&cache, "/a").await.body, get(&cache, "/b").await.body),
            ("4".into(), "5".into())
        );
        assert_eq!(world.metrics.http_cache.purges.get(), 2);
    }
}

#[tokio::test]
async fn a_soft_purge_makes_stale() {
    let world = World::new();
    world.upstream.counts(&[
        ("cache-control", "max-age=60, stale-while-revalidate=30"),
        ("surrogate-key", "p"),
    ]);
    let cache = world.plain();
    get(&cache, "/a").await;
    world.later(10);
    world.cache.purge().tags(["p"], PurgeMode::Soft);
    world.later(3);
    let stale = get(&cache, "/a").await;
    assert_eq!(
        (stale.body.as_str(), stale.cache()),
        ("1", "Rialto; hit; ttl=-3; detail=stale-while-revalidate")
    );
    settle().await;
    let fresh = get(&cache, "/a").await;
    assert_eq!(
        (fresh.body.as_str(), fresh.cache()),
        ("2", "Rialto; hit; ttl=60")
    );
}

#[tokio::test]
async fn a_url_purges_every_answer_at_its_path() {
    let world = World::new();
    world.upstream.counts(&[("cache-control", "max-age=60")]);
    let cache = world.plain();
    get(&cache, "/a").await;
    get(&cache, "/a?page=2").await;
    get(&cache, "/b").await;
    let url = "https://SHOP.example:443/a".parse().expect("a URL");
    world.cache.purge().url(&url, PurgeMode::Hard);
    assert!(!get(&cache, "/a").await.is_hit());
    assert!(!get(&cache, "/a?page=2").await.is_hit());
    assert!(get(&cache, "/b").await.is_hit());
}

#[tokio::test]
async fn everything_can_be_purged() {
    let world = World::new();
    world.upstream.counts(&[("cache-control", "max-age=60")]);
    let cache = world.plain();
    get(&cache, "/a").await;
    world.cache.purge().all(PurgeMode::Soft);
    assert!(!get(&cache, "/a").await.is_hit());
    assert!(get(&cache, "/a").await.is_hit());
    world.cache.purge().all(PurgeMode::Hard);
    assert_eq!(world.cache.bytes(), 0);
    assert!(!get(&cache, "/a").await.is_hit());
}

#[tokio::test]
async fn an_older_answer_that_is_on_its_way_is_not_kept() {
    for mode in [PurgeMode::Hard, PurgeMode::Soft] {
        let world = World::new();
        let (asked, mut questions) = tokio::sync::mpsc::unbounded_channel();
        world.upstream.answers_later(move |_, _| {
            let (answering, answered) = oneshot::channel();
            asked.send(answering).expect("the story goes on");
            Box::pin(async move { answered.await.expect("an answer") })
        });
        let fields = [("cache-control", "max-age=60"), ("surrogate-key", "p")];
        let cache = world.plain();
        let mut early = Box::pin(get(&cache, "/a"));
        assert!(early.as_mut().now_or_never().is_none());
        let question = questions.recv().await.expect("a question");
        world.cache.purge().tags(["p"], mode);
        // Who comes after the purge waits with the others, but is not told what is older.
        let mut late = Box::pin(get(&cache, "/a"));
        assert!(late.as_mut().now_or_never().is_none());
        question
            .send(answer(200, &fields, "old"))
            .expect("somebody waits");
        assert_eq!(early.await.body, "old");
        assert!(late.as_mut().now_or_never().is_none(), "{mode:?}");
        let question = questions.recv().await.expect("another question");
        question
            .send(answer(200, &fields, "new"))
            .expect("somebody waits");
        assert_eq!(late.await.body, "new");
        assert_eq!(get(&cache, "/a").await.body, "new");
    }
}

#[tokio::test]
async fn forgotten_purges_count_for_everything_older() {
    let settings = StoreSettings {
        purge_records: 3,
        ..StoreSettings::default()
    };
    let world = World::with(settings, None);
    world
        .upstream
        .counts(&[("cache-control", "max-age=60"), ("surrogate-key", "p")]);
    let cache = world.plain();
    get(&cache, "/a").await;
    let purge = world.cache.purge();
    purge.tags(["p", "q"], PurgeMode::Hard);
    purge.tags(["r", "s", "t", "u"], PurgeMode::Hard);
    assert!(
        !get(&cache, "/a").await.is_hit(),
        "its own purge is forgotten, but not its age"
    );
    purge.tags(["v"], PurgeMode::Hard);
    assert!(
        get(&cache, "/a").await.is_hit(),
        "it is younger than what was forgotten"
    );
}

#[tokio::test]
async fn what_has_too_many_tags_is_not_stored() {
    let world = World::new();
    let tags: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    let tags = tags.join(" ");
    world.upstream.answers(move |_, _| {
        answer(
            200,
            &[("cache-control", "max-age=60"), ("surrogate-key", &tags)],
            "x",
        )
    });
    let cache = world.plain();
    assert_eq!(
        get(&cache, "/a").await.cache(),
        "Rialto; fwd=uri-miss; detail=tags"
    );
}

#[tokio::test]
async fn unsafe_requests_that_succeed_purge_what_they_change() {
    let world = World::new();
    world
        .upstream
        .answers(|count, request| match request.method.as_str() {
            "GET" => answer(200, &[("cache-control", "max-age=60")], &count.to_string()),
            _ if request.uri.path() == "/never-read" => answer(204, &[], ""),
            _ if request.headers.contains_key("x-fail") => answer(500, &[], ""),
            _ => answer(
                201,
                &[
                    ("location", "/orders/7"),
                    ("content-location", "http://shop.example/summary"),
                ],
                "",
            ),
        });
    let cache = world.plain();
    let paths = ["/orders?page=1", "/orders/7", "/summary", "/other"];
    for path in paths {
        get(&cache, path).await;
    }
    send(&cache, "POST", "/orders", &[("x-fail", "yes")]).await;
    assert!(get(&cache, "/orders?page=1").await.is_hit());
    let posted = send(&cache, "POST", "/orders", &[]).await;
    assert_eq!(posted.cache(), "Rialto; fwd=method");
    for path in &paths[..3] {
        assert!(!get(&cache, path).await.is_hit(), "{path}");
    }
    assert!(get(&cache, "/other").await.is_hit());
    send(&cache, "OPTIONS", "/other", &[]).await;
    assert!(
        get(&cache, "/other").await.is_hit(),
        "OPTIONS changes nothing"
    );
    send(&cache, "DELETE", "/other", &[("host", "b.example")]).await;
    assert!(get(&cache, "/other").await.is_hit(), "another host");
    let purges = world.metrics.http_cache.purges.get();
    send(&cache, "PUT", "/never-read", &[]).await;
    send(&cache, "DELETE", "/never-read", &[]).await;
    assert_eq!(
        world.metrics.http_cache.purges.get(),
        purges,
        "only of what may be stored"
    );
}

#[tokio::test]
async fn tags_stay_where_the_route_wants_them() {
    let world = World::new();
    world
        .upstream
        .counts(&[("cache-control", "max-age=60"), ("surrogate-key", "p")]);
    let settings = gateway::cache::CacheSettings {
        strip_tags: false,
        ..Default::default()
    };
    let cache = world.route(settings);
    get(&cache, "/a").await;
    assert_eq!(
        get_with(&cache, "/a", &[]).await.field("surrogate-key"),
        "p"
    );
}

#[tokio::test]
async fn an_older_answer_takes_no_newer_ones_place() {
    let world = World::new();
    let (sender, body) = parts(Some(3));
    let mut body = Some(body);
    world.upstream.answers(move |_, _| match body.take() {
        Some(slow) => answer(200, &[("cache-control", "max-age=60")], "").map(|_| slow),
        None => answer(200, &[("cache-control", "max-age=60")], "new"),
    });
    let cache = world.plain();
    let old = begin(&cache, "GET", "/a", &[]).await;
    world.cache.purge().url(
        &"http://shop.example/a".parse().expect("a URL"),
        PurgeMode::Hard,
    );
    assert_eq!(get(&cache, "/a").await.body, "new");
    sender.send(Ok("old".into())).expect("read");
    drop(sender);
    assert_eq!(read(old).await.body, "old");
    let seen = get(&cache, "/a").await;
    assert!(seen.is_hit() && seen.body == "new");
}
