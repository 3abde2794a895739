//! `rialto serve --demo`: a shop to try.

use platform::testing::TestDatabase;
use rialto::Role;
use rustix::process::Signal;
use serde_json::{Value, json};
use testkit::TestShop;

use crate::program::{Served, run};

/// The whole catalogue of a database.
fn exported(url: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let database = format!("database.url={url}");
    run(folder.path(), &["export", "products", "--set", &database])
        .exits(0)
        .out
}

#[tokio::test]
async fn the_shop_has_goods_once_it_says_where_it_is() {
    let (folder, database) = (
        tempfile::tempdir().expect("a folder"),
        TestDatabase::create().await,
    );
    let url = format!("database.url={}", database.url());
    let arguments = ["--demo", "--listen", "127.0.0.1:0", "--set", &url];
    let served = Served::start(folder.path(), &arguments);
    let shop = served.address("shop");
    let page = shop
        .get("/v1/products?limit=100&currency=JPY&in_stock=true")
        .await
        .expect(200);
    assert_eq!(page["items"].as_array().map(Vec::len), Some(100), "{page}");
    let mug = shop
        .get("/v1/products/by-slug/breakfast-mug-alba")
        .await
        .expect(200);
    let line = json!({"variant_id": mug["variants"][0]["id"], "quantity": 1});
    let cart = json!({"currency": "EUR", "lines": [line], "promotion_codes": ["WELCOME"]});
    let quote = shop.post("/v1/quotes", cart).await.expect(200);
    assert_eq!(quote["totals"]["discount"]["amount"], 180, "{quote}");
    let home = shop.get("/v1/home").await.expect(200);
    let news = home["feed"]["items"].as_array().expect("a list");
    assert_eq!(news.len(), 3, "{home}");
    let shown = news
        .iter()
        .filter_map(|post| post["product_ids"].as_array());
    let shown: Vec<&Value> = shown.flatten().collect();
    assert_eq!(shown, [&mug["id"]], "{home}");
    assert_eq!(served.stop(Signal::TERM).0, 0);

    let goods = exported(database.url());
    let again = Served::start(folder.path(), &arguments);
    again.address("shop").get("/v1/products").await.expect(200);
    let (_, log) = again.stop(Signal::TERM);
    assert!(!log.contains("the catalogue was filled"), "{log}");
    assert_eq!(exported(database.url()), goods);
}

#[tokio::test]
async fn product_alone_is_enough_for_goods() {
    let (folder, database) = (
        tempfile::tempdir().expect("a folder"),
        TestDatabase::create().await,
    );
    // It would ask the user service for keys, but nobody comes with a token.
    let configuration = format!(
        "[database]\nurl = \"{}\"\n[internal]\nlisten = \"127.0.0.1:0\"\n\
         key = \"the same long random text in each process\"\n\
         [peers]\nuser = [\"http://127.0.0.1:1\"]\n",
        database.url()
    );
    std::fs::write(folder.path().join("rialto.toml"), configuration).expect("written");
    let served = Served::start(folder.path(), &["--role", "product", "--demo"]);
    assert_eq!(served.stop(Signal::TERM).0, 0);
    assert!(exported(database.url()).lines().count() > 1_000);
}

#[tokio::test]
async fn a_shop_with_goods_stays_as_it_is() {
    let shop = TestShop::start().await;
    shop.product("mug").create().await;
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("database.url={}", shop.database().url());
    let served = Served::start(
        folder.path(),
        &["--demo", "--listen", "127.0.0.1:0", "--set", &url],
    );
    let page = served.address("shop").get("/v1/products").await.expect(200);
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1));
    drop(served);
}

#[tokio::test]
async fn the_goods_are_a_whole_shop() {
    let shop = TestShop::start().await;
    let goods = std::fs::read(crate::sources::root().join("data/demo-products.csv"));
    let goods = goods.expect("the file is there");
    let settings = product::ImportSettings {
        currency: kernel::Currency::EUR,
        stock: product::ImportStock::New,
        dry_run: false,
    };
    let mut told = Told(Vec::new());
    let db = shop.db(Role::Product);
    let done = product::import_products(db, &goods[..], &settings, &mut told).await;
    let done = done.expect("imported");
    assert!(told.0.is_empty(), "{:?}", told.0);
    assert!(done.added >= 300 && done.lines >= 1_000, "{done:?}");
    assert!(done.ignored_columns.is_empty());
    let tree = shop.client().get("/v1/categories").await.expect(200);
    assert!(
        depths(&tree["items"]).iter().all(|depth| *depth == 3),
        "{tree}"
    );
    let drafts = "/v1/products?status=draft";
    let drafts = shop.admin().await.get(drafts).await.expect(200);
    assert!(!drafts["items"].as_array().expect("a list").is_empty());
    let sold_out = shop
        .client()
        .get("/v1/products?in_stock=false")
        .await
        .expect(200);
    assert!(!sold_out["items"].as_array().expect("a list").is_empty());
}

/// How deep each leaf of the tree lies.
fn depths(nodes: &Value) -> Vec<usize> {
    let nodes = nodes.as_array().expect("a list").iter();
    let below = nodes.flat_map(|node| match depths(&node["children"]) {
        leaf if leaf.is_empty() => vec![1],
        below => below.iter().map(|depth| depth + 1).collect(),
    });
    below.collect()
}

struct Told(Vec<product::Rejection>);

impl product::Watch for Told {
    fn rejected(&mut self, rejection: &product::Rejection) {
        self.0.push(rejection.clone());
    }

    fn progress(&mut self, _: u64, _: &product::ImportSummary) {}
}
