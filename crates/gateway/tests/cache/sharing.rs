//! What is shared between whom, and what is never stored.

use gateway::cache::{CacheSettings, StoreSettings};

use crate::support::{World, answer, get, get_with, send};

#[tokio::test]
async fn what_is_not_for_all_is_not_stored() {
    for (fields, detail) in [
        (&[("cache-control", "no-store, max-age=60")][..], "no-store"),
        (&[("cache-control", "private, max-age=60")], "private"),
        (&[("cache-control", "private=\"x\", max-age=60")], "private"),
        (&[("cache-control", "max-age=60"), ("vary", "*")], "vary"),
        (
            &[("cache-control", "max-age=60"), ("set-cookie", "a=b")],
            "set-cookie",
        ),
        (&[("cache-control", "max-age=0")], "no-lifetime"),
        (&[("cache-control", "no-cache")], "no-lifetime"),
        (&[("expires", "0")], "no-lifetime"),
        (&[], "no-lifetime"),
    ] {
        let world = World::new();
        world
            .upstream
            .answers(move |count, _| answer(200, fields, &count.to_string()));
        let cache = world.plain();
        let first = get(&cache, "/a").await;
        assert_eq!(
            first.cache(),
            format!("Rialto; fwd=uri-miss; detail={detail}"),
            "{fields:?}"
        );
        assert_eq!(get(&cache, "/a").await.body, "2", "{fields:?}");
        assert_eq!(world.cache.bytes(), 0);
    }
}

#[tokio::test]
async fn a_client_can_keep_its_answer_out_of_the_store() {
    let world = World::new();
    world.upstream.counts(&[("cache-control", "max-age=60")]);
    let cache = world.plain();
    get_with(&cache, "/a", &[("cache-control", "no-store")]).await;
    assert_eq!(
        (world.cache.bytes(), get(&cache, "/a").await.body.as_str()),
        (0, "2")
    );
}

#[tokio::test]
async fn cookies_are_stored_only_if_the_route_says_so() {
    let world = World::new();
    world
        .upstream
        .counts(&[("cache-control", "max-age=60"), ("set-cookie", "a=b")]);
    let settings = CacheSettings {
        store_set_cookie: true,
        ..CacheSettings::default()
    };
    let cache = world.route(settings);
    get(&cache, "/a").await;
    let second = get(&cache, "/a").await;
    assert_eq!((second.is_hit(), second.field("set-cookie")), (true, "a=b"));
}

#[tokio::test]
async fn answers_to_the_authorized_are_shared_only_where_they_say_so() {
    for (control, shared) in [
        ("max-age=60", false),
        ("public, max-age=60", true),
        ("s-maxage=60", true),
        ("max-age=60, must-revalidate", true),
        ("max-age=60, proxy-revalidate", false),
    ] {
        let world = World::new();
        world.upstream.answers(move |count, _| {
            answer(200, &[("cache-control", control)], &count.to_string())
        });
        let cache = world.plain();
        let ada = [("authorization", "Bearer ada")];
        let bob = [("authorization", "Bearer bob")];
        get_with(&cache, "/a", &ada).await;
        assert_eq!(
            get_with(&cache, "/a", &bob).await.is_hit(),
            shared,
            "{control}"
        );
        assert_eq!(get(&cache, "/a").await.is_hit(), shared, "{control}");
        // What nobody in particular was told is not passed off as what is for somebody either.
        get(&cache, "/b").await;
        assert_eq!(
            get_with(&cache, "/b", &ada).await.is_hit(),
            shared,
            "{control}"
        );
        assert!(
            get(&cache, "/b").await.is_hit(),
            "{control}: nobody's answer stays"
        );
    }
}

#[tokio::test]
async fn the_fields_of_vary_choose() {
    let world = World::new();
    world
        .upstream
        .counts(&[("cache-control", "max-age=60"), ("vary", "Accept-Language")]);
    let cache = world.plain();
    let de = [("accept-language", "de, en")];
    let en = [("accept-language", "en")];
    assert_eq!(get_with(&cache, "/a", &de).await.body, "1");
    let other = get_with(&cache, "/a", &en).await;
    assert_eq!(
        (other.body.as_str(), other.cache()),
        ("2", "Rialto; fwd=vary-miss; stored")
    );
    assert_eq!(get(&cache, "/a").await.body, "3", "none is a value, too");
    assert_eq!(
        get_with(&cache, "/a", &[("accept-language", "DE,en")])
            .await
            .body,
        "1"
    );
    assert_eq!(get_with(&cache, "/a", &en).await.body, "2");
}

#[tokio::test]
async fn variants_of_a_target_are_bounded() {
    let world = World::new();
    world
        .upstream
        .counts(&[("cache-control", "max-age=60"), ("vary", "x-shop")]);
    let cache = world.route(CacheSettings {
        variants: 2,
        ..CacheSettings::default()
    });
    for shop in ["a", "b", "c"] {
        get_with(&cache, "/a", &[("x-shop", shop)]).await;
    }
    assert!(get_with(&cache, "/a", &[("x-shop", "c")]).await.is_hit());
    assert!(get_with(&cache, "/a", &[("x-shop", "b")]).await.is_hit());
    assert!(!get_with(&cache, "/a", &[("x-shop", "a")]).await.is_hit());
}

