//! Products into a file, and back.

use product::ProductStatus;
use serde_json::{Value, json};
use testkit::{Client, TestShop};

use crate::create_product::shirt;
use crate::import_files::{SHOP, export, import, shown, traces};
use crate::stockroom::{Stockroom, line};

/// What staff can make that no file would have thought of.
async fn odd_products(admin: &Client) {
    let category = |name: &str, slug: &str, parent: Value| {
        let body = json!({"name": name, "slug": slug, "parent_id": parent});
        admin.post("/v1/categories", body)
    };
    let top = category("Sizes > 40; C:\\New", "x", Value::Null)
        .await
        .expect(201);
    let below = category("Mugs", "mugs-2", top["id"].clone())
        .await
        .expect(201);
    let mut odd = shirt();
    odd["title"] = json!("=1+1, \"quoted\"\u{a0}");
    odd["description"] = json!("first\r\n\r\nsecond, \"third\"\n");
    odd["category_ids"] = json!([below["id"], top["id"]]);
    odd["tags"] = json!(["b", "a", "ü"]);
    odd["status"] = json!("draft");
    odd["variants"][0]["inventory"] = json!("reserve_on_cart");
    odd["variants"][1]["inventory"] = json!("none");
    odd["variants"][1]["prices"] = json!([{"amount": 1, "currency": "KWD"}]);
    odd["variants"][1]["weight_grams"] = json!(0);
    admin.post("/v1/products", odd).await.expect(201);
}

#[tokio::test]
async fn there_and_back_is_the_same_file() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    import(&shop, SHOP).await;
    odd_products(&admin).await;
    let file = export(&shop, None).await;
    assert!(
        file.contains(",Sizes \\> 40\\; C:\\\\New > Mugs; "),
        "{file}"
    );
    assert!(file.contains(",0.001,"), "{file}");
    let before = traces(&shop).await;
    let empty = TestShop::start().await;
    assert_eq!(import(&empty, &file).await, (4, 0, 0));
    assert_eq!(export(&empty, None).await, file);
    // Where it comes from, it changes at most what cells cannot hold: spaces at their ends.
    assert_eq!(import(&shop, &file).await, (0, 1, 3));
    assert_eq!(export(&shop, None).await, file);
    assert_eq!(import(&shop, &file).await, (0, 0, 4));
    assert_eq!(
        traces(&shop).await[3..],
        before[3..],
        "stock, categories and locations are as before"
    );
}

#[tokio::test]
async fn what_is_exported_is_what_is_there() {
    let shop = TestShop::start().await;
    import(&shop, SHOP).await;
    let other = TestShop::start().await;
    import(&other, &export(&shop, None).await).await;
    let (mug, copy) = (shown(&shop, "mug").await, shown(&other, "mug").await);
    for field in [
        "title",
        "description",
        "vendor",
        "tags",
        "images",
        "options",
        "in_stock",
    ] {
        assert_eq!(mug[field], copy[field], "{field}");
    }
    for place in 0..2 {
        let (variant, copy) = (&mug["variants"][place], &copy["variants"][place]);
        for field in [
            "sku",
            "options",
            "inventory",
            "backorder",
            "available",
            "weight_grams",
        ] {
            assert_eq!(variant[field], copy[field], "{field}");
        }
    }
}

#[tokio::test]
async fn a_state_can_be_exported_alone() {
    let shop = TestShop::start().await;
    import(&shop, SHOP).await;
    let drafts = export(&shop, Some(ProductStatus::Draft)).await;
    assert_eq!(drafts.lines().count(), 2, "{drafts}");
    assert!(drafts.contains("\ncourse,Glass blowing,"), "{drafts}");
    assert!(
        !drafts.contains("USD"),
        "no draft has a price in dollars: {drafts}"
    );
    let empty = TestShop::start().await;
    import(&empty, &drafts).await;
    assert_eq!(export(&empty, Some(ProductStatus::Draft)).await, drafts);
}

#[tokio::test]
async fn pages_join_without_a_seam() {
    let shop = TestShop::start().await;
    let mut file = String::from("Handle,Title,Variant SKU\n");
    for number in 0..250 {
        file.push_str(&format!("p-{number},P,S-{number}\n"));
    }
    import(&shop, &file).await;
    let exported = export(&shop, None).await;
    let mut handles: Vec<&str> = exported
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').next())
        .collect();
    assert_eq!(handles.len(), 250);
    assert!(handles.is_sorted());
    handles.dedup();
    assert_eq!(handles.len(), 250);
}

#[tokio::test]
async fn what_was_sold_beyond_what_is_there_is_written_as_nothing() {
    let room = Stockroom::open().await;
    let variant = room.variant("reserve_on_order", true, 0).await;
    let order = room.holder();
    room.place(order, &[line(variant, 2)]).await;
    room.shop.settle().await;
    assert_eq!(room.stock(variant).await, (-2, 0));
    let file = export(&room.shop, None).await;
    assert!(file.ends_with(",active,0\n"), "{file}");
    assert_eq!(import(&room.shop, &file).await, (0, 0, 1));
    assert_eq!(room.stock(variant).await, (-2, 0));
    let empty = TestShop::start().await;
    import(&empty, &file).await;
    assert_eq!(export(&empty, None).await, file);
}
