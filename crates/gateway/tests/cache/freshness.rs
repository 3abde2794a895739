//! How long answers are used, and what stands in when they are too old.

use std::time::Duration;

use gateway::cache::CacheSettings;

use crate::support::{World, answer, get, get_with, settle};

#[tokio::test]
async fn an_answer_is_used_while_it_is_fresh() {
    let world = World::new();
    world.upstream.counts(&[("cache-control", "max-age=60")]);
    let cache = world.plain();
    let first = get(&cache, "/a").await;
    assert_eq!(
        (first.body.as_str(), first.cache()),
        ("1", "Rialto; fwd=uri-miss; stored")
    );
    assert!(!first.headers.contains_key("age"));
    world.later(59);
    let second = get(&cache, "/a").await;
    assert_eq!(
        (second.body.as_str(), second.cache()),
        ("1", "Rialto; hit; ttl=1")
    );
    assert_eq!(second.field("age"), "59");
    assert!(second.headers.contains_key("date"));
    world.later(1);
    assert_eq!(get(&cache, "/a").await.body, "2");
    assert_eq!(world.counted(), [1, 2, 0, 0]);
}

#[tokio::test]
async fn the_age_that_an_answer_comes_with_counts() {
    let world = World::new();
    world.upstream.answers(|count, _| {
        let fields = [
            ("cache-control", "max-age=60"),
            ("age", "50"),
            ("cache-status", "Other; hit"),
        ];
        answer(200, &fields, &count.to_string())
    });
    let cache = world.plain();
    let first = get(&cache, "/a").await;
    assert_eq!(first.field("age"), "50");
    assert_eq!(first.headers.get_all("cache-status").iter().count(), 2);
    world.later(9);
    let second = get(&cache, "/a").await;
    assert_eq!(
        (second.field("age"), second.cache()),
        ("59", "Rialto; hit; ttl=1")
    );
    world.later(1);
    assert_eq!(get(&cache, "/a").await.body, "2");
}

#[tokio::test]
async fn nothing_is_guessed_unless_the_route_says_so() {
    let world = World::new();
    let fields = &[("last-modified", "Tue, 14 Nov 2023 20:33:20 GMT")];
    world.upstream.counts(fields);
    let plain = world.plain();
    let first = get(&plain, "/a").await;
    assert_eq!(first.cache(), "Rialto; fwd=uri-miss; detail=no-lifetime");
    assert_eq!(get(&plain, "/a").await.body, "2");
    let heuristic = Duration::from_secs(300);
    let guessing = world.named(
        "guessing",
        CacheSettings {
            heuristic,
            ..CacheSettings::default()
        },
    );
    // Not changed for 6000 seconds, so a tenth of that would be 600: more than the route allows.
    assert_eq!(get(&guessing, "/a").await.body, "3");
    world.later(299);
    assert_eq!(get(&guessing, "/a").await.body, "3");
    world.later(1);
    assert_eq!(get(&guessing, "/a").await.body, "4");
}

#[tokio::test]
async fn a_stale_answer_is_checked_and_freshened() {
    let world = World::new();
    world.upstream.answers(|_, request| {
        if request
            .headers
            .get("if-none-match")
            .is_some_and(|tag| tag == "\"v1\"")
        {
            let fields = [("cache-control", "max-age=60"), ("x-checked", "yes")];
            return answer(304, &fields, "");
        }
        let fields = [
            ("cache-control", "max-age=10"),
            ("etag", "\"v1\""),
            ("content-type", "text/plain"),
        ];
        answer(200, &fields, "body")
    });
    let cache = world.plain();
    get(&cache, "/a").await;
    world.later(20);
    let checked = get(&cache, "/a").await;
    assert_eq!(checked.cache(), "Rialto; fwd=stale; fwd-status=304; stored");
    assert_eq!(
        (checked.status.as_u16(), checked.body.as_str()),
        (200, "body")
    );
    assert_eq!(
        (checked.field("x-checked"), checked.field("age")),
        ("yes", "0")
    );
    assert_eq!(checked.field("content-type"), "text/plain");
    world.later(59);
    assert_eq!(get(&cache, "/a").await.cache(), "Rialto; hit; ttl=1");
    assert_eq!(world.counted(), [1, 2, 1, 0]);
}

