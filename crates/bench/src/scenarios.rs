//! What customers do, over and over.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::load::{self, Connection, Measured, text_field};

/// Connections that the load comes on.
pub(crate) const CONNECTIONS: usize = 32;

/// The product of which there are 100 pieces.
pub(crate) const SCARCE: &str = "scarce";

/// Something that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    ProductById,
    ProductList,
    ReadCart,
    CreateCart,
    Checkout,
}

impl Scenario {
    pub(crate) const ALL: [Self; 5] = [
        Self::ProductById,
        Self::ProductList,
        Self::ReadCart,
        Self::CreateCart,
        Self::Checkout,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ProductById => "product by id",
            Self::ProductList => "list of 20 with prices",
            Self::ReadCart => "read cart",
            Self::CreateCart => "create cart with a line",
            Self::Checkout => "whole checkouts",
        }
    }

    /// What issue and design ask for, in things per second.
    pub(crate) fn goal(self, postgres: bool) -> u64 {
        match (self, postgres) {
            (Self::ProductById, false) => 25_000,
            (Self::ProductById, true) => 12_000,
            (Self::ProductList, false) => 8_000,
            (Self::ProductList, true) | (Self::CreateCart, false) => 5_000,
            (Self::ReadCart, false) => 15_000,
            (Self::ReadCart, true) => 8_000,
            (Self::CreateCart, true) => 2_500,
            (Self::Checkout, false) => 1_000,
            (Self::Checkout, true) => 600,
        }
    }
}

/// What the shop sells, as the load needs it.
pub(crate) struct Catalogue {
    products: Vec<String>,
    variants: Vec<String>,
}

impl Catalogue {
    /// Reads the whole catalogue, page by page.
    pub(crate) async fn read(address: SocketAddr) -> anyhow::Result<Self> {
        let mut connection = Connection::open(address).await?;
        let mut products = Vec::new();
        let mut path = String::from("/v1/products?limit=100");
        loop {
            let answer = connection.send("GET", &path, "", "").await?;
            ensure!(answer.status == 200, "{path}: {}", answer.status);
            let page: serde_json::Value = serde_json::from_slice(answer.body)?;
            let items = page["items"].as_array().context("items")?;
            products.extend(
                items
                    .iter()
                    .filter_map(|item| item["id"].as_str().map(str::to_owned)),
            );
            match page["next_cursor"].as_str() {
                Some(cursor) => path = format!("/v1/products?limit=100&cursor={cursor}"),
                None => break,
            }
        }
        let mut variants = Vec::new();
        for product in &products {
            let answer = connection
                .send("GET", &format!("/v1/products/{product}"), "", "")
                .await?;
            let view: serde_json::Value = serde_json::from_slice(answer.body)?;
            // The scarce article is for the rush.
            if view["slug"] != SCARCE {
                let variant = view["variants"][0]["id"].as_str().context("a variant")?;
                variants.push(variant.to_owned());
            }
        }
        Ok(Self { products, variants })
    }

    /// The variant that the `number`th buyer takes.
    pub(crate) fn variant(&self, number: usize) -> &str {
        &self.variants[number % self.variants.len()]
    }
}

/// Spreads accesses over the catalogue without a pattern that a cache would like.
fn spread(connection: usize, round: u64) -> usize {
    let mixed =
        (round.wrapping_mul(0x9e37_79b9_7f4a_7c15)).rotate_left(17) ^ (connection as u64) << 7;
    (mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33) as usize
}

/// Runs `scenario` for `duration`.
pub(crate) async fn run(
    scenario: Scenario,
    address: SocketAddr,
    catalogue: &Catalogue,
    duration: Duration,
) -> anyhow::Result<Measured> {
    let mut connections = load::connect(address, CONNECTIONS).await?;
    match scenario {
        Scenario::ProductById => {
            let paths = catalogue
                .products
                .iter()
                .map(|id| format!("/v1/products/{id}"));
            reading(&mut connections, paths, duration).await
        }
        Scenario::ProductList => {
            let sorts = ["price", "-price", "name", "newest"];
            let paths = sorts.map(|sort| format!("/v1/products?limit=20&currency=EUR&sort={sort}"));
            reading(&mut connections, paths, duration).await
        }
        Scenario::ReadCart => {
            let mut paths = Vec::new();
            for number in 0..200 {
                let lines = [number, number + 1, number + 2].map(|n| line(catalogue.variant(n)));
                let cart = create_cart(&mut connections[0], &lines.join(",")).await?;
                paths.push(format!("/v1/carts/{cart}"));
            }
            reading(&mut connections, paths, duration).await
        }
        Scenario::CreateCart => {
            load::run(
                &mut connections,
                duration,
                async |connection, number, round| {
                    let line = line(catalogue.variant(spread(number, round)));
                    create_cart(connection, &line).await.map(drop)
                },
            )
            .await
        }
        Scenario::Checkout => {
            load::run(
                &mut connections,
                duration,
                async |connection, number, round| {
                    checkout(connection, catalogue.variant(spread(number, round))).await
                },
            )
            .await
        }
    }
}

