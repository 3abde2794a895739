//! Servers that have as much to do as they may have.

use futures_util::FutureExt;
use testkit::{Answer, Backend};

use crate::bridge::Bridge;
use crate::upstreams::{state, table, told};

const CODE: &str = "gateway.upstream_overloaded";

/// Asks until `servers` have had `requests` together, for a `GET` that nobody answers yet.
async fn ask(bridge: &Bridge, servers: &[&Backend]) -> impl Future<Output = Answer> + use<> {
    let had = || -> usize { servers.iter().map(|server| server.requests()).sum() };
    let before = had();
    let mut asking = bridge.client().get("/all/x").into_future();
    while had() == before {
        assert!(
            (&mut asking).now_or_never().is_none(),
            "nobody answers for now"
        );
        tokio::task::yield_now().await;
    }
    asking
}

fn is_refused(answer: Answer) {
    assert_eq!(answer.header("retry-after"), Some("1"));
    answer.problem(503, CODE);
}

#[tokio::test]
async fn what_a_server_has_no_room_for_goes_to_another_or_is_refused() {
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    a.falls_silent();
    b.falls_silent();
    let bridge = Bridge::open(&table(&[&a, &b], "concurrency = { max = 1 }")).await;
    let first = ask(&bridge, &[&a, &b]).await;
    let second = ask(&bridge, &[&a, &b]).await;
    assert_eq!((a.requests(), b.requests()), (1, 1), "one has gone to each");
    is_refused(bridge.client().get("/all/x").await);
    assert_eq!((a.requests(), b.requests()), (1, 1), "nobody was asked");
    assert_eq!(told(&bridge, "overloaded").await, 1);
    assert_eq!(told(&bridge, "refused").await, 0, "both are well");

    a.speaks_again();
    while state(&bridge, &a).await["in_flight"] == 1 {}
    for _ in 0..10 {
        let answer = bridge.client().get("/all/x").await.expect(200);
        assert_eq!(answer["server"], "a", "the other one is still full");
    }
    b.speaks_again();
    first.await.expect(200);
    second.await.expect(200);
}

#[tokio::test]
async fn all_servers_together_have_a_limit() {
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    a.falls_silent();
    b.falls_silent();
    let bridge = Bridge::open(&table(&[&a, &b], "concurrency = 1")).await;
    let first = ask(&bridge, &[&a, &b]).await;
    is_refused(bridge.client().get("/all/x").await);
    a.speaks_again();
    b.speaks_again();
    first.await.expect(200);
}

#[tokio::test]
async fn a_server_that_says_it_is_too_much_gets_less() {
    let a = Backend::start("a").await;
    let more = "concurrency = { adaptive = true, min = 1, max = 2 }";
    let bridge = Bridge::open(&table(&[&a], more)).await;
    assert_eq!(state(&bridge, &a).await["limit"], 2);
    a.answers_with(429);
    let falls = async {
        while state(&bridge, &a).await["limit"] == 2 {
            bridge.client().get("/all/x").await.expect(429);
        }
    };
    let patience = std::time::Duration::from_secs(20);
    let fallen = tokio::time::timeout(patience, falls).await;
    fallen.expect("a window is over in a tenth of a second");
    a.answers_with(200);
    a.falls_silent();
    let first = ask(&bridge, &[&a]).await;
    is_refused(bridge.client().get("/all/x").await);
    assert_eq!(state(&bridge, &a).await["limit"], 1);
    a.speaks_again();
    first.await.expect(200);
}

#[tokio::test]
async fn bounds_that_make_no_sense_are_refused_with_their_line() {
    let a = Backend::start("a").await;
    let bridge = Bridge::open(&table(&[&a], "")).await;
    let wrong = table(&[&a], "concurrency = { adaptive = true, min = 9, max = 3 }");
    bridge.write(&wrong);
    let answer = bridge.admin().post("/gateway/reload", ()).await;
    let text = String::from_utf8_lossy(&answer.bytes).into_owned();
    assert!(
        text.contains(":2: ") && text.contains("`concurrency.min` is above"),
        "{text}"
    );
}