#[tokio::test]
async fn hosts_routes_and_zones_are_apart() {
    let world = World::new();
    world.upstream.counts(&[("cache-control", "max-age=60")]);
    let shop = CacheSettings {
        zone: Some("shop".into()),
        ..CacheSettings::default()
    };
    let (one, other) = (
        world.plain(),
        world.named("other", CacheSettings::default()),
    );
    get(&one, "/a").await;
    assert!(!get(&other, "/a").await.is_hit());
    assert!(
        !get_with(&one, "/a", &[("host", "b.example")])
            .await
            .is_hit()
    );
    assert!(
        get_with(&one, "/a", &[("host", "SHOP.example:80")])
            .await
            .is_hit()
    );
    get(&world.named("x", shop.clone()), "/a").await;
    assert!(get(&world.named("y", shop), "/a").await.is_hit());
}

#[tokio::test]
async fn the_route_says_what_counts() {
    let world = World::new();
    world.upstream.counts(&[("cache-control", "max-age=60")]);
    let cache = world.route(CacheSettings {
        query_except: vec!["utm".into()],
        query_sorted: true,
        key_headers: vec!["x-shop".into()],
        key_cookies: vec!["currency".into()],
        ..CacheSettings::default()
    });
    get(&cache, "/a?b=1&a=2&utm=mail").await;
    assert_eq!(
        world.upstream.last().uri,
        "/a?a=2&b=1",
        "the upstream sees what counts"
    );
    assert!(get(&cache, "/a?a=2&b=1").await.is_hit());
    assert!(
        !get_with(&cache, "/a?a=2&b=1", &[("x-shop", "de")])
            .await
            .is_hit()
    );
    let euro = [("cookie", "session=1; currency=EUR")];
    assert!(!get_with(&cache, "/a?a=2&b=1", &euro).await.is_hit());
    let euro = [("cookie", "currency=EUR; session=2")];
    assert!(get_with(&cache, "/a?a=2&b=1", &euro).await.is_hit());
}

#[tokio::test]
async fn a_field_for_caches_like_this_one_goes_before_the_others() {
    let world = World::new();
    world.upstream.counts(&[
        ("cache-control", "no-store"),
        ("cdn-cache-control", "max-age=60"),
    ]);
    let cache = world.plain();
    get(&cache, "/a").await;
    let second = get(&cache, "/a").await;
    assert!(second.is_hit());
    assert_eq!(
        second.field("cache-control"),
        "no-store",
        "others still hear that"
    );
}

#[tokio::test]
async fn memory_is_bounded() {
    let settings = StoreSettings {
        memory: 1 << 20,
        ..StoreSettings::default()
    };
    let world = World::with(settings, None);
    let body = "x".repeat(10_000);
    world
        .upstream
        .answers(move |_, _| answer(200, &[("cache-control", "max-age=60")], &body));
    let cache = world.route(CacheSettings {
        body_limit: 100_000,
        ..CacheSettings::default()
    });
    for number in 0..500 {
        get(&cache, &format!("/{number}")).await;
        assert!(world.cache.bytes() <= 1 << 20);
    }
    assert!(world.cache.bytes() > 900_000);
    let families = &world.metrics.http_cache;
    assert!(
        families.evictions.get() >= 390,
        "{}",
        families.evictions.get()
    );
    assert_eq!(
        families.bytes.get(),
        i64::try_from(world.cache.bytes()).expect("small")
    );
    assert!(families.entries.get() <= 100);
    assert!(
        world
            .metrics
            .encode()
            .contains("rialto_http_cache_hits_total{route=\"route\"} 0")
    );
}

#[tokio::test]
async fn what_is_of_one_connection_is_not_kept() {
    let world = World::new();
    world.upstream.counts(&[
        ("cache-control", "max-age=60"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("x-kept", "1"),
    ]);
    let cache = world.plain();
    get(&cache, "/a").await;
    let second = send(&cache, "GET", "/a", &[]).await;
    assert_eq!((second.field("x-hop"), second.field("x-kept")), ("", "1"));
}

#[tokio::test]
async fn variants_never_crowd_each_other_out_of_the_store() {
    let settings = StoreSettings {
        memory: 1 << 20,
        ..StoreSettings::default()
    };
    let world = World::with(settings, None);
    let body = "x".repeat(200_000);
    let fields = [("cache-control", "max-age=60"), ("vary", "x-shop")];
    world
        .upstream
        .answers(move |_, _| answer(200, &fields, &body));
    let cache = world.route(CacheSettings {
        body_limit: 200_000,
        ..CacheSettings::default()
    });
    for shop in ["a", "b", "c", "d", "e", "f"] {
        get_with(&cache, "/a", &[("x-shop", shop)]).await;
        assert!(
            get_with(&cache, "/a", &[("x-shop", shop)]).await.is_hit(),
            "{shop}"
        );
    }
}

#[tokio::test]
async fn problems_of_this_process_are_not_stored() {
    let world = World::new();
    world.upstream.answers(|_, _| {
        let problem =
            kernel::Problem::new(kernel::Kind::NotFound, kernel::problem::codes::NO_ROUTE, "");
        let mut response = platform::http::refuse(problem);
        let control = http::HeaderValue::from_static("max-age=60");
        response.headers_mut().insert("cache-control", control);
        response
    });
    let cache = world.plain();
    for _ in 0..2 {
        assert_eq!(
            get(&cache, "/a").await.cache(),
            "Rialto; fwd=uri-miss; detail=problem"
        );
    }
}
