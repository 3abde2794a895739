//! Whose a cart is.

use http::Method;
use serde_json::{Value, json};
use testkit::{Client, TestShop};

use crate::goods::{cart, line, mug, path, quantities, text};

/// Every route that names a cart, with a body that would do.
fn routes(cart: &Value, variant_id: &str) -> Vec<(Method, String, Value)> {
    let path = path(cart);
    let line_path = format!("{path}/lines/{}", text(&cart["lines"][0]["id"]));
    vec![
        (Method::GET, path.clone(), Value::Null),
        (
            Method::PATCH,
            path.clone(),
            json!({"email": "x@example.com"}),
        ),
        (Method::POST, format!("{path}/lines"), line(variant_id, 1)),
        (Method::PATCH, line_path.clone(), json!({"quantity": 2})),
        (Method::GET, format!("{path}/shipping-options"), Value::Null),
        (Method::POST, format!("{path}/claim"), json!({})),
        (Method::DELETE, line_path, Value::Null),
    ]
}

/// Claiming is for customers; others are told so before anybody looks for the cart.
async fn assert_hidden(client: &Client, cart: &Value, variant_id: &str, customer: bool) {
    let routes = routes(cart, variant_id).into_iter();
    for (method, path, body) in routes.filter(|(_, path, _)| customer || !path.ends_with("claim")) {
        let request = client.request(method.clone(), &path).json(body);
        let answer = request.await;
        assert_eq!(answer.body["code"], "cart.not_found", "{method} {path}");
        answer.problem(404, "cart.not_found");
    }
    let order = json!({"cart_id": cart["id"]});
    let order = client
        .post("/v1/orders", order)
        .key("an order of somebody's");
    order.await.problem(404, "cart.not_found");
}

#[tokio::test]
async fn a_customers_cart_is_there_for_nobody_else() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let (ada, bob) = (shop.customer("ada").await, shop.customer("bob").await);
    let theirs = cart(&ada.client, &[line(&mug.variant_id, 1)]).await;
    assert_eq!(theirs["customer_id"].as_str(), ada.customer_id.as_deref());
    let variant = &mug.variant_id;
    assert_hidden(&bob.client, &theirs, variant, true).await;
    assert_hidden(&shop.admin().await, &theirs, variant, false).await;
    assert_hidden(shop.client(), &theirs, variant, false).await;
    let unchanged = ada.client.get(path(&theirs)).await.expect(200);
    assert_eq!(unchanged, theirs);
}

#[tokio::test]
async fn a_guests_cart_is_there_for_who_holds_its_id() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let ada = shop.customer("ada").await;
    let guests = cart(shop.client(), &[line(&mug.variant_id, 1)]).await;
    assert_eq!(guests["customer_id"], Value::Null);
    for client in [shop.client(), &ada.client] {
        let add = format!("{}/lines", path(&guests));
        client.post(add, line(&mug.variant_id, 1)).await.expect(200);
    }
    let read = shop.client().get(path(&guests)).await.expect(200);
    assert_eq!(quantities(&read), [(mug.variant_id, 3)]);
}

#[tokio::test]
async fn nobody_but_staff_sees_promotions() {
    let shop = TestShop::start().await;
    let ada = shop.customer("ada").await;
    let list = |client: &Client| client.get("/v1/promotions");
    list(shop.client()).await.problem(401, "auth.required");
    list(&ada.client).await.problem(403, "auth.forbidden");
    let warehouse = shop.staff(kernel::StaffRole::Warehouse).await;
    list(&warehouse).await.problem(403, "auth.forbidden");
}
