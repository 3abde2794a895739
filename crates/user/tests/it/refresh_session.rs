//! `POST /v1/auth/refresh`.

use std::time::Duration;

use futures_util::future::join_all;
use testkit::TestShop;

use crate::people::{Session, customer, log_in, refresh};

const GRACE: Duration = Duration::from_secs(10);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn a_session_goes_on_as_long_as_it_is_used() {
    let shop = TestShop::start().await;
    let (_, mut session) = customer(&shop, "ada").await;
    for _ in 0..3 {
        shop.clock.advance(DAY * 20);
        let answer = refresh(&shop, &session.refresh).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let next = Session::of(answer);
        assert_ne!(next.refresh, session.refresh);
        let ada = shop.client().with_token(&next.access);
        ada.get("/v1/customers/me").await.expect(200);
        session = next;
    }
    shop.clock.advance(DAY * 30);
    refresh(&shop, &session.refresh)
        .await
        .problem(401, "user.session_ended");
}

#[tokio::test]
async fn a_lost_answer_does_not_log_anybody_out() {
    let shop = TestShop::start().await;
    let (_, session) = customer(&shop, "ada").await;
    let lost = Session::of(refresh(&shop, &session.refresh).await);
    shop.clock.advance(GRACE - Duration::from_secs(1));
    let again = Session::of(refresh(&shop, &session.refresh).await);
    assert_eq!(again.refresh, lost.refresh, "the session does not fork");
    shop.clock.advance(DAY);
    refresh(&shop, &again.refresh).await.expect(200);
}

#[tokio::test]
async fn the_token_before_counts_once_more_and_not_twice() {
    let shop = TestShop::start().await;
    let (_, session) = customer(&shop, "ada").await;
    refresh(&shop, &session.refresh).await.expect(200);
    let again = Session::of(refresh(&shop, &session.refresh).await);
    refresh(&shop, &session.refresh)
        .await
        .problem(401, "user.session_ended");
    refresh(&shop, &again.refresh)
        .await
        .problem(401, "user.session_ended");
}

#[tokio::test]
async fn a_token_that_was_used_before_ends_the_session() {
    let shop = TestShop::start().await;
    let (_, stolen) = customer(&shop, "ada").await;
    let other = log_in(&shop, "ada").await;
    let next = Session::of(refresh(&shop, &stolen.refresh).await);
    shop.clock.advance(GRACE);
    refresh(&shop, &stolen.refresh)
        .await
        .problem(401, "user.session_ended");
    refresh(&shop, &next.refresh)
        .await
        .problem(401, "user.session_ended");
    refresh(&shop, &other.refresh).await.expect(200);
}

#[tokio::test]
async fn within_the_grace_only_the_token_directly_before_counts() {
    let shop = TestShop::start().await;
    let (_, first) = customer(&shop, "ada").await;
    let second = Session::of(refresh(&shop, &first.refresh).await);
    let third = Session::of(refresh(&shop, &second.refresh).await);
    refresh(&shop, &first.refresh)
        .await
        .problem(401, "user.session_ended");
    refresh(&shop, &third.refresh)
        .await
        .problem(401, "user.session_ended");
}

#[tokio::test]
async fn two_refreshes_at_once_get_the_same_token() {
    let shop = TestShop::start().await;
    let (_, session) = customer(&shop, "ada").await;
    let both = join_all((0..2).map(|_| refresh(&shop, &session.refresh))).await;
    let mut both = both.into_iter().map(Session::of);
    let (one, other) = (both.next().expect("one"), both.next().expect("two"));
    assert_eq!(one.refresh, other.refresh);
    refresh(&shop, &one.refresh).await.expect(200);
}

#[tokio::test]
async fn what_was_never_a_token_is_refused() {
    let shop = TestShop::start().await;
    let (_, session) = customer(&shop, "ada").await;
    for wrong in ["x", &"A".repeat(87), &session.access[..100]] {
        refresh(&shop, wrong)
            .await
            .problem(401, "user.session_ended");
    }
    for impossible in [String::new(), "x".repeat(201)] {
        refresh(&shop, &impossible)
            .await
            .problem(422, "request.invalid");
    }
    refresh(&shop, &session.refresh).await.expect(200);
}
