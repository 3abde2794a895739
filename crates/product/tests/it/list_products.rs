//! `GET /v1/products`.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel::Timestamp;
use serde_json::{Value, json};
use testkit::{Client, TestShop};

use crate::categories;

/// A generator that needs no more than to be the same every time (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).expect("less than sides")
    }

    pub(crate) fn one_of<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.roll(list.len())].clone()
    }
}

const NAMES: [(&str, &str); 8] = [
    ("Étagère", "etagere"),
    ("etagere", "etagere"),
    ("Ångström", "angstrom"),
    ("apple", "apple"),
    ("Zebra", "zebra"),
    ("10 mugs", "10 mugs"),
    ("MUG", "mug"),
    ("mug", "mug"),
];
const CURRENCIES: [&str; 3] = ["EUR", "USD", "JPY"];
const SORTS: [&str; 4] = ["newest", "name", "price", "-price"];
const STATUSES: [&str; 3] = ["draft", "active", "archived"];

/// A catalogue in memory, listed the simple way.
pub(crate) struct Naive {
    products: BTreeMap<String, NaiveProduct>,
    parents: BTreeMap<String, Option<String>>,
}

#[derive(Debug, Clone)]
struct NaiveProduct {
    title: usize,
    status: &'static str,
    categories: Vec<String>,
    prices: BTreeMap<&'static str, i64>,
    in_stock: bool,
    created_at: Timestamp,
    etag: String,
}

#[derive(Debug, Default)]
pub(crate) struct Question {
    category: Option<String>,
    currency: Option<&'static str>,
    price_min: Option<i64>,
    price_max: Option<i64>,
    in_stock: Option<bool>,
    pub(crate) status: &'static str,
    sort: &'static str,
}

impl Naive {
    fn lies_in(&self, product: &NaiveProduct, category: &str) -> bool {
        let mut open: Vec<&str> = product.categories.iter().map(String::as_str).collect();
        while let Some(next) = open.pop() {
            if next == category {
                return true;
            }
            open.extend(self.parents[next].as_deref());
        }
        false
    }

    /// The ids that the question asks for, in order.
    pub(crate) fn answer(&self, question: &Question) -> Vec<String> {
        let price = |product: &NaiveProduct| match question.currency {
            None => Some(0),
            Some(currency) => product.prices.get(currency).copied(),
        };
        let wanted = |product: &NaiveProduct| {
            let Some(price) = price(product) else {
                return false;
            };
            product.status == question.status
                && question
                    .in_stock
                    .is_none_or(|wanted| wanted == product.in_stock)
                && question.price_min.is_none_or(|least| price >= least)
                && question.price_max.is_none_or(|most| price <= most)
                && (question.category.iter()).all(|category| self.lies_in(product, category))
        };
        let mut found: Vec<(&String, &NaiveProduct)> = self
            .products
            .iter()
            .filter(|(_, product)| wanted(product))
            .collect();
        match question.sort {
            "newest" => {
                found.sort_by_key(|(id, product)| (product.created_at, *id));
                found.reverse();
            }
            "name" => found.sort_by_key(|(id, product)| (NAMES[product.title].1, *id)),
            "price" => found.sort_by_key(|(id, product)| (price(product), *id)),
            _ => {
                found.sort_by_key(|(id, product)| (price(product), *id));
                found.reverse();
            }
        }
        found.into_iter().map(|(id, _)| id.clone()).collect()
    }
}

impl Question {
    pub(crate) fn random(dice: &mut Dice, naive: &Naive) -> Self {
        let categories: Vec<&String> = naive.parents.keys().collect();
        let sort = dice.one_of(&SORTS);
        let by_price = sort.ends_with("price") || dice.roll(3) == 0;
        let bound = |dice: &mut Dice| {
            let price = i64::try_from(dice.roll(60)).expect("small");
            (by_price && dice.roll(2) == 0).then_some(price)
        };
        Self {
            category: (dice.roll(3) > 0).then(|| dice.one_of(&categories).clone()),
            currency: (by_price || dice.roll(2) == 0).then(|| dice.one_of(&CURRENCIES)),
            price_min: bound(dice),
            price_max: bound(dice),
            in_stock: [None, None, Some(true), Some(false)][dice.roll(4)],
            status: if dice.roll(4) == 0 {
                dice.one_of(&STATUSES)
            } else {
                "active"
            },
            sort,
        }
    }

    pub(crate) fn query(&self) -> String {
        let mut query = format!("/v1/products?status={}&sort={}", self.status, self.sort);
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                query.push_str(&format!("&{name}={value}"));
            }
        };
        add("category_id", self.category.clone());
        add("currency", self.currency.map(ToOwned::to_owned));
        add("price_min", self.price_min.map(|price| price.to_string()));
        add("price_max", self.price_max.map(|price| price.to_string()));
        add("in_stock", self.in_stock.map(|wanted| wanted.to_string()));
        query
    }
}

