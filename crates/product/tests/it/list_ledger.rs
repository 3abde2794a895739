//! `GET /v1/inventory/{variant_id}/ledger`.

use serde_json::json;

use crate::stockroom::{Stockroom, line};

#[tokio::test]
async fn every_change_is_told_the_youngest_first() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 5).await;
    let order = room.holder();
    room.tick();
    room.reserve(order, &[line(mug, 2)])
        .await
        .expect("reserved");
    room.tick();
    room.place(order, &[line(mug, 2)]).await;
    room.shop.settle().await;
    room.tick();
    room.cancel(order).await;
    room.shop.settle().await;
    let path = format!("/v1/inventory/{mug}/ledger");
    let ledger = room.staff.get(&path).await.expect(200);
    let told: Vec<_> = ledger["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| json!([item["kind"], item["on_hand_delta"], item["reserved_delta"]]))
        .collect();
    let expected = json!([
        ["restocked", 2, 0],
        ["committed", -2, -2],
        ["reserved", 0, 2],
        ["received", 5, 0]
    ]);
    assert_eq!(json!(told), expected);
    assert_eq!(ledger["items"][0]["reference"], json!(order));
    assert!(ledger["items"][3]["reference"].is_null());
}

#[tokio::test]
async fn pages_follow_each_other_without_gaps() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 0).await;
    let other = room.variant("reserve_on_order", false, 9).await;
    for delta in 1..=7 {
        room.adjust(mug, json!({"delta": delta, "reason": "received"}))
            .await
            .expect(200);
    }
    let (mut seen, mut path) = (Vec::new(), format!("/v1/inventory/{mug}/ledger?limit=3"));
    loop {
        let page = room.staff.get(&path).await.expect(200);
        let items = page["items"].as_array().expect("items");
        seen.extend(
            items
                .iter()
                .filter_map(|item| item["on_hand_delta"].as_i64()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/inventory/{mug}/ledger?limit=3&cursor={cursor}");
        let foreign = format!("/v1/inventory/{other}/ledger?cursor={cursor}");
        room.staff
            .get(foreign)
            .await
            .problem(400, "request.bad_cursor");
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
}
