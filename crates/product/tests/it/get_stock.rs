//! `GET /v1/inventory/{variant_id}`.

use serde_json::json;

use crate::stockroom::{Stockroom, line};

#[tokio::test]
async fn staff_see_what_lies_where() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 2).await;
    let mestre = room.location("Mestre").await;
    room.receive(mug, Some(mestre), 3).await;
    room.reserve(room.holder(), &[line(mug, 4)])
        .await
        .expect("reserved");
    let mut view = room.view(mug).await;
    assert!(
        view["sku"]
            .as_str()
            .is_some_and(|sku| sku.starts_with("GOODS-"))
    );
    let first = view["locations"][0]["location_id"].take();
    assert!(first.as_str().is_some_and(|id| id.starts_with("loc_")));
    view["sku"].take();
    assert_eq!(
        view,
        json!({
            "variant_id": mug, "sku": null, "inventory": "reserve_on_order", "backorder": false,
            "on_hand": 5, "reserved": 4, "available": 1,
            "locations": [
                {"location_id": null, "name": "Main", "on_hand": 2, "reserved": 2, "available": 0},
                {"location_id": mestre, "name": "Mestre", "on_hand": 3, "reserved": 2, "available": 1},
            ],
        })
    );
}

#[tokio::test]
async fn what_is_not_counted_has_no_locations() {
    let room = Stockroom::open().await;
    let none = room.variant("none", false, 0).await;
    let view = room.view(none).await;
    assert_eq!(
        (&view["inventory"], &view["locations"]),
        (&json!("none"), &json!([]))
    );
}

#[tokio::test]
async fn an_unknown_variant_is_not_found() {
    let room = Stockroom::open().await;
    let unknown: contracts::product::VariantId = room.shop.sources().id();
    for path in [
        format!("/v1/inventory/{unknown}"),
        format!("/v1/inventory/{unknown}/ledger"),
    ] {
        room.staff.get(path).await.problem(404, "product.not_found");
    }
    room.staff
        .get("/v1/inventory/nonsense")
        .await
        .problem(404, "request.no_route");
}
