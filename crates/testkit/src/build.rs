//! Builders: what stories need before they begin. They go through the public interface.

use kernel::{Currency, Money};
use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::shop::TestShop;

/// Cents.
pub fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

/// Cents.
pub fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

/// Yen.
pub fn jpy(minor: i64) -> Money {
    Money::new(minor, Currency::JPY)
}

/// Minor units of any currency.
pub fn money(minor: i64, currency: &str) -> Money {
    Money::new(minor, currency.parse().expect("a currency"))
}

/// A product with one variant, for sale.
#[derive(Debug, Clone)]
pub struct Product {
    /// `prod_...`
    pub id: String,
    /// `var_...`
    pub variant_id: String,
    /// Its address in the shop.
    pub slug: String,
    /// The whole answer.
    pub view: Value,
}

/// A product that is being set up.
#[derive(Debug)]
pub struct ProductBuilder<'a> {
    shop: &'a TestShop,
    slug: String,
    prices: Vec<Money>,
    stock: i64,
    inventory: &'static str,
    backorder: bool,
}

impl<'a> ProductBuilder<'a> {
    /// Adds a price.
    pub fn price(mut self, price: Money) -> Self {
        self.prices.push(price);
        self
    }

    /// How many lie on the shelf.
    pub fn stock(mut self, quantity: i64) -> Self {
        self.stock = quantity;
        self
    }

    /// How stock is kept: `none`, `track`, `reserve_on_order`, `reserve_on_cart`.
    pub fn inventory(mut self, mode: &'static str) -> Self {
        self.inventory = mode;
        self
    }

    /// Sells what is not there yet.
    pub fn backorder(mut self) -> Self {
        self.backorder = true;
        self
    }

    /// Creates it, as an admin.
    pub async fn create(self) -> Product {
        let admin = self.shop.admin().await;
        self.create_as(&admin).await
    }

    /// Creates it with a token that is there already.
    pub async fn create_as(self, admin: &Client) -> Product {
        let prices = if self.prices.is_empty() {
            vec![eur(10_00)]
        } else {
            self.prices
        };
        let body = json!({
            "slug": self.slug,
            "title": self.slug,
            "status": "active",
            "variants": [{
                "sku": self.slug.to_uppercase(),
                "prices": prices,
                "inventory": self.inventory,
                "backorder": self.backorder,
            }],
        });
        let view = admin.post("/v1/products", body).await.expect(201);
        let text = |value: &Value| value.as_str().expect("an id").to_owned();
        let product = Product {
            id: text(&view["id"]),
            variant_id: text(&view["variants"][0]["id"]),
            slug: self.slug,
            view,
        };
        if self.stock > 0 {
            let path = format!("/v1/inventory/{}/adjustments", product.variant_id);
            let body = json!({"delta": self.stock, "reason": "received"});
            admin.post(path, body).await.ok();
        }
        product
    }
}

/// Somebody who buys: a guest, or a customer who has logged in.
#[derive(Debug, Clone)]
pub struct Buyer {
    /// Talks to the shop as them.
    pub client: Client,
    /// Where the shop writes to them.
    pub email: String,
    /// `cus_...`; `None` for a guest.
    pub customer_id: Option<String>,
    token: String,
    currency: String,
}

impl Buyer {
    /// Pays with another token of the test provider than `tok_ok`.
    pub fn paying_with(mut self, token: &str) -> Self {
        self.token = token.to_owned();
        self
    }

    /// Pays in another currency than EUR.
    pub fn in_currency(mut self, currency: &str) -> Self {
        self.currency = currency.to_owned();
        self
    }

    /// A cart with one line and everything else that an order needs; its id.
    pub async fn cart_with(&self, product: &Product, quantity: i64) -> String {
        let body = json!({
            "currency": self.currency,
            "lines": [{"variant_id": product.variant_id, "quantity": quantity}],
        });
        let cart = self.client.post("/v1/carts", body).await.expect(201);
        let id = cart["id"].as_str().expect("an id").to_owned();
        let details = json!({
            "email": self.email,
            "shipping_address": address("DE"),
            "shipping_option": "standard",
            "payment": {"provider": "test", "token": self.token},
        });
        self.client
            .patch(format!("/v1/carts/{id}"), details)
            .await
            .expect(200);
        id
    }

    /// Places an order from a cart, under `key`.
    pub async fn places(&self, cart_id: &str, key: &str) -> Answer {
        self.client
            .post("/v1/orders", json!({"cart_id": cart_id}))
            .key(key)
            .await
    }

    /// Fills a cart and places an order.
    pub async fn buys(&self, product: &Product, quantity: i64) -> Answer {
        let cart = self.cart_with(product, quantity).await;
        self.places(&cart, &format!("order-of-{cart}")).await
    }
}

/// An address in `country`.
pub(crate) fn address(country: &str) -> Value {
    json!({
        "name": "Ada Lovelace",
        "line1": "Analytical Street 1",
        "city": "Venice",
        "postal_code": "30100",
        "country": country,
    })
}

impl TestShop {
    /// Starts setting up a product.
    pub fn product(&self, slug: &str) -> ProductBuilder<'_> {
        ProductBuilder {
            shop: self,
            slug: slug.to_owned(),
            prices: Vec::new(),
            stock: 0,
            inventory: "reserve_on_order",
            backorder: false,
        }
    }

    /// Somebody without an account.
    pub fn guest(&self, email: &str) -> Buyer {
        Buyer {
            client: self.client().clone(),
            email: email.to_owned(),
            customer_id: None,
            token: String::from("tok_ok"),
            currency: String::from("EUR"),
        }
    }

    /// Registers a customer and logs them in.
    pub async fn customer(&self, name: &str) -> Buyer {
        let email = format!("{name}@example.com");
        let password = "correct horse battery";
        let body = json!({"email": email, "password": password, "name": name});
        let profile = self.client().post("/v1/customers", body).await.expect(201);
        let body = json!({"email": email, "password": password});
        let log_in = self.client().post("/v1/auth/log-in", body).await.ok();
        let token = log_in["access_token"].as_str().expect("a token");
        Buyer {
            client: self.client().with_token(token),
            customer_id: profile["id"].as_str().map(ToOwned::to_owned),
            ..self.guest(&email)
        }
    }

    /// Registers a customer, logs them in, and verifies their address by the mail that they got.
    pub async fn verified_customer(&self, name: &str) -> Buyer {
        let buyer = self.customer(name).await;
        self.settle().await;
        let token = self.mailed_token(&buyer.email).await;
        let verify = self
            .client()
            .post("/v1/auth/verify-email", json!({"token": token}));
        verify.await.expect(204);
        buyer
    }
}
