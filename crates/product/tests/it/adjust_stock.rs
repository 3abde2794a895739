//! `POST /v1/inventory/{variant_id}/adjustments`.

use serde_json::json;

use crate::stockroom::{Stockroom, line};

#[tokio::test]
async fn staff_receive_count_and_write_off() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 0).await;
    let received = room
        .adjust(mug, json!({"delta": 5, "reason": "received"}))
        .await
        .expect(200);
    assert_eq!(
        (&received["on_hand"], &received["available"]),
        (&json!(5), &json!(5))
    );
    room.adjust(
        mug,
        json!({"delta": -2, "reason": "damaged", "note": "fell"}),
    )
    .await
    .expect(200);
    room.adjust(mug, json!({"set_to": 7, "reason": "corrected"}))
        .await
        .expect(200);
    room.adjust(mug, json!({"set_to": 7, "reason": "corrected"}))
        .await
        .expect(200);
    assert_eq!(room.stock(mug).await, (7, 0));
    let ledger = room
        .staff
        .get(format!("/v1/inventory/{mug}/ledger"))
        .await
        .expect(200);
    let lines: Vec<(&str, i64)> = ledger["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| {
            (
                item["kind"].as_str().expect("text"),
                item["on_hand_delta"].as_i64().expect("int"),
            )
        })
        .collect();
    assert_eq!(lines, [("corrected", 4), ("damaged", -2), ("received", 5)]);
    room.check().await;
}

#[tokio::test]
async fn what_is_set_aside_cannot_be_taken() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 5).await;
    room.reserve(room.holder(), &[line(mug, 3)])
        .await
        .expect("reserved");
    for body in [
        json!({"delta": -3, "reason": "damaged"}),
        json!({"set_to": 2, "reason": "corrected"}),
    ] {
        let problem = room
            .adjust(mug, body)
            .await
            .problem(409, "product.stock_below_zero");
        assert_eq!(problem["context"]["free"], 2);
    }
    room.adjust(mug, json!({"delta": -2, "reason": "damaged"}))
        .await
        .expect(200);
    assert_eq!(room.stock(mug).await, (3, 3));
    room.check().await;
}

#[tokio::test]
async fn nobody_takes_what_is_not_there_even_where_nothing_is_refused() {
    let room = Stockroom::open().await;
    let mug = room.variant("track", false, 1).await;
    let problem = room
        .adjust(mug, json!({"delta": -2, "reason": "damaged"}))
        .await;
    problem.problem(409, "product.stock_below_zero");
    room.adjust(mug, json!({"delta": -1, "reason": "damaged"}))
        .await
        .expect(200);
    assert_eq!(room.stock(mug).await, (0, 0));
}

#[tokio::test]
async fn the_same_key_adjusts_once() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 0).await;
    let path = format!("/v1/inventory/{mug}/adjustments");
    let body = json!({"delta": 5, "reason": "received"});
    let first = room.staff.post(&path, &body).key("delivery-1").await;
    let again = room.staff.post(&path, &body).key("delivery-1").await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!((first.status, first.bytes), (200, again.bytes));
    assert_eq!(room.stock(mug).await, (5, 0));
}

#[tokio::test]
async fn adjustments_that_race_all_count() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 0).await;
    let mestre = room.location("Mestre").await;
    let body = json!({"delta": 1, "reason": "received", "location_id": mestre});
    let all = (0..20).map(|_| room.adjust(mug, body.clone()));
    for answer in futures_util::future::join_all(all).await {
        answer.expect(200);
    }
    assert_eq!(room.stock(mug).await, (20, 0));
    room.check().await;
}

#[tokio::test]
async fn unknown_uncounted_and_impossible_are_told_apart() {
    let room = Stockroom::open().await;
    let sources = room.shop.sources();
    let mug = room.variant("reserve_on_order", false, 0).await;
    let none = room.variant("none", false, 0).await;
    let body = json!({"delta": 1, "reason": "received"});
    room.adjust(sources.id(), body.clone())
        .await
        .problem(404, "product.not_found");
    room.adjust(none, body)
        .await
        .problem(409, "product.not_counted");
    let nowhere: contracts::product::LocationId = sources.id();
    let body = json!({"delta": 1, "reason": "received", "location_id": nowhere});
    room.adjust(mug, body)
        .await
        .problem(404, "product.not_found");
    let bodies = [
        (json!({"reason": "received"}), ""),
        (json!({"delta": 1, "set_to": 1, "reason": "received"}), ""),
        (json!({"delta": 0, "reason": "received"}), "/delta"),
        (json!({"delta": i64::MIN, "reason": "received"}), "/delta"),
        (json!({"set_to": -1, "reason": "received"}), "/set_to"),
        (
            json!({"set_to": 1_000_000_000_001_i64, "reason": "received"}),
            "/set_to",
        ),
        (json!({"delta": 1, "reason": "found"}), "/reason"),
        (
            json!({"delta": 1, "reason": "received", "note": "x".repeat(501)}),
            "/note",
        ),
    ];
    for (body, pointer) in bodies {
        let problem = room.adjust(mug, body).await.problem(422, "request.invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    let full = json!({"set_to": 1_000_000_000_000_i64, "reason": "received"});
    room.adjust(mug, full).await.expect(200);
    let more = room
        .adjust(mug, json!({"delta": 1, "reason": "received"}))
        .await;
    more.problem(422, "request.invalid");
    room.check().await;
}
