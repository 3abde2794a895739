//! How the index of an instance keeps up: with what it changes itself, with what others change,
//! and what is shown while it has not.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{TestShop, TestShopBuilder};

use crate::categories;
use crate::search_words::{Shelf, slugs};

/// A shop whose index does not look for changes of others by itself.
fn without_looking() -> TestShopBuilder {
    TestShop::builder().set("product.search_poll", "24h")
}

/// Asks until the search finds `slug`. No sleeps: the answers take their time.
async fn until_found(shelf: &Shelf, query: &str, slug: &str) {
    let found = async {
        while !slugs(&shelf.search(query).await).contains(&slug.to_owned()) {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), found).await;
    in_time.unwrap_or_else(|_| panic!("{slug} is found"));
}

#[tokio::test]
async fn a_change_is_found_without_waiting_for_the_next_look() {
    let shelf = Shelf::of(without_looking().start().await).await;
    let id = shelf.put("mug", json!({"title": "Mug"})).await;
    until_found(&shelf, "q=mug", "mug").await;
    shelf.change(&id, json!({"title": "Cup"})).await;
    until_found(&shelf, "q=cup", "mug").await;
    assert_eq!(slugs(&shelf.search("q=mug").await), [""; 0]);
}

#[tokio::test]
async fn every_instance_finds_what_one_of_them_has_changed() {
    let one = Shelf::open().await;
    let mug = one.put("mug", json!({"title": "Mug"})).await;
    let looking = TestShop::builder().set("product.search_poll", "20ms");
    let other = looking.database(one.shop.database().clone()).start().await;
    let other = Shelf::of(other).await;
    until_found(&one, "q=mug", "mug").await;
    until_found(&other, "q=mug", "mug").await;
    other.put("plate", json!({"title": "Plate"})).await;
    one.change(&mug, json!({"title": "Cup"})).await;
    for shelf in [&one, &other] {
        until_found(shelf, "q=plate", "plate").await;
        until_found(shelf, "q=cup", "mug").await;
    }
}

/// Two instances whose requests alternate show one list: a page of one continues with the other.
#[tokio::test]
async fn a_page_of_one_instance_continues_with_another_one() {
    let one = Shelf::open().await;
    let other = TestShop::builder().database(one.shop.database().clone());
    let other = Shelf::of(other.start().await).await;
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(
            one.put(&format!("mug-{number}"), json!({"title": "Blue mug"}))
                .await,
        );
        one.shop.settle().await;
    }
    // One of them has seen every step, the other one only the last.
    for id in &ids[..12] {
        one.change(id, json!({"title": "Mug, light blue"})).await;
        one.shop.settle().await;
    }
    other.shop.settle().await;
    let whole = slugs(&one.search("q=blue&limit=100").await);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for turn in 0.. {
        let shelf = [&one, &other][turn % 2];
        let page = shelf.search(&format!("q=blue&limit=3{cursor}")).await;
        seen.extend(slugs(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, whole);
}

/// Items are read when they are shown: an index that is behind has old places, never old prices.
#[tokio::test]
async fn what_is_shown_is_never_old() {
    let one = Shelf::open().await;
    let mug = one.put("mug", json!({"title": "Mug"})).await;
    let gone = one.put("gone", json!({"title": "Mug"})).await;
    let behind = without_looking()
        .database(one.shop.database().clone())
        .start()
        .await;
    let behind = Shelf::of(behind).await;
    behind.shop.settle().await;
    let variants = one.admin.get(format!("/v1/products/{mug}")).await.ok()["variants"].clone();
    let variant = json!({
        "id": variants[0]["id"], "sku": "NO-mug-00", "inventory": "reserve_on_order",
        "prices": [{"amount": 777, "currency": "EUR"}],
    });
    one.change(&mug, json!({"title": "Cup", "variants": [variant]}))
        .await;
    one.change(&gone, json!({"status": "draft"})).await;
    let found = behind.search("q=mug").await;
    assert_eq!(found["total"], 2, "the index is behind");
    assert_eq!(slugs(&found), ["mug"]);
    let item = &found["items"][0];
    assert_eq!(
        (&item["title"], &item["in_stock"]),
        (&json!("Cup"), &json!(false))
    );
    assert_eq!(item["prices"][0]["amount"], 777);
    behind.shop.settle().await;
    assert_eq!(behind.search("q=mug").await["total"], 0);
    assert_eq!(slugs(&behind.search("q=cup").await), ["mug"]);
}

#[tokio::test]
async fn stock_that_comes_and_goes_is_followed() {
    let shelf = Shelf::open().await;
    let mug = shelf.shop.product("mug").create_as(&shelf.admin).await;
    let adjust = async |delta: i64| {
        let path = format!("/v1/inventory/{}/adjustments", mug.variant_id);
        let body = json!({"delta": delta, "reason": "corrected"});
        shelf.admin.post(path, body).await.expect(200);
        shelf.shop.settle().await;
    };
    shelf.shop.settle().await;
    let both = async || {
        let found = shelf.search("q=mug&in_stock=true").await;
        let missing = shelf.search("q=mug&in_stock=false").await;
        (found["total"].clone(), missing["total"].clone())
    };
    assert_eq!(both().await, (json!(0), json!(1)));
    adjust(1).await;
    assert_eq!(both().await, (json!(1), json!(0)));
    adjust(-1).await;
    assert_eq!(both().await, (json!(0), json!(1)));
}

#[tokio::test]
async fn categories_that_move_or_change_their_names_are_followed() {
    let shelf = Shelf::open().await;
    let home = categories::add(&shelf.admin, "home", None).await;
    let garden = categories::add(&shelf.admin, "garden", None).await;
    let pots = categories::add(&shelf.admin, "pots", Some(&home)).await;
    shelf.put("a", json!({"category_ids": [pots]})).await;
    shelf.shop.settle().await;
    let found = async |query: String| slugs(&shelf.search(&query).await).len();
    assert_eq!(found(format!("category_id={home}")).await, 1);
    assert_eq!(found(String::from("q=home")).await, 1);
    let change = async |id: &str, body: Value| {
        categories::change(&shelf.admin, id, body).await.expect(200);
        shelf.shop.settle().await;
    };
    change(&pots, json!({"parent_id": garden})).await;
    assert_eq!(found(format!("category_id={home}")).await, 0);
    assert_eq!(found(format!("category_id={garden}")).await, 1);
    assert_eq!(found(String::from("q=garden")).await, 1);
    change(&garden, json!({"name": "Terrace"})).await;
    assert_eq!(found(String::from("q=terrace")).await, 1);
    assert_eq!(found(String::from("q=garden")).await, 0);
}