/// The ids of all pages.
pub(crate) async fn all_pages(client: &Client, query: &str, limit: usize) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("{query}&limit={limit}{cursor}");
        let page = client.get(path).await.expect(200);
        let items = page["items"].as_array().expect("a list");
        assert!(items.len() <= limit);
        ids.extend(
            items
                .iter()
                .map(|item| item["id"].as_str().expect("an id").to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
        assert!(!items.is_empty(), "only the last page may be short");
    }
}

/// What a product is made of, at random, as a body and as the naive catalogue keeps it.
fn random_product(dice: &mut Dice, naive: &Naive, number: usize) -> (Value, NaiveProduct) {
    let categories: Vec<String> = naive.parents.keys().cloned().collect();
    let mut product = NaiveProduct {
        title: dice.roll(NAMES.len()),
        status: dice.one_of(&STATUSES[..2]),
        categories: Vec::new(),
        prices: BTreeMap::new(),
        in_stock: dice.roll(2) == 0,
        created_at: Timestamp::from_micros(0),
        etag: String::new(),
    };
    for _ in 0..dice.roll(3) {
        let category = dice.one_of(&categories);
        if !product.categories.contains(&category) {
            product.categories.push(category);
        }
    }
    let mut variants = Vec::new();
    for variant in 0..1 + dice.roll(2) {
        let mut prices = Vec::new();
        for currency in CURRENCIES {
            if dice.roll(4) > 0 {
                let price = i64::try_from(dice.roll(50)).expect("small");
                prices.push(json!({"amount": price, "currency": currency}));
                let least = product.prices.entry(currency).or_insert(price);
                *least = price.min(*least);
            }
        }
        variants.push(json!({
            "sku": format!("SKU-{number}-{variant}-{}", dice.roll(1_000_000)),
            "prices": prices,
            "options": {"No": variant.to_string()},
            "inventory": if product.in_stock { "none" } else { "reserve_on_order" },
        }));
    }
    let body = json!({
        "slug": format!("product-{number}"),
        "title": NAMES[product.title].0,
        "status": product.status,
        "category_ids": product.categories,
        "options": [{"name": "No", "values": ["0", "1"]}],
        "variants": variants,
    });
    (body, product)
}

pub(crate) struct World {
    pub(crate) shop: TestShop,
    pub(crate) admin: Client,
    pub(crate) naive: Naive,
    pub(crate) dice: Dice,
}

impl World {
    pub(crate) async fn start(seed: u64) -> Self {
        let shop = TestShop::start().await;
        let admin = shop.admin().await;
        let (mut dice, mut parents) = (Dice(seed), BTreeMap::new());
        for number in 0..10 {
            let known: Vec<String> = parents.keys().cloned().collect();
            let parent = (dice.roll(4) > 0 && !known.is_empty()).then(|| dice.one_of(&known));
            let slug = format!("category-{number}");
            let id = categories::add(&admin, &slug, parent.as_deref()).await;
            parents.insert(id, parent);
        }
        let naive = Naive {
            products: BTreeMap::new(),
            parents,
        };
        Self {
            shop,
            admin,
            naive,
            dice,
        }
    }

    pub(crate) async fn create(&mut self, number: usize) {
        let (body, mut product) = random_product(&mut self.dice, &self.naive, number);
        let answer = self.admin.post("/v1/products", body).await;
        product.etag = answer.etag();
        let view = answer.expect(201);
        product.created_at = serde_json::from_value(view["created_at"].clone()).expect("a time");
        let id = view["id"].as_str().expect("an id").to_owned();
        self.naive.products.insert(id, product);
        if self.dice.roll(2) == 0 {
            self.shop.clock.advance(Duration::from_millis(1));
        }
    }

    pub(crate) async fn change(&mut self) {
        let ids: Vec<String> = self.naive.products.keys().cloned().collect();
        let id = self.dice.one_of(&ids);
        let (mut body, new) = random_product(&mut self.dice, &self.naive, 0);
        let object = body.as_object_mut().expect("an object");
        object.remove("slug");
        let product = self.naive.products.get_mut(&id).expect("known");
        let path = format!("/v1/products/{id}");
        if self.dice.roll(5) == 0 && product.status != "archived" {
            let archive = self.admin.post(format!("{path}/archive"), json!({}));
            let answer = archive.if_match(&product.etag).await;
            product.etag = answer.etag();
            product.status = "archived";
            answer.expect(200);
            return;
        }
        let answer = self.admin.patch(path, body).if_match(&product.etag).await;
        *product = NaiveProduct {
            created_at: product.created_at,
            etag: answer.etag(),
            ..new
        };
        answer.expect(200);
    }

