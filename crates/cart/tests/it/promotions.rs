//! `/v1/promotions`, and what their codes do to carts.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Client, TestShop, eur};

use crate::goods::{cart, line, mug, path, text};

async fn create(admin: &Client, body: Value) -> Value {
    admin.post("/v1/promotions", body).await.expect(201)
}

#[tokio::test]
async fn staff_create_list_and_remove_promotions() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let made = create(&admin, json!({"code": "welcome", "rate": 100_000})).await;
    let expected = json!({
        "code": "WELCOME",
        "rate": 100_000,
        "amounts": [],
        "min_subtotals": [],
        "starts_at": null,
        "ends_at": null,
        "created_at": "2026-01-01T12:00:00Z",
    });
    assert_eq!(made, expected);
    for code in ["FIVE", "ZERO", "SPRING-26"] {
        create(&admin, json!({"code": code, "amounts": [eur(5_00)]})).await;
    }
    let taken = json!({"code": "Five", "rate": 1});
    let taken = admin.post("/v1/promotions", taken).await;
    let problem = taken.problem(409, "cart.promotion_exists");
    assert_eq!(problem["errors"][0]["pointer"], "/code");

    let first = admin.get("/v1/promotions?limit=3").await.expect(200);
    let codes = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().expect("items");
        items.iter().map(|item| text(&item["code"])).collect()
    };
    assert_eq!(codes(&first), ["FIVE", "SPRING-26", "WELCOME"]);
    let cursor = text(&first["next_cursor"]);
    let next = format!("/v1/promotions?limit=3&cursor={cursor}");
    let last = admin.get(next).await.expect(200);
    assert_eq!(codes(&last), ["ZERO"]);
    assert_eq!(last["next_cursor"], Value::Null);
    let wrong = admin.get("/v1/promotions?cursor=nonsense").await;
    wrong.problem(400, "request.bad_cursor");

    let gone = admin.delete("/v1/promotions/five").await;
    assert_eq!(gone.status, 204);
    let again = admin.delete("/v1/promotions/FIVE").await;
    again.problem(404, "cart.not_found");
}

#[tokio::test]
async fn a_repeated_request_creates_once() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let post = |rate| {
        let body = json!({"code": "TEN", "rate": rate});
        admin.post("/v1/promotions", body).key("spring")
    };
    let first = post(100_000).await;
    let again = post(100_000).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!((first.status, first.bytes), (again.status, again.bytes));
    post(200_000).await.problem(422, "idempotency.key_reused");
}

#[tokio::test]
async fn every_broken_rule_is_pointed_at() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let later = "2026-02-01T00:00:00Z";
    for (body, pointer) in [
        (json!({"code": "zehn %", "rate": 1}), "/code"),
        (json!({"code": "A"}), ""),
        (json!({"code": "A", "rate": 1, "amounts": [eur(1)]}), ""),
        (json!({"code": "A", "rate": 0}), "/rate"),
        (json!({"code": "A", "rate": 1_000_001}), "/rate"),
        (json!({"code": "A", "amounts": [eur(0)]}), "/amounts/0"),
        (
            json!({"code": "A", "amounts": [eur(1), eur(2)]}),
            "/amounts/1",
        ),
        (
            json!({"code": "A", "rate": 1, "min_subtotals": [eur(-1)]}),
            "/min_subtotals/0",
        ),
        (
            json!({"code": "A", "rate": 1, "starts_at": later, "ends_at": later}),
            "/ends_at",
        ),
    ] {
        let problem = admin.post("/v1/promotions", &body).await;
        let problem = problem.problem(422, "request.invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
    }
}