#[tokio::test]
async fn a_304_about_something_else_is_not_believed() {
    let world = World::new();
    world.upstream.answers(|count, request| {
        let fields = [("cache-control", "max-age=10"), ("etag", "\"v1\"")];
        if request.headers.contains_key("if-none-match") {
            return answer(304, &[("etag", "\"v2\"")], "");
        }
        answer(200, &fields, &count.to_string())
    });
    let cache = world.plain();
    get(&cache, "/a").await;
    world.later(20);
    assert_eq!(
        get(&cache, "/a").await.body,
        "3",
        "asked again, without a condition"
    );
}

#[tokio::test]
async fn a_304_may_say_that_the_answer_is_not_to_be_kept() {
    let world = World::new();
    world.upstream.answers(|count, request| {
        if request.headers.contains_key("if-none-match") {
            return answer(304, &[("cache-control", "no-store")], "");
        }
        answer(
            200,
            &[("cache-control", "max-age=10"), ("etag", "\"v\"")],
            &count.to_string(),
        )
    });
    let cache = world.plain();
    get(&cache, "/a").await;
    world.later(20);
    let seen = get(&cache, "/a").await;
    assert_eq!((seen.status.as_u16(), seen.body.as_str()), (200, "1"));
    assert_eq!(get(&cache, "/a").await.body, "3");
}

#[tokio::test]
async fn no_cache_is_kept_and_checked_each_time() {
    let world = World::new();
    world.upstream.answers(|_, request| {
        let fields = [("cache-control", "no-cache"), ("etag", "\"v\"")];
        let known = request.headers.contains_key("if-none-match");
        answer(
            if known { 304 } else { 200 },
            &fields,
            if known { "" } else { "body" },
        )
    });
    let cache = world.plain();
    for _ in 0..3 {
        assert_eq!(get(&cache, "/a").await.body, "body");
    }
    assert_eq!((world.upstream.calls(), world.counted()[2]), (3, 2));
}

#[tokio::test]
async fn stale_while_revalidate_asks_once_in_the_background() {
    let world = World::new();
    world
        .upstream
        .counts(&[("cache-control", "max-age=10, stale-while-revalidate=30")]);
    let cache = world.plain();
    get(&cache, "/a").await;
    world.later(12);
    for _ in 0..3 {
        let stale = get(&cache, "/a").await;
        assert_eq!(stale.body, "1");
        assert_eq!(
            stale.cache(),
            "Rialto; hit; ttl=-2; detail=stale-while-revalidate"
        );
    }
    settle().await;
    assert_eq!(world.upstream.calls(), 2);
    assert_eq!(get(&cache, "/a").await.body, "2");
    world.later(40);
    assert_eq!(get(&cache, "/a").await.body, "3", "beyond the window");
    assert_eq!(world.counted()[3], 3);
}

#[tokio::test(start_paused = true)]
async fn background_work_ends_on_shutdown() {
    let world = World::new();
    world.upstream.answers_later(|count, _| {
        Box::pin(async move {
            if count > 1 {
                std::future::pending::<()>().await;
            }
            answer(
                200,
                &[("cache-control", "max-age=10, stale-while-revalidate=30")],
                "x",
            )
        })
    });
    let cache = world.plain();
    get(&cache, "/a").await;
    world.later(12);
    get(&cache, "/a").await;
    settle().await;
    assert_eq!(world.upstream.calls(), 2);
    world.shutdown.begin();
    let begun = tokio::time::Instant::now();
    world.cache.ended(Duration::from_secs(3600)).await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert!(
        get(&cache, "/a").await.is_hit(),
        "what is stored is still served"
    );
}