    pub(crate) async fn move_category(&mut self) {
        let ids: Vec<String> = self.naive.parents.keys().cloned().collect();
        let id = self.dice.one_of(&ids);
        let parent = (self.dice.roll(4) > 0).then(|| self.dice.one_of(&ids));
        let answer = categories::change(&self.admin, &id, json!({"parent_id": parent})).await;
        // Circles are refused, and change nothing.
        if answer.status == 200 {
            self.naive.parents.insert(id, parent);
        } else {
            answer.problem(409, "product.bad_category_tree");
        }
    }
}

/// Lists are what filtering and sorting everything would give, whatever happened before.
#[tokio::test]
async fn a_list_is_what_filtering_and_sorting_would_give() {
    for seed in [1, 2, 3] {
        let mut world = World::start(seed).await;
        for number in 0..40 {
            world.create(number).await;
        }
        for step in 0..60 {
            match world.dice.roll(4) {
                0 => world.move_category().await,
                1 | 2 => world.change().await,
                _ => {}
            }
            let question = Question::random(&mut world.dice, &world.naive);
            let limit = 1 + world.dice.roll(9);
            let listed = all_pages(&world.admin, &question.query(), limit).await;
            let expected = world.naive.answer(&question);
            assert_eq!(listed, expected, "seed {seed}, step {step}: {question:?}");
        }
    }
}

#[tokio::test]
async fn a_list_shows_summaries() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let created = admin
        .post("/v1/products", crate::create_product::shirt())
        .await;
    let created = created.expect(201);
    let page = shop.client().get("/v1/products").await;
    let cache = page.header("cache-control").expect("one").to_owned();
    assert!(cache.starts_with("public"));
    let expected = json!({
        "items": [{
            "id": created["id"],
            "slug": "shirt",
            "title": "Linen shirt",
            "vendor": "Filatura",
            "status": "active",
            "image": {"url": "images/shirt.jpg", "alt": "A white shirt"},
            "prices": [
                {"amount": 5900, "currency": "EUR", "compare_at": 6900, "highest": 6400},
                {"amount": 9800, "currency": "JPY", "highest": 9800},
            ],
            "created_at": "2026-01-01T12:00:00Z",
            "in_stock": true,
        }],
        "next_cursor": null,
    });
    assert_eq!(page.expect(200), expected);
}

#[tokio::test]
async fn only_staff_list_what_is_not_in_the_shop() {
    let shop = TestShop::start().await;
    let ask = |client: &Client, status| client.get(format!("/v1/products?status={status}"));
    let (admin, customer) = (shop.admin().await, shop.customer("ada").await.client);
    ask(shop.client(), "active").await.expect(200);
    for status in ["draft", "archived"] {
        let nobody = ask(shop.client(), status).await;
        nobody.problem(401, "auth.required");
        ask(&customer, status).await.problem(403, "auth.forbidden");
        let list = ask(&admin, status).await;
        assert_eq!(list.header("cache-control"), Some("no-store"));
        list.expect(200);
    }
}

#[tokio::test]
async fn questions_that_make_no_sense_are_refused() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    for slug in ["a", "b", "c"] {
        shop.product(slug).create_as(&admin).await;
    }
    let ask = |query: &str| shop.client().get(format!("/v1/products?{query}"));
    for (query, pointer) in [
        ("sort=price", "currency"),
        ("price_max=5", "currency"),
        ("currency=EUR&price_min=-1", "price_min"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("sort=best", "sort"),
        ("currency=XAU", "currency"),
        ("category_id=mugs", "category_id"),
        ("colour=red", "colour"),
    ] {
        let problem = ask(query).await.problem(422, "request.invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}");
    }
    let page = ask("limit=2&sort=name").await.expect(200);
    let cursor = page["next_cursor"].as_str().expect("a next page");
    let next = ask(&format!("limit=1&sort=name&cursor={cursor}")).await;
    assert_eq!(
        next.expect(200)["items"][0]["slug"],
        "c",
        "another size is no other list"
    );
    let other = ask(&format!("limit=2&sort=newest&cursor={cursor}")).await;
    other.problem(400, "request.bad_cursor");
    let forged = ask("cursor=AAAA").await;
    forged.problem(400, "request.bad_cursor");
}

/// The promise of speed: one statement, however long the page is.
#[tokio::test]
async fn a_list_costs_one_statement() {
    let shop = TestShop::builder().calm_bus().start().await;
    let admin = shop.admin().await;
    for number in 0..30 {
        shop.product(&format!("mug-{number}"))
            .create_as(&admin)
            .await;
    }
    let metric =
        "rialto_http_statements_total{role=\"product\",route=\"/v1/products\",method=\"GET\"";
    let before = shop.metric(metric).await;
    let list = shop
        .client()
        .get("/v1/products?currency=EUR&sort=price&limit=30");
    assert_eq!(
        list.await.expect(200)["items"].as_array().map(Vec::len),
        Some(30)
    );
    assert_eq!(shop.metric(metric).await - before, 1);
}