#[tokio::test]
async fn codes_take_something_off_in_their_order() {
    let shop = TestShop::start().await;
    let (admin, mug) = (shop.admin().await, mug(&shop).await);
    create(&admin, json!({"code": "HALF", "rate": 500_000})).await;
    create(&admin, json!({"code": "FIVE", "amounts": [eur(5_00)]})).await;
    let cart = cart(shop.client(), &[line(&mug.variant_id, 2)]).await;
    let enter = |codes: Value| {
        let body = json!({"promotion_codes": codes});
        shop.client().patch(path(&cart), body)
    };
    let priced = enter(json!(["half", "Five", "HALF"])).await.expect(200);
    assert_eq!(priced["promotion_codes"], json!(["HALF", "FIVE"]));
    let discounts = json!([
        {"code": "HALF", "amount": eur(10_00)},
        {"code": "FIVE", "amount": eur(5_00)},
    ]);
    assert_eq!(priced["discounts"], discounts);
    assert_eq!(priced["lines"][0]["discount"], json!(eur(15_00)));
    assert_eq!(priced["totals"]["total"], json!(eur(5_00)));
    let other_way = enter(json!(["FIVE", "HALF"])).await.expect(200);
    assert_eq!(other_way["totals"]["total"], json!(eur(7_50)));
    let without = enter(json!([])).await.expect(200);
    assert_eq!(without["totals"]["total"], json!(eur(20_00)));
}

#[tokio::test]
async fn a_code_that_takes_nothing_off_is_refused() {
    let shop = TestShop::start().await;
    let (admin, mug) = (shop.admin().await, mug(&shop).await);
    create(
        &admin,
        json!({"code": "DOLLARS", "amounts": [{"amount": 1, "currency": "USD"}]}),
    )
    .await;
    create(
        &admin,
        json!({"code": "SOON", "rate": 1, "starts_at": "2026-01-01T12:00:01Z"}),
    )
    .await;
    create(
        &admin,
        json!({"code": "OVER", "rate": 1, "ends_at": "2026-01-01T12:00:00Z"}),
    )
    .await;
    let much = json!({"code": "MUCH", "rate": 1, "min_subtotals": [eur(20_01)]});
    create(&admin, much).await;
    let cart = cart(shop.client(), &[line(&mug.variant_id, 2)]).await;
    for (code, why) in [
        ("NONE", "does not exist"),
        ("zehn %", "does not exist"),
        ("DOLLARS", "does not apply in EUR"),
        ("SOON", "has not begun yet"),
        ("OVER", "has ended"),
        ("MUCH", "applies from 20.01 EUR on"),
    ] {
        let body = json!({"promotion_codes": [code]});
        let problem = shop.client().patch(path(&cart), body).await;
        let problem = problem.problem(422, "cart.bad_promotion_code");
        assert_eq!(problem["errors"][0]["pointer"], "/promotion_codes/0");
        let detail = format!("the promotion code `{code}` {why}");
        assert_eq!(problem["detail"], detail);
    }
}

#[tokio::test]
async fn a_code_that_ends_or_goes_stops_applying() {
    let shop = TestShop::start().await;
    let (admin, mug) = (shop.admin().await, mug(&shop).await);
    let day = json!({"code": "DAY", "rate": 500_000, "ends_at": "2026-01-02T12:00:00Z"});
    create(&admin, day).await;
    let two = json!({"code": "TWO", "rate": 500_000, "min_subtotals": [eur(20_00)]});
    create(&admin, two).await;
    let cart = cart(shop.client(), &[line(&mug.variant_id, 2)]).await;
    let body = json!({"promotion_codes": ["DAY", "TWO"]});
    let priced = shop.client().patch(path(&cart), body).await.expect(200);
    assert_eq!(priced["totals"]["total"], json!(eur(5_00)));
    shop.clock.advance(Duration::from_secs(24 * 3600));
    let read = || async { shop.client().get(path(&cart)).await.expect(200) };
    let later = read().await;
    assert_eq!(later["promotion_codes"], json!(["DAY", "TWO"]));
    assert_eq!(later["discounts"][0]["code"], "TWO");
    assert_eq!(later["totals"]["total"], json!(eur(10_00)));
    // Below its minimum it takes nothing off, above it does again.
    let line_path = format!("{}/lines/{}", path(&cart), text(&later["lines"][0]["id"]));
    let set = |quantity: i64| {
        shop.client()
            .patch(&line_path, json!({"quantity": quantity}))
    };
    assert_eq!(set(1).await.expect(200)["discounts"], json!([]));
    assert_eq!(set(4).await.expect(200)["discounts"][0]["code"], "TWO");
    let admin = shop.admin().await;
    admin.delete("/v1/promotions/TWO").await.ok();
    assert_eq!(read().await["discounts"], json!([]));
}
