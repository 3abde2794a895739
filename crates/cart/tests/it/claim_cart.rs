//! `POST /v1/carts/{id}/claim`.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Answer, Buyer, TestShop, eur, money};

use crate::goods::{address, cart, line, mug, path, plenty, quantities};

async fn claim(buyer: &Buyer, cart: &Value) -> Answer {
    let path = format!("{}/claim", path(cart));
    buyer.client.post(path, json!({})).await
}

async fn current(buyer: &Buyer) -> Value {
    buyer.client.get("/v1/carts/current").await.expect(200)
}

#[tokio::test]
async fn a_guests_cart_becomes_the_customers() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let guests = cart(shop.client(), &[line(&mug.variant_id, 2)]).await;
    let ada = shop.customer("ada").await;
    let answer = claim(&ada, &guests).await;
    assert!(answer.etag().starts_with("\"2-"));
    let theirs = answer.expect(200);
    assert_eq!(theirs["id"], guests["id"]);
    assert_eq!(theirs["customer_id"].as_str(), ada.customer_id.as_deref());
    assert_eq!(theirs["lines"], guests["lines"]);
    assert_eq!(theirs["expires_at"], "2026-04-01T12:00:00Z");
    assert_eq!(current(&ada).await, theirs);
    let nobody = shop.client().get(path(&guests)).await;
    nobody.problem(404, "cart.not_found");
    let bob = shop.customer("bob").await;
    claim(&bob, &guests).await.problem(404, "cart.not_found");
}

#[tokio::test]
async fn a_guests_cart_goes_into_the_customers_own() {
    let shop = TestShop::start().await;
    let (mug, bowl) = (mug(&shop).await, plenty(&shop, "bowl", eur(7_50)).await);
    let ada = shop.customer("ada").await;
    let own = cart(&ada.client, &[line(&mug.variant_id, 1)]).await;
    let details = json!({"shipping_option": "standard"});
    ada.client.patch(path(&own), details).await.expect(200);
    let guests = cart(
        shop.client(),
        &[line(&bowl.variant_id, 3), line(&mug.variant_id, 2)],
    )
    .await;
    let details = json!({
        "email": "ada@work.example",
        "shipping_option": "express",
        "shipping_address": address("DE"),
    });
    shop.client().patch(path(&guests), details).await.ok();

    let merged = claim(&ada, &guests).await.expect(200);
    assert_eq!(merged["id"], own["id"]);
    let expected = [(mug.variant_id, 3), (bowl.variant_id.clone(), 3)];
    assert_eq!(quantities(&merged), expected);
    assert_eq!(merged["totals"]["subtotal"], json!(eur(52_50)));
    // What the customer's cart has stays, what it lacks is taken over.
    assert_eq!(merged["shipping_option"], "standard");
    assert_eq!(merged["email"], "ada@work.example");
    assert_eq!(merged["shipping_address"], address("DE"));
    assert_eq!(current(&ada).await, merged);
    for client in [shop.client(), &ada.client] {
        let gone = client.get(path(&guests)).await;
        gone.problem(404, "cart.not_found");
        let add = format!("{}/lines", path(&guests));
        let add = client.post(add, line(&bowl.variant_id, 1)).await;
        add.problem(404, "cart.not_found");
    }
}

#[tokio::test]
async fn claiming_again_changes_nothing() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let ada = shop.customer("ada").await;
    let first = cart(shop.client(), &[line(&mug.variant_id, 1)]).await;
    let second = cart(shop.client(), &[line(&mug.variant_id, 2)]).await;
    let own = claim(&ada, &first).await.expect(200);
    assert_eq!(claim(&ada, &first).await.expect(200), own);
    let merged = claim(&ada, &second).await.expect(200);
    assert_eq!(quantities(&merged), [(mug.variant_id, 3)]);
    assert_eq!(claim(&ada, &second).await.expect(200), merged);
    assert_eq!(claim(&ada, &first).await.expect(200), merged);
    let bob = shop.customer("bob").await;
    claim(&bob, &second).await.problem(404, "cart.not_found");
}

#[tokio::test]
async fn a_repeated_claim_gets_the_same_answer() {
    let shop = TestShop::start().await;
    let ada = shop.customer("ada").await;
    let guests = cart(shop.client(), &[]).await;
    let claim = || {
        let request = ada
            .client
            .post(format!("{}/claim", path(&guests)), json!({}));
        request.key("log-in")
    };
    let first = claim().await;
    let details = json!({"email": "ada@work.example"});
    ada.client.patch(path(&guests), details).await.expect(200);
    let again = claim().await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!((first.status, first.bytes), (again.status, again.bytes));
}

#[tokio::test]
async fn another_currency_stays_apart_and_becomes_the_current_cart() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let fan = plenty(&shop, "fan", money(900, "USD")).await;
    let ada = shop.customer("ada").await;
    let euros = cart(&ada.client, &[line(&mug.variant_id, 1)]).await;
    shop.clock.advance(Duration::from_secs(1));
    let body = json!({"currency": "USD", "lines": [line(&fan.variant_id, 1)]});
    let dollars = shop.client().post("/v1/carts", body).await.expect(201);
    let claimed = claim(&ada, &dollars).await.expect(200);
    assert_eq!(claimed["id"], dollars["id"]);
    assert_eq!(claimed["currency"], "USD");
    assert_eq!(current(&ada).await, claimed);
    let other = ada.client.get(path(&euros)).await;
    assert_eq!(other.expect(200), euros);
}

#[tokio::test]
async fn quantities_add_up_to_the_limit() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let ada = shop.customer("ada").await;
    cart(&ada.client, &[line(&mug.variant_id, 6_000)]).await;
    let guests = cart(shop.client(), &[line(&mug.variant_id, 6_000)]).await;
    let merged = claim(&ada, &guests).await.expect(200);
    assert_eq!(quantities(&merged), [(mug.variant_id, 10_000)]);
}

/// What went into an order with the customer's cart does not come back as a cart.
#[tokio::test]
async fn a_merged_cart_that_was_ordered_cannot_be_claimed_again() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let ada = shop.customer("ada").await;
    let id = ada.cart_with(&mug, 1).await;
    let guests = cart(shop.client(), &[line(&mug.variant_id, 1)]).await;
    claim(&ada, &guests).await.expect(200);
    ada.places(&id, "an order of both carts").await.expect(201);
    shop.settle().await;
    claim(&ada, &guests).await.problem(409, "cart.completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_customers_one_gets_the_cart() {
    let shop = TestShop::start().await;
    let (ada, bob) = (shop.customer("ada").await, shop.customer("bob").await);
    let guests = cart(shop.client(), &[]).await;
    let (first, second) = tokio::join!(claim(&ada, &guests), claim(&bob, &guests));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 404]);
}

#[tokio::test]
async fn nobody_claims_without_a_log_in() {
    let shop = TestShop::start().await;
    let guests = cart(shop.client(), &[]).await;
    let path = format!("{}/claim", path(&guests));
    let nobody = shop.client().post(&path, json!({})).await;
    nobody.problem(401, "auth.required");
    let staff = shop.admin().await.post(&path, json!({})).await;
    staff.problem(403, "auth.forbidden");
}
