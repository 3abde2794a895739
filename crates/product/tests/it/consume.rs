//! What happens to stock when orders are placed and cancelled. The shop's bus brings every event
//! twice, and in any order between orders.

use std::time::Duration;

use rialto::Role;

use crate::stockroom::{Stockroom, line};

#[tokio::test]
async fn a_placed_order_takes_what_was_set_aside_once() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 5).await;
    let plate = room.variant("reserve_on_order", true, 1).await;
    let order = room.holder();
    let lines = [line(mug, 2), line(plate, 3)];
    room.reserve(order, &lines).await.expect("reserved");
    room.place(order, &lines).await;
    room.shop.settle().await;
    assert_eq!(room.stock(mug).await, (3, 0));
    assert_eq!(room.stock(plate).await, (-2, 0));
    // Another event of the same order, as a republished outbox would send it.
    room.place(order, &lines).await;
    room.shop.settle().await;
    assert_eq!(room.stock(mug).await, (3, 0));
    let refused = room
        .reserve(order, &[line(mug, 1)])
        .await
        .expect_err("it is placed");
    assert_eq!(refused.code, "product.reservation_committed");
    room.products.release(order).await;
    assert_eq!(room.stock(mug).await, (3, 0));
    room.check().await;
}

#[tokio::test]
async fn what_is_only_counted_is_counted_at_commit() {
    let room = Stockroom::open().await;
    let track = room.variant("track", false, 1).await;
    let none = room.variant("none", false, 0).await;
    let order = room.holder();
    room.place(order, &[line(track, 2), line(none, 7)]).await;
    room.shop.settle().await;
    assert_eq!(room.stock(track).await, (-1, 0));
    assert_eq!(room.stock(none).await, (0, 0));
    room.cancel(order).await;
    room.shop.settle().await;
    assert_eq!(room.stock(track).await, (1, 0));
    room.check().await;
}

#[tokio::test]
async fn a_cancelled_order_gives_back_once() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 5).await;
    let order = room.holder();
    room.reserve(order, &[line(mug, 2)])
        .await
        .expect("reserved");
    // Both before the stock hears of either.
    room.place(order, &[line(mug, 2)]).await;
    room.cancel(order).await;
    room.shop.settle().await;
    assert_eq!(room.stock(mug).await, (5, 0));
    room.cancel(order).await;
    room.place(order, &[line(mug, 2)]).await;
    room.shop.settle().await;
    assert_eq!(
        room.stock(mug).await,
        (5, 0),
        "a cancelled order takes nothing any more"
    );
    room.check().await;
}

#[tokio::test]
async fn an_order_that_is_cancelled_before_it_is_committed_lets_go() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 5).await;
    let order = room.holder();
    room.reserve(order, &[line(mug, 2)])
        .await
        .expect("reserved");
    room.cancel(order).await;
    room.shop.settle().await;
    assert_eq!(room.stock(mug).await, (5, 0));
    let nothing_held = room.holder();
    room.cancel(nothing_held).await;
    room.shop.settle().await;
    assert_eq!(room.stock(mug).await, (5, 0));
    room.check().await;
}

#[tokio::test]
async fn a_lapsed_reservation_is_taken_anew() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 5).await;
    let order = room.holder();
    room.reserve(order, &[line(mug, 2)])
        .await
        .expect("reserved");
    room.shop.clock.advance(Duration::from_secs(3600));
    room.shop.settle().await;
    assert_eq!(room.stock(mug).await, (5, 0), "swept during an outage");
    room.place(order, &[line(mug, 2)]).await;
    room.shop.settle().await;
    assert_eq!(room.stock(mug).await, (3, 0));
    room.check().await;
}

#[tokio::test]
async fn what_was_sold_and_is_gone_is_parked_for_a_person_to_see() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 1).await;
    let plate = room.variant("reserve_on_order", false, 9).await;
    let (late, quick, other) = (room.holder(), room.holder(), room.holder());
    room.reserve(late, &[line(mug, 1)]).await.expect("reserved");
    room.shop.clock.advance(Duration::from_secs(3600));
    room.shop.settle().await;
    room.reserve(quick, &[line(mug, 1)])
        .await
        .expect("it is free again");
    room.reserve(other, &[line(plate, 1)])
        .await
        .expect("reserved");
    // In one delivery: the one that fails harms no other.
    room.place(quick, &[line(mug, 1)]).await;
    room.place(late, &[line(mug, 1)]).await;
    room.place(other, &[line(plate, 1)]).await;
    room.shop.settle().await;
    assert_eq!(room.stock(mug).await, (0, 0));
    assert_eq!(room.stock(plate).await, (8, 0));
    let waiting = async || {
        let failures = platform::events::failures(room.shop.db(Role::Product)).await;
        failures.expect("failures").len()
    };
    assert_eq!(waiting().await, 1, "it waits where operators look");
    // New goods arrive: the next attempt settles it.
    room.receive(mug, None, 1).await;
    room.shop.clock.advance(Duration::from_secs(24 * 60 * 60));
    room.shop.settle().await;
    assert_eq!(room.stock(mug).await, (0, 0));
    assert_eq!(waiting().await, 0);
    room.check().await;
}

#[tokio::test]
async fn a_cancellation_overtakes_a_commit_that_waits() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 0).await;
    let order = room.holder();
    room.place(order, &[line(mug, 1)]).await;
    room.shop.settle().await;
    room.cancel(order).await;
    room.shop.settle().await;
    room.receive(mug, None, 1).await;
    room.shop.clock.advance(Duration::from_secs(24 * 60 * 60));
    room.shop.settle().await;
    assert_eq!(
        room.stock(mug).await,
        (1, 0),
        "nothing is taken for a cancelled order"
    );
    room.check().await;
}