#[tokio::test]
async fn stale_if_error_stands_in_and_leaves_the_upstream_alone() {
    let world = World::new();
    world.upstream.answers(|count, _| match count {
        1 => answer(
            200,
            &[("cache-control", "max-age=10, stale-if-error=100")],
            "1",
        ),
        _ => answer(503, &[], "broken"),
    });
    let cache = world.plain();
    get(&cache, "/a").await;
    world.later(20);
    let stood_in = get(&cache, "/a").await;
    assert_eq!(
        (stood_in.status.as_u16(), stood_in.body.as_str()),
        (200, "1")
    );
    assert_eq!(
        stood_in.cache(),
        "Rialto; fwd=stale; fwd-status=503; detail=stale-if-error"
    );
    for _ in 0..5 {
        assert_eq!(get(&cache, "/a").await.body, "1");
    }
    assert_eq!(world.upstream.calls(), 2, "it is left alone for a second");
    world.later(1);
    get(&cache, "/a").await;
    assert_eq!(world.upstream.calls(), 3);
    world.later(100);
    assert_eq!(get(&cache, "/a").await.status, 503, "beyond the window");
}

#[tokio::test]
async fn nothing_stands_in_that_must_be_revalidated() {
    for strict in ["must-revalidate", "proxy-revalidate"] {
        let world = World::new();
        let control =
            format!("max-age=10, stale-if-error=100, stale-while-revalidate=100, {strict}");
        world.upstream.answers(move |count, _| match count {
            1 => answer(200, &[("cache-control", &control)], "1"),
            _ => answer(503, &[], "broken"),
        });
        let cache = world.plain();
        get(&cache, "/a").await;
        world.later(20);
        assert_eq!(get(&cache, "/a").await.status, 503, "{strict}");
        assert_eq!(
            get_with(&cache, "/a", &[("cache-control", "max-stale")])
                .await
                .status,
            503
        );
    }
}

#[tokio::test]
async fn the_route_grants_staleness_where_the_answer_does_not_speak_of_it() {
    let world = World::new();
    let settings = CacheSettings {
        stale_if_error: Duration::from_secs(100),
        ..CacheSettings::default()
    };
    for (control, status) in [
        ("max-age=10", 200),
        ("s-maxage=10", 503),
        ("max-age=10, stale-if-error=0", 503),
    ] {
        let mut first = true;
        world.upstream.answers(move |_, _| {
            if std::mem::take(&mut first) {
                return answer(200, &[("cache-control", control)], "1");
            }
            answer(503, &[], "broken")
        });
        let cache = world.named(control, settings.clone());
        get(&cache, "/a").await;
        world.later(20);
        assert_eq!(get(&cache, "/a").await.status, status, "{control}");
    }
}

#[tokio::test]
async fn the_client_may_want_it_fresher_or_take_it_staler() {
    let world = World::new();
    world.upstream.counts(&[("cache-control", "max-age=60")]);
    let cache = world.plain();
    get(&cache, "/a").await;
    world.later(30);
    let want = |control: &'static str| {
        let cache = cache.clone();
        async move { get_with(&cache, "/a", &[("cache-control", control)]).await }
    };
    assert!(want("max-age=30").await.is_hit());
    assert!(want("min-fresh=29").await.is_hit());
    assert_eq!(want("only-if-cached").await.body, "1");
    assert_eq!(want("max-age=29").await.body, "2");
    world.later(30);
    assert_eq!(want("min-fresh=31").await.body, "3");
    let forced = want("no-cache").await;
    assert_eq!(
        (forced.body.as_str(), forced.cache()),
        ("4", "Rialto; fwd=request; stored")
    );
    world.later(70);
    assert_eq!(
        want("max-stale=10").await.cache(),
        "Rialto; hit; ttl=-10; detail=max-stale"
    );
    let refused = want("only-if-cached").await;
    assert_eq!(
        (refused.status.as_u16(), refused.cache()),
        (504, "Rialto; detail=only-if-cached")
    );
    assert_eq!(want("max-stale=9").await.body, "5");
    let unheeded = CacheSettings {
        client_directives: false,
        ..CacheSettings::default()
    };
    let deaf = world.named("deaf", unheeded);
    get(&deaf, "/b").await;
    assert!(
        get_with(&deaf, "/b", &[("cache-control", "no-cache")])
            .await
            .is_hit()
    );
}
