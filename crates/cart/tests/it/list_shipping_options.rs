//! `GET /v1/carts/{id}/shipping-options`.

use serde_json::{Value, json};
use testkit::{TestShop, eur};

use crate::goods::{address, cart, line, mug, path, text};

fn names(options: &Value) -> Vec<String> {
    let items = options["items"].as_array().expect("items");
    items.iter().map(|option| text(&option["option"])).collect()
}

#[tokio::test]
async fn what_goes_there_is_listed_the_cheapest_first() {
    let shop = TestShop::builder()
        .set("cart.shipping.gondola.name", "Gondola")
        .set("cart.shipping.gondola.countries", "[\"IT\"]")
        .set("cart.shipping.gondola.price.eur", 100)
        .start()
        .await;
    let mug = mug(&shop).await;
    let cart = cart(shop.client(), &[line(&mug.variant_id, 5)]).await;
    let list = || {
        shop.client()
            .get(format!("{}/shipping-options", path(&cart)))
    };
    let answer = list().await;
    assert!(answer.etag().starts_with("\"1-"));
    let options = answer.expect(200);
    // For 50.00 the standard way costs nothing.
    assert_eq!(names(&options), ["standard", "gondola", "express"]);
    let standard = json!({
        "option": "standard",
        "name": "Standard",
        "price": eur(4_90),
        "discount": eur(4_90),
    });
    assert_eq!(options["items"][0], standard);
    assert_eq!(options["next_cursor"], Value::Null);
    let to_germany = json!({"shipping_address": address("DE")});
    shop.client().patch(path(&cart), to_germany).await.ok();
    assert_eq!(names(&list().await.expect(200)), ["standard", "express"]);
}

#[tokio::test]
async fn only_what_has_a_price_in_the_currency_is_offered() {
    let shop = TestShop::start().await;
    let cart = shop.client().post("/v1/carts", json!({"currency": "SEK"}));
    let cart = cart.await.expect(201);
    let options = shop
        .client()
        .get(format!("{}/shipping-options", path(&cart)));
    assert_eq!(names(&options.await.expect(200)), [""; 0]);
}
