//! Reservations lapse.

use std::time::Duration;

use crate::stockroom::{Stockroom, line};

#[tokio::test]
async fn what_nobody_commits_comes_back() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 5).await;
    room.reserve(room.holder(), &[line(mug, 3)])
        .await
        .expect("reserved");
    room.shop.clock.advance(Duration::from_secs(599));
    room.shop.settle().await;
    assert_eq!(room.stock(mug).await, (5, 3));
    room.shop.clock.advance(Duration::from_secs(1));
    room.shop.settle().await;
    assert_eq!(room.stock(mug).await, (5, 0));
    let ledger = room
        .staff
        .get(format!("/v1/inventory/{mug}/ledger"))
        .await
        .expect(200);
    assert_eq!(ledger["items"][0]["kind"], "released");
    assert_eq!(ledger["items"][0]["note"], "expired");
    room.check().await;
}

#[tokio::test]
async fn a_caller_that_dies_holds_nothing_for_long() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 5).await;
    for _ in 0..5 {
        // The call is on its way when its caller goes.
        let mut call = Box::pin(room.reserve(room.holder(), &[line(mug, 1)]));
        assert!(futures_util::poll!(call.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
    room.shop.clock.advance(Duration::from_secs(600));
    room.shop.settle().await;
    assert_eq!(room.stock(mug).await, (5, 0));
    room.check().await;
}

#[tokio::test]
async fn many_lapse_in_bounded_batches() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_cart", false, 250).await;
    let carts = (0..250).map(|_| room.reserve(room.holder(), &[line(mug, 1)]));
    futures_util::future::try_join_all(carts)
        .await
        .expect("reserved");
    let kept = room.holder();
    room.shop.clock.advance(Duration::from_secs(300));
    room.receive(mug, None, 1).await;
    room.reserve(kept, &[line(mug, 1)]).await.expect("reserved");
    room.shop.clock.advance(Duration::from_secs(300));
    room.shop.settle().await;
    assert_eq!(room.stock(mug).await, (251, 1));
    room.check().await;
}

#[tokio::test]
async fn what_is_committed_does_not_lapse() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 5).await;
    let order = room.holder();
    room.reserve(order, &[line(mug, 2)])
        .await
        .expect("reserved");
    room.place(order, &[line(mug, 2)]).await;
    room.shop.settle().await;
    room.shop.clock.advance(Duration::from_secs(24 * 60 * 60));
    room.shop.settle().await;
    assert_eq!(room.stock(mug).await, (3, 0));
    assert_eq!(room.reservations("committed").await, 1);
    room.check().await;
}
