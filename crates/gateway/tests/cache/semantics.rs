//! Methods, conditions and ranges.

use crate::support::{World, answer, get, get_with, send, settle};

const FIELDS: &[(&str, &str)] = &[
    ("cache-control", "max-age=60"),
    ("etag", "\"v1\""),
    ("last-modified", "Tue, 14 Nov 2023 20:33:20 GMT"),
    ("content-type", "text/plain"),
];

fn world() -> World {
    let world = World::new();
    world
        .upstream
        .answers(|_, _| answer(200, FIELDS, "0123456789"));
    world
}

#[tokio::test]
async fn conditions_are_answered_from_the_cache() {
    let world = world();
    let cache = world.plain();
    get(&cache, "/a").await;
    for condition in [
        ("if-none-match", "\"v0\", W/\"v1\""),
        ("if-modified-since", "Tue, 14 Nov 2023 20:33:20 GMT"),
    ] {
        let seen = get_with(&cache, "/a", &[condition]).await;
        assert_eq!((seen.status.as_u16(), seen.body.as_str()), (304, ""));
        assert!(seen.is_hit() && seen.field("etag") == "\"v1\"");
        assert!(!seen.headers.contains_key("content-type"));
    }
    assert_eq!(
        get_with(&cache, "/a", &[("if-none-match", "\"v0\"")])
            .await
            .status,
        200
    );
    assert_eq!(world.upstream.calls(), 1);
}

#[tokio::test]
async fn a_condition_on_what_is_not_stored_fetches_all_of_it() {
    let world = world();
    let cache = world.plain();
    let seen = get_with(&cache, "/a", &[("if-none-match", "\"v1\"")]).await;
    assert_eq!(
        (seen.status.as_u16(), seen.cache()),
        (304, "Rialto; fwd=uri-miss; stored")
    );
    assert!(!world.upstream.last().headers.contains_key("if-none-match"));
    settle().await;
    assert!(get(&cache, "/a").await.is_hit());
    // The same while the body is still coming.
    world.upstream.answers(|_, _| {
        let (sender, body) = crate::support::parts(None);
        sender.send(Ok("later".into())).expect("read");
        answer(200, FIELDS, "").map(|_| body)
    });
    let seen = get_with(&cache, "/b", &[("if-none-match", "\"v1\"")]).await;
    assert_eq!(seen.status, 304);
    settle().await;
    let stored = get(&cache, "/b").await;
    assert!(stored.is_hit() && stored.body == "later");
}

#[tokio::test]
async fn preconditions_of_changes_are_the_upstreams() {
    let world = world();
    let cache = world.plain();
    get(&cache, "/a").await;
    let seen = get_with(&cache, "/a", &[("if-match", "\"v1\"")]).await;
    assert_eq!(seen.cache(), "Rialto; fwd=bypass; detail=precondition");
    assert!(world.upstream.last().headers.contains_key("if-match"));
}

#[tokio::test]
async fn head_is_answered_from_a_stored_get() {
    let world = world();
    let cache = world.plain();
    let miss = send(&cache, "HEAD", "/a", &[]).await;
    assert_eq!(miss.cache(), "Rialto; fwd=uri-miss; detail=head");
    assert_eq!(world.upstream.last().method, "HEAD");
    assert!(
        !get(&cache, "/a").await.is_hit(),
        "the answer to a HEAD is none to a GET"
    );
    let seen = send(&cache, "HEAD", "/a", &[]).await;
    assert_eq!(
        (
            seen.is_hit(),
            seen.body.as_str(),
            seen.field("content-length")
        ),
        (true, "", "10")
    );
}

#[tokio::test]
async fn single_ranges_are_answered_from_a_whole_answer() {
    let world = world();
    let cache = world.plain();
    let through = get_with(&cache, "/a", &[("range", "bytes=2-4")]).await;
    assert_eq!(through.cache(), "Rialto; fwd=uri-miss; detail=range");
    assert_eq!(world.upstream.last().headers["range"], "bytes=2-4");
    get(&cache, "/a").await;
    let part = get_with(&cache, "/a", &[("range", "bytes=2-4")]).await;
    assert_eq!((part.status.as_u16(), part.body.as_str()), (206, "234"));
    assert_eq!(
        (part.field("content-range"), part.field("content-length")),
        ("bytes 2-4/10", "3")
    );
    assert!(part.is_hit());
    let beyond = get_with(&cache, "/a", &[("range", "bytes=10-")]).await;
    assert_eq!(
        (beyond.status.as_u16(), beyond.field("content-range")),
        (416, "bytes */10")
    );
    let other = [("range", "bytes=2-4"), ("if-range", "\"v0\"")];
    assert_eq!(get_with(&cache, "/a", &other).await.body, "0123456789");
    assert_eq!(
        get_with(&cache, "/a", &[("range", "bytes=0-1,3-4")])
            .await
            .status,
        200
    );
    assert_eq!(world.upstream.calls(), 2);
}

#[tokio::test]
async fn statuses_are_kept_with_their_answers() {
    let world = World::new();
    world.upstream.answers(|count, request| {
        let status = request.uri.path()[1..].parse().expect("a status");
        answer(
            status,
            &[("cache-control", "max-age=60")],
            &count.to_string(),
        )
    });
    let cache = world.plain();
    for status in [200, 204, 301, 308, 404, 410] {
        let path = format!("/{status}");
        get(&cache, &path).await;
        let seen = get(&cache, &path).await;
        assert_eq!((seen.status.as_u16(), seen.is_hit()), (status, true));
    }
    for status in [206, 304, 429, 500, 503] {
        let path = format!("/{status}");
        get(&cache, &path).await;
        assert!(!get(&cache, &path).await.is_hit(), "{status}");
    }
}
