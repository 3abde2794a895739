//! What a shop tells about itself while somebody buys something.

use platform::sql;
use rialto::Role;
use serde_json::json;
use testkit::TestShop;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test]
async fn a_purchase_is_measured_everywhere() {
    let shop = TestShop::builder().calm_bus().start().await;
    let mug = shop.product("mug").stock(5).create().await;
    shop.guest("ada@example.com")
        .buys(&mug, 1)
        .await
        .expect(201);
    shop.settle().await;
    for metric in [
        "rialto_http_answers_total{role=\"order\",route=\"/v1/orders\",method=\"POST\",status=\"201\"}",
        "rialto_http_duration_seconds_count{role=\"cart\"",
        "rialto_http_statements_total{role=\"product\"",
        "rialto_call_duration_seconds_count{service=\"product\",method=\"reserve_stock\"",
        "rialto_db_transactions_total{role=\"order\"}",
        "rialto_db_commits_total{role=\"order\"}",
        "rialto_db_statements_total{role=\"user\"}",
        "rialto_events_total{consumer=\"notification.order_placed\",outcome=\"handled\"}",
        "rialto_event_lag_seconds_count{consumer=\"notification.order_placed\"}",
        "rialto_cache_lookups_total",
    ] {
        assert!(shop.metric(metric).await > 0, "{metric}");
    }
    for metric in [
        "rialto_outbox_pending",
        "rialto_db_waiting",
        "rialto_db_running",
    ] {
        assert_eq!(shop.metric(metric).await, 0, "{metric}");
    }
}

#[tokio::test]
async fn labels_are_bounded() {
    let shop = TestShop::start().await;
    let mug = shop.product("mug").stock(5).create().await;
    let order = shop
        .guest("ada@example.com")
        .buys(&mug, 1)
        .await
        .expect(201);
    shop.settle().await;
    let path = format!("/v1/products/{}/no-such-thing", mug.id);
    shop.client()
        .get(path)
        .await
        .problem(404, "request.no_route");
    for admin in shop.admin_clients() {
        let metrics = admin.get("/metrics").await;
        let text = String::from_utf8_lossy(&metrics.bytes).into_owned();
        for id in [
            mug.id.as_str(),
            &mug.variant_id,
            order["id"].as_str().expect("an id"),
            "ada@",
        ] {
            assert!(!text.contains(id), "{id} is in a label");
        }
    }
}

#[tokio::test]
async fn one_trace_from_the_request_to_the_mail() {
    let shop = TestShop::start().await;
    let mug = shop.product("mug").stock(5).create().await;
    let ada = shop.guest("ada@example.com");
    let cart = ada.cart_with(&mug, 1).await;
    let order = shop.client().post("/v1/orders", json!({"cart_id": cart}));
    let order = order
        .key("the-order-of-ada")
        .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))
        .await;
    assert_eq!(order.header("x-request-id"), Some(TRACE));
    order.expect(201);
    shop.settle().await;
    // What the event has caused belongs to the trace, however many processes are in between.
    let tx = shop.db(Role::Order).read().await.expect("reads");
    let placed = sql!("SELECT traceparent FROM outbox WHERE event_type = 'rialto.order.placed.v1'");
    let (trace,): (String,) = tx.one(placed, &[]).await.expect("reads").expect("an event");
    assert!(trace.contains(TRACE), "{trace}");
}
