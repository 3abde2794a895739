//! `POST /v1/carts`.

use serde_json::json;
use testkit::{TestShop, eur, jpy};

use crate::goods::{address, cart, line, missing, mug, path, plenty, quantities, text, variants};

#[tokio::test]
async fn a_cart_is_created_with_its_lines_and_priced() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let body = json!({
        "currency": "EUR",
        "email": "Ada@Example.com",
        "lines": [line(&mug.variant_id, 2)],
    });
    let answer = shop.client().post("/v1/carts", body).await;
    assert!(answer.etag().starts_with("\"1-"));
    let location = answer.header("location").map(ToOwned::to_owned);
    let cart = answer.expect(201);
    assert_eq!(location, Some(path(&cart)));
    assert!(text(&cart["id"]).starts_with("cart_"));
    assert_eq!(cart["version"], 1);
    assert_eq!(cart["state"], "open");
    assert_eq!(cart["email"], "ada@example.com");
    assert_eq!(cart["expires_at"], "2026-01-31T12:00:00Z");
    let bought = &cart["lines"][0];
    assert_eq!(bought["sku"], "MUG");
    assert_eq!(bought["title"], "mug");
    assert_eq!(bought["quantity"], 2);
    assert_eq!(bought["unit_price"], json!(eur(10_00)));
    assert_eq!(bought["total"], json!(eur(20_00)));
    assert_eq!(cart["totals"]["total"], json!(eur(20_00)));
    assert_eq!(
        missing(&cart),
        ["shipping_address", "shipping_option", "payment"]
    );
    assert!(cart.get("order_id").is_none());
    let read = shop.client().get(path(&cart)).await.expect(200);
    assert_eq!(read, cart);
}

#[tokio::test]
async fn a_cart_can_be_created_whole() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let body = json!({
        "currency": "EUR",
        "email": "ada@example.com",
        "shipping_address": address("DE"),
        "shipping_option": "standard",
        "payment": {"provider": "test", "token": "tok_ok"},
        "lines": [line(&mug.variant_id, 1), line(&mug.variant_id, 2)],
    });
    let cart = shop.client().post("/v1/carts", body).await.expect(201);
    assert_eq!(missing(&cart), [""; 0]);
    assert_eq!(quantities(&cart), [(mug.variant_id, 3)]);
    assert_eq!(cart["shipping"]["price"], json!(eur(4_90)));
    assert_eq!(cart["totals"]["tax_rate"], 190_000);
    assert_eq!(cart["totals"]["total"], json!(eur(34_90)));
}

#[tokio::test]
async fn what_cannot_be_bought_is_refused_and_pointed_at() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let yen = plenty(&shop, "fan", jpy(500)).await;
    let unknown = "var_01k3v7m0s2ev3bq1w1m2r8x5zc";
    let post = |lines| {
        let body = json!({"currency": "EUR", "lines": lines});
        shop.client().post("/v1/carts", body)
    };
    let problem = post(json!([line(&mug.variant_id, 1), line(unknown, 1)]))
        .await
        .problem(422, "cart.not_purchasable");
    assert_eq!(problem["errors"][0]["pointer"], "/lines/1/variant_id");
    let problem = post(json!([line(&yen.variant_id, 1)]))
        .await
        .problem(422, "cart.no_price");
    assert_eq!(problem["errors"][0]["pointer"], "/lines/0/variant_id");
    let problem = post(json!([line(&mug.variant_id, 0)]))
        .await
        .problem(422, "request.invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/lines/0/quantity");
    let twice = json!([line(&mug.variant_id, 10_000), line(&mug.variant_id, 1)]);
    post(twice).await.problem(422, "cart.limit");
}

#[tokio::test]
async fn a_cart_has_two_hundred_lines_at_the_most() {
    let shop = TestShop::start().await;
    let ids = variants(&shop, 201).await;
    let lines: Vec<_> = ids.iter().map(|id| line(id, 1)).collect();
    let body = json!({"currency": "EUR", "lines": lines});
    let problem = shop.client().post("/v1/carts", body).await;
    problem.problem(422, "request.invalid");
    let full = cart(shop.client(), &lines[..200]).await;
    assert_eq!(full["totals"]["total"], json!(eur(200_00)));
    let lines_path = format!("{}/lines", path(&full));
    let one_more = shop.client().post(&lines_path, &lines[200]).await;
    one_more.problem(422, "cart.limit");
    let more_of_one = shop.client().post(&lines_path, &lines[0]).await;
    assert_eq!(more_of_one.expect(200)["lines"][0]["quantity"], 2);
}

#[tokio::test]
async fn the_same_key_creates_one_cart() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let body = json!({"currency": "EUR", "lines": [line(&mug.variant_id, 1)]});
    let key = "0198-a-cart-of-a-guest";
    let post = |body| shop.client().post("/v1/carts", body).key(key);
    let first = post(body.clone()).await;
    let again = post(body).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!((first.status, &first.bytes), (again.status, &again.bytes));
    for header in ["etag", "location"] {
        assert_eq!(first.header(header), again.header(header), "{header}");
    }
    let other = post(json!({"currency": "EUR"})).await;
    other.problem(422, "idempotency.key_reused");
    let other_guest = shop.client().post("/v1/carts", json!({"currency": "EUR"}));
    let other_guest = other_guest.key("0198-a-cart-of-another-guest").await;
    assert_ne!(other_guest.expect(201)["id"], first.expect(201)["id"]);
}

#[tokio::test]
async fn the_same_key_at_the_same_moment_creates_one_cart() {
    let shop = TestShop::start().await;
    let post = || {
        let request = shop.client().post("/v1/carts", json!({"currency": "EUR"}));
        request.key("0198-a-hasty-guest-clicks").into_future()
    };
    let answers = futures_util::future::join_all((0..10).map(|_| post())).await;
    let mut ids = Vec::new();
    for answer in answers {
        if answer.status == 409 {
            answer.problem(409, "idempotency.still_running");
        } else {
            ids.push(text(&answer.expect(201)["id"]));
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
}
