//! What the stories put into carts.

use kernel::Money;
use serde_json::{Value, json};
use testkit::{Client, Product, TestShop, eur};

/// A product that there is always enough of.
pub(crate) async fn plenty(shop: &TestShop, slug: &str, price: Money) -> Product {
    let product = shop.product(slug).price(price).inventory("none");
    product.create().await
}

/// A mug for EUR 10.00, of which there is always enough.
pub(crate) async fn mug(shop: &TestShop) -> Product {
    plenty(shop, "mug", eur(10_00)).await
}

/// The ids of `count` variants for EUR 1.00 each, of which there is always enough.
pub(crate) async fn variants(shop: &TestShop, count: usize) -> Vec<String> {
    const PER_PRODUCT: usize = 100;
    let admin = shop.admin().await;
    let numbers: Vec<usize> = (0..count).collect();
    let mut ids = Vec::new();
    for numbers in numbers.chunks(PER_PRODUCT) {
        let slug = format!("beads-{}", numbers[0]);
        let name = |number: &usize| format!("No {number}");
        let variants: Vec<Value> = numbers
            .iter()
            .map(|number| {
                json!({
                    "sku": format!("BEAD-{number}"),
                    "options": {"Kind": name(number)},
                    "prices": [{"amount": 100, "currency": "EUR"}],
                    "inventory": "none",
                })
            })
            .collect();
        let body = json!({
            "slug": slug,
            "title": "Beads",
            "status": "active",
            "options": [{"name": "Kind", "values": numbers.iter().map(name).collect::<Vec<_>>()}],
            "variants": variants,
        });
        let product = admin.post("/v1/products", body).await.expect(201);
        let made = product["variants"].as_array().expect("variants");
        ids.extend(made.iter().map(|variant| text(&variant["id"])));
    }
    ids
}

/// A line of a request.
pub(crate) fn line(variant_id: &str, quantity: i64) -> Value {
    json!({"variant_id": variant_id, "quantity": quantity})
}

/// A cart in euros with these lines; the whole answer.
pub(crate) async fn cart(client: &Client, lines: &[Value]) -> Value {
    let body = json!({"currency": "EUR", "lines": lines});
    client.post("/v1/carts", body).await.expect(201)
}

/// The path of a cart.
pub(crate) fn path(cart: &Value) -> String {
    format!("/v1/carts/{}", text(&cart["id"]))
}

/// Quantities by variant, in the order of the lines.
pub(crate) fn quantities(cart: &Value) -> Vec<(String, i64)> {
    let lines = cart["lines"].as_array().expect("lines");
    lines
        .iter()
        .map(|line| {
            let quantity = line["quantity"].as_i64().expect("a quantity");
            (text(&line["variant_id"]), quantity)
        })
        .collect()
}

/// The kinds of what is missing.
pub(crate) fn missing(cart: &Value) -> Vec<String> {
    let requirements = cart["requirements"].as_array().expect("requirements");
    requirements.iter().map(|r| text(&r["kind"])).collect()
}

/// A text that must be there.
#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// An address in a country.
pub(crate) fn address(country: &str) -> Value {
    json!({
        "name": "Ada Lovelace",
        "line1": "Analytical Street 1",
        "city": "Venice",
        "postal_code": "30100",
        "country": country,
    })
}
