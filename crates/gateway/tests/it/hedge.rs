//! A second server is asked when the first takes long.

use futures_util::FutureExt;
use testkit::{Answer, Backend, RequestBuilder};

use crate::bridge::Bridge;
use crate::upstreams::{state, table, told};

/// A table whose route asks a second server.
fn hedged(servers: &[&Backend], more: &str, after: &str) -> String {
    let table = table(servers, more);
    format!("{table}\n[gateway.route.hedge]\nafter = \"{after}\"\n")
}

/// Waits until `servers` have had `more` requests together; nobody answers for now.
async fn ask(
    asking: RequestBuilder,
    servers: &[&Backend],
    more: usize,
) -> impl Future<Output = Answer> + use<> {
    let had = || -> usize { servers.iter().map(|server| server.requests()).sum() };
    let until = had() + more;
    let mut asking = asking.into_future();
    while had() < until {
        assert!((&mut asking).now_or_never().is_none(), "nobody answers");
        tokio::task::yield_now().await;
    }
    asking
}

/// Everything is answered by `b`, though `a` is asked too, and says nothing.
async fn b_answers_for_both(bridge: &Bridge, a: &Backend) {
    a.falls_silent();
    let before = told(bridge, "hedge_won").await;
    while told(bridge, "hedge_won").await == before {
        let answer = bridge.client().get("/all/x").await.expect(200);
        assert_eq!(answer["server"], "b");
    }
    assert!(told(bridge, "hedged").await > before);
    while state(bridge, a).await["in_flight"] != 0 {}
}

#[tokio::test]
async fn the_first_good_answer_counts_and_the_other_request_is_given_up() {
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let bridge = Bridge::open(&hedged(&[&a, &b], "retry_budget = \"100%\"", "1ms")).await;
    b_answers_for_both(&bridge, &a).await;
    let slow = state(&bridge, &a).await["latency_us"].clone();
    assert!(slow.as_u64() >= Some(1_000), "it was outrun: {slow}");
}

#[tokio::test]
async fn how_long_is_long_is_found_out() {
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let bridge = Bridge::open(&hedged(&[&a, &b], "retry_budget = \"100%\"", "p95")).await;
    for _ in 0..100 {
        bridge.client().get("/all/x").await.expect(200);
    }
    b_answers_for_both(&bridge, &a).await;
}

#[tokio::test]
async fn what_could_be_done_twice_and_what_the_budget_has_no_room_for_is_asked_once() {
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let (urls, after) = ([a.url(), b.url()], "hedge = { after = \"1ms\" }");
    let bridge = Bridge::open(&format!(
        r#"
        [gateway.upstream.all]
        servers = {urls:?}
        retry_budget = "100%"
        [gateway.upstream.poor]
        servers = {urls:?}
        retry_budget = "0%"
        [[gateway.route]]
        name = "all"
        path = "/all"
        upstream = "all"
        {after}
        [[gateway.route]]
        name = "poor"
        path = "/poor"
        upstream = "poor"
        {after}
        "#
    ))
    .await;
    let both = [&a, &b];
    both.iter().for_each(|server| server.falls_silent());
    let post = bridge.client().post("/all", serde_json::json!({}));
    let mut waiting = vec![ask(post, &both, 1).await];
    waiting.push(ask(bridge.client().get("/poor"), &both, 1).await);
    // Those that began later are asked twice: the time of the others has come long ago.
    for _ in 0..5 {
        waiting.push(ask(bridge.client().get("/all"), &both, 2).await);
    }
    assert_eq!(a.requests() + b.requests(), 2 + 5 * 2);
    both.iter().for_each(|server| server.speaks_again());
    for answer in futures_util::future::join_all(waiting).await {
        answer.expect(200);
    }
    assert_eq!(a.requests() + b.requests(), 2 + 5 * 2);
    assert_eq!(told(&bridge, "hedged").await, 5);
}

#[tokio::test]
async fn a_bad_answer_of_one_is_no_answer() {
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let more = "retry_budget = \"100%\"\nejection = { failures = 0, for = \"1s\" }";
    let bridge = Bridge::open(&hedged(&[&a, &b], more, "1ms")).await;
    let both = [&a, &b];
    both.iter().for_each(|server| server.falls_silent());
    let asking = ask(bridge.client().get("/all/x"), &both, 2).await;
    a.answers_with(503);
    a.speaks_again();
    while state(&bridge, &a).await["in_flight"] != 0 {}
    b.speaks_again();
    assert_eq!(asking.await.expect(200)["server"], "b");
    assert_eq!(a.requests() + b.requests(), 2);
}

#[tokio::test]
async fn a_route_that_only_does_harm_is_not_hedged() {
    let a = Backend::start("a").await;
    let bridge = Bridge::open(&table(&[&a], "")).await;
    for (key, reason) in [
        ("methods = [\"POST\", \"PATCH\"]", "POST or PATCH"),
        ("deadline = \"20ms\"", "is not before the `deadline`"),
    ] {
        let table = format!("{}{key}", table(&[&a], ""));
        bridge.write(&format!("{table}\nhedge = {{ after = \"20ms\" }}\n"));
        let refused = bridge.admin().post("/gateway/reload", ()).await;
        assert_eq!(refused.status, 422);
        let text = String::from_utf8_lossy(&refused.bytes).into_owned();
        assert!(
            text.contains("routes.toml:5: ") && text.contains(reason),
            "{text}"
        );
    }
}