async fn reading(
    connections: &mut [Connection],
    paths: impl IntoIterator<Item = String>,
    duration: Duration,
) -> anyhow::Result<Measured> {
    let prepared: Vec<Vec<u8>> = paths
        .into_iter()
        .map(|path| connections[0].prepare(&path))
        .collect();
    load::run(connections, duration, async |connection, number, round| {
        let request = &prepared[spread(number, round) % prepared.len()];
        let answer = connection.send_prepared(request).await?;
        ensure!(answer.status == 200, "answered {}", answer.status);
        Ok(())
    })
    .await
}

fn line(variant: &str) -> String {
    format!("{{\"variant_id\":\"{variant}\",\"quantity\":1}}")
}

async fn create_cart(connection: &mut Connection, lines: &str) -> anyhow::Result<String> {
    let body = format!("{{\"currency\":\"EUR\",\"lines\":[{lines}]}}");
    let answer = connection.send("POST", "/v1/carts", "", &body).await?;
    ensure!(
        answer.status == 201,
        "creating a cart answered {}",
        answer.status
    );
    Ok(text_field(answer.body, "id")?.to_owned())
}

/// Cart, line, address, payment, order: five requests.
async fn checkout(connection: &mut Connection, variant: &str) -> anyhow::Result<()> {
    let cart = create_cart(connection, "").await?;
    let path = format!("/v1/carts/{cart}");
    let added = connection
        .send("POST", &format!("{path}/lines"), "", &line(variant))
        .await?
        .status;
    let address = r#"{"email":"ada@example.com","shipping_option":"standard","shipping_address":{"name":"Ada","line1":"Street 1","city":"Venice","postal_code":"30100","country":"IT"}}"#;
    let sent = connection.send("PATCH", &path, "", address).await?.status;
    let payment = r#"{"payment":{"provider":"test","token":"tok_ok"}}"#;
    let paying = connection.send("PATCH", &path, "", payment).await?.status;
    let status = place(connection, &cart).await?;
    let steps = (added, sent, paying, status);
    ensure!(
        steps == (200, 200, 200, 201),
        "a checkout answered {steps:?}"
    );
    Ok(())
}

async fn place(connection: &mut Connection, cart: &str) -> anyhow::Result<u16> {
    let key = format!("idempotency-key: order-of-{cart}\r\n");
    let body = format!("{{\"cart_id\":\"{cart}\"}}");
    Ok(connection
        .send("POST", "/v1/orders", &key, &body)
        .await?
        .status)
}

/// How 400 buyers of one article fared.
pub(crate) struct Rush {
    pub(crate) took: Duration,
    pub(crate) bought: usize,
    pub(crate) refused: usize,
    pub(crate) other: usize,
}

/// 400 buyers, each on a connection of their own, with a full cart each, all at once.
pub(crate) async fn rush(address: SocketAddr, variant: &str) -> anyhow::Result<Rush> {
    let mut buyers = Vec::new();
    for _ in 0..400 {
        let mut connection = Connection::open(address).await?;
        let cart = create_cart(&mut connection, &line(variant)).await?;
        let path = format!("/v1/carts/{cart}");
        let details = r#"{"email":"ada@example.com","shipping_option":"standard","shipping_address":{"name":"Ada","line1":"Street 1","city":"Venice","country":"IT"},"payment":{"provider":"test","token":"tok_ok"}}"#;
        connection.send("PATCH", &path, "", details).await?;
        buyers.push((connection, cart));
    }
    let started = Instant::now();
    let orders = buyers
        .iter_mut()
        .map(|(connection, cart)| place(connection, cart));
    let statuses = futures_util::future::try_join_all(orders).await?;
    let took = started.elapsed();
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    let (bought, refused) = (count(201), count(409));
    Ok(Rush {
        took,
        bought,
        refused,
        other: statuses.len() - bought - refused,
    })
}
