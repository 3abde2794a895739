//! Products from a file.

use product::ImportSettings;
use serde_json::{Value, json};
use testkit::{TestShop, eur};

use crate::categories::{add, change};
use crate::import_files::{SHOP, import, import_with, set_stock, shown, traces, try_import, usual};
use crate::stockroom::Stockroom;

fn prices(variant: &Value) -> Vec<(String, i64)> {
    let prices = variant["prices"].as_array().expect("a list").iter();
    let price = |price: &Value| {
        let currency = price["currency"].as_str().expect("a code").to_owned();
        (currency, price["amount"].as_i64().expect("a number"))
    };
    prices.map(price).collect()
}

#[tokio::test]
async fn a_file_becomes_a_catalogue() {
    let shop = TestShop::start().await;
    assert_eq!(import(&shop, SHOP).await, (3, 0, 0));
    let mug = shown(&shop, "mug").await;
    assert_eq!(mug["title"], "Mug");
    let text = "<p>Holds \"tea\", and more.</p>\n<p>Made in Murano.</p>";
    assert_eq!(mug["description"], text);
    assert_eq!(mug["tags"], json!(["glass", "gift"]));
    let images = json!([
        {"url": "images/mugs.jpg", "alt": ""},
        {"url": "images/mug.jpg", "alt": "A mug"},
        {"url": "images/shelf.jpg", "alt": ""},
    ]);
    assert_eq!(mug["images"], images);
    let options = json!([
        {"name": "Size", "values": ["S", "M"]}, {"name": "Colour", "values": ["Blue"]},
    ]);
    assert_eq!(mug["options"], options);
    let [small, medium] = &mug["variants"].as_array().expect("a list")[..] else {
        panic!("two variants: {mug}");
    };
    assert_eq!(small["title"], "S / Blue");
    let expected = [
        ("EUR".into(), 1999),
        ("USD".into(), 2150),
        ("JPY".into(), 3200),
    ];
    let mut found = prices(small);
    found.sort_by_key(|(_, amount)| *amount);
    assert_eq!(found, expected);
    assert_eq!(small["prices"][0]["compare_at"], 2400);
    assert_eq!(
        (&small["weight_grams"], &small["barcode"]),
        (&json!(350), &json!("8001234567890"))
    );
    assert_eq!(
        (&small["available"], &medium["available"]),
        (&json!(8), &Value::Null)
    );
    assert_eq!(
        (&medium["backorder"], &medium["weight_grams"]),
        (&json!(true), &json!(410))
    );
    let bowl = shown(&shop, "bowl").await;
    assert_eq!(bowl["options"], json!([]));
    assert_eq!(bowl["variants"][0]["inventory"], "track");
    shop.client()
        .get("/v1/products/by-slug/course")
        .await
        .problem(404, "product.not_found");
}

#[tokio::test]
async fn stock_lies_where_the_file_says() {
    let room = Stockroom::open().await;
    import(&room.shop, SHOP).await;
    let mug = shown(&room.shop, "mug").await;
    let variant = mug["variants"][0]["id"]
        .as_str()
        .expect("an id")
        .parse()
        .expect("a variant");
    let view = room.view(variant).await;
    let levels: Vec<(&str, i64)> = view["locations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|level| {
            let name = level["name"].as_str().expect("a name");
            (name, level["on_hand"].as_i64().expect("a number"))
        })
        .collect();
    assert_eq!(levels, [("Rialto", 5), ("Mestre", 3)], "{view}");
    let ledger = room
        .staff
        .get(format!("/v1/inventory/{variant}/ledger"))
        .await
        .expect(200);
    assert_eq!(ledger["items"][0]["kind"], "received");
    assert_eq!(ledger["items"][0]["note"], "imported");
    room.check().await;
}

#[tokio::test]
async fn the_same_file_changes_nothing_again() {
    let shop = TestShop::start().await;
    import(&shop, SHOP).await;
    let (before, mug) = (traces(&shop).await, shown(&shop, "mug").await);
    shop.clock.advance(std::time::Duration::from_secs(60));
    for settings in [usual(), set_stock()] {
        assert_eq!(import_with(&shop, SHOP, settings).await, (0, 0, 3));
        assert_eq!(traces(&shop).await, before);
        assert_eq!(shown(&shop, "mug").await, mug);
    }
}

#[tokio::test]
async fn what_differs_is_changed_and_nothing_else() {
    let shop = TestShop::start().await;
    import(&shop, SHOP).await;
    let (before, mug) = (traces(&shop).await, shown(&shop, "mug").await);
    shop.clock.advance(std::time::Duration::from_secs(60));
    // The SKU of one variant, the size of another one, and the order of both.
    let file = "Handle,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant SKU,\
                Variant Price\n\
                mug,Size,L,Colour,Blue,MUG-M-BLUE,22.50\n\
                mug,,S,,Blue,MUG-SMALL,18.00\n";
    assert_eq!(import(&shop, file).await, (0, 1, 0));
    let after = shown(&shop, "mug").await;
    assert_eq!(after["version"], 2);
    assert_eq!(
        after["description"], mug["description"],
        "what has no column stays"
    );
    assert_eq!(after["options"][0]["values"], json!(["S", "L"]));
    let (was, is) = (&mug["variants"], &after["variants"]);
    assert_eq!((&is[0]["id"], &is[1]["id"]), (&was[1]["id"], &was[0]["id"]));
    assert_eq!(is[1]["sku"], "MUG-SMALL");
    assert_eq!(is[1]["prices"][0]["amount"], 1800);
    assert_eq!(is[1]["prices"][0]["compare_at"], 2400);
    assert_eq!(prices(&is[1]).len(), 3, "other currencies stay");
    let [versions, events, ..] = traces(&shop).await;
    assert_eq!((versions, events), (before[0] + 1, before[1] + 1));
}

#[tokio::test]
async fn variants_that_the_file_does_not_have_are_removed() {
    let shop = TestShop::start().await;
    import(&shop, SHOP).await;
    let file = "Handle,Variant SKU,Variant Price\nmug,MUG-S-BLUE,19.99\n";
    assert_eq!(import(&shop, file).await, (0, 1, 0));
    let mug = shown(&shop, "mug").await;
    assert_eq!(mug["variants"].as_array().map(Vec::len), Some(1));
    assert_eq!(mug["options"][0]["values"], json!(["S"]));
    // A file that has nothing of variants leaves them alone.
    assert_eq!(import(&shop, "Handle,Title\nmug,Cup\n").await, (0, 1, 0));
    assert_eq!(shown(&shop, "mug").await["variants"], mug["variants"]);
}

#[tokio::test]
async fn a_variant_without_an_sku_gets_one_and_keeps_it() {
    let shop = TestShop::start().await;
    let file = "Handle,Title,Option1 Name,Option1 Value,Variant Price\n\
                vase,Vase,Colour,Deep blue,10\nvase,,,Rubino,11\njar,Jar,Title,Default Title,5\n";
    assert_eq!(import(&shop, file).await, (2, 0, 0));
    assert_eq!(import(&shop, file).await, (0, 0, 2));
    let vase = shown(&shop, "vase").await;
    assert_eq!(vase["variants"][0]["sku"], "VASE-DEEP-BLUE");
    assert_eq!(shown(&shop, "jar").await["variants"][0]["sku"], "JAR");
    // Neither another price nor another name of the option makes it another variant.
    let other = file.replace("10", "12").replace("Colour", "Color");
    assert_eq!(import(&shop, &other).await, (0, 1, 1));
    let after = shown(&shop, "vase").await;
    assert_eq!(
        after["variants"][0]["options"],
        json!({"Color": "Deep blue"})
    );
    for place in 0..2 {
        let (was, is) = (&vase["variants"][place], &after["variants"][place]);
        assert_eq!(was["id"], is["id"]);
    }
}

#[tokio::test]
async fn what_was_sold_does_not_come_back() {
    let shop = TestShop::start().await;
    import(&shop, SHOP).await;
    let admin = shop.admin().await;
    let mug = shown(&shop, "mug").await;
    let id = mug["variants"][0]["id"].as_str().expect("an id");
    let guest = shop.guest("ada@example.com");
    let product = testkit::Product {
        id: mug["id"].as_str().expect("an id").to_owned(),
        variant_id: id.to_owned(),
        slug: "mug".to_owned(),
        view: mug.clone(),
    };
    assert_eq!(guest.buys(&product, 6).await.status, 201);
    shop.settle().await;
    let on_hand = async || {
        let path = format!("/v1/inventory/{id}");
        admin.get(path).await.expect(200)["on_hand"].as_i64()
    };
    assert_eq!(on_hand().await, Some(2));
    assert_eq!(import(&shop, SHOP).await, (0, 0, 3));
    assert_eq!(on_hand().await, Some(2));
    // Whoever has counted says so.
    shop.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(import_with(&shop, SHOP, set_stock()).await, (0, 0, 3));
    assert_eq!(on_hand().await, Some(8));
    let ledger = admin
        .get(format!("/v1/inventory/{id}/ledger"))
        .await
        .expect(200);
    assert_eq!(ledger["items"][0]["kind"], "corrected");
}

#[tokio::test]
async fn what_is_set_aside_cannot_be_counted_away() {
    let room = Stockroom::open().await;
    import(&room.shop, SHOP).await;
    let mug = shown(&room.shop, "mug").await;
    let variant = mug["variants"][0]["id"]
        .as_str()
        .expect("an id")
        .parse()
        .expect("a variant");
    let line = crate::stockroom::line(variant, 8);
    room.reserve(room.holder(), &[line])
        .await
        .expect("there are eight");
    let file = "Handle,Variant SKU,Inventory Qty / Mestre\nmug,MUG-S-BLUE,2\nbowl,BOWL,4\n";
    let (done, told) = try_import(&room.shop, file.as_bytes(), set_stock()).await;
    let done = done.expect("the file is read");
    assert_eq!((done.rejected, done.unchanged, done.stock_set), (1, 1, 1));
    let told = &told.rejections[0];
    assert_eq!(
        (told.line, told.column.as_deref()),
        (2, Some("Inventory Qty / Mestre"))
    );
    assert_eq!(told.reason, "3 are set aside for orders and carts");
    assert_eq!(room.stock(variant).await, (8, 8));
    room.check().await;
}

#[tokio::test]
async fn categories_are_made_once_and_found_again() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let home = add(&admin, "home", None).await;
    let file = "Handle,Title,Product Category,Type\n\
                a,A,Home > Kitchen,Mugs\nb,B,Garden > Kitchen,\nc,C,,Home > Kitchen\nd,D,食器,\n";
    assert_eq!(import(&shop, file).await, (4, 0, 0));
    let tree = shop.client().get("/v1/categories").await.expect(200);
    let slugs = |nodes: &Value| -> Vec<String> {
        let nodes = nodes.as_array().expect("a list").iter();
        nodes
            .filter_map(|node| Some(node["slug"].as_str()?.to_owned()))
            .collect()
    };
    // Category names of the helper are its slugs: the file finds `home` by its slug.
    assert_eq!(slugs(&tree["items"]), ["garden", "home", "98df-5668"]);
    let kitchens = [&tree["items"][0]["children"], &tree["items"][1]["children"]].map(slugs);
    assert_eq!(kitchens, [["garden-kitchen"], ["kitchen"]]);
    let below_home = format!("/v1/products?category_id={home}");
    let listed = shop.client().get(&below_home).await.expect(200);
    assert_eq!(
        listed["items"].as_array().map(Vec::len),
        Some(2),
        "{listed}"
    );
    // Renamed by staff, they are still the same.
    let kitchen = tree["items"][1]["children"][0]["id"]
        .as_str()
        .expect("an id");
    change(&admin, kitchen, json!({"name": "Cooking"}))
        .await
        .expect(200);
    assert_eq!(import(&shop, file).await, (0, 0, 4));
}

#[tokio::test]
async fn a_category_that_nobody_needs_is_not_made() {
    let shop = TestShop::start().await;
    shop.product("mug").price(eur(1)).create().await;
    let sku = shown(&shop, "mug").await["variants"][0]["sku"].clone();
    let sku = sku.as_str().expect("an SKU");
    let file = format!(
        "Handle,Title,Product Category,Variant SKU\n\
         a,A,Home > Mugs,{sku}\nb,B,Home > Bowls,B\n"
    );
    let (done, _) = try_import(&shop, file.as_bytes(), usual()).await;
    let done = done.expect("the file is read");
    assert_eq!((done.added, done.rejected), (1, 1));
    let tree = shop.client().get("/v1/categories").await.expect(200);
    let home = &tree["items"][0];
    assert_eq!(home["slug"], "home");
    assert_eq!(home["children"].as_array().map(Vec::len), Some(1), "{tree}");
}

#[tokio::test]
async fn a_dry_run_tells_everything_and_does_nothing() {
    let shop = TestShop::start().await;
    let before = traces(&shop).await;
    let dry = ImportSettings {
        dry_run: true,
        ..usual()
    };
    let file = format!("{SHOP}jug,Jug,,,,,,,,,,JUG,,,,9.999,,,,,,,,,,,\n");
    let (done, told) = try_import(&shop, file.as_bytes(), dry).await;
    let done = done.expect("the file is read");
    assert_eq!((done.added, done.rejected), (3, 1));
    assert_eq!(told.rejections[0].column.as_deref(), Some("Variant Price"));
    assert_eq!(traces(&shop).await, before);
}

#[tokio::test]
async fn an_archived_product_is_restored_by_its_status_only() {
    let shop = TestShop::start().await;
    import(&shop, SHOP).await;
    import(&shop, "Handle,Status\nmug,archived\n").await;
    let told = crate::import_files::rejections(&shop, "Handle,Title\nmug,Cup\n").await;
    assert!(
        told[0].starts_with("2 -: the product is archived"),
        "{told:?}"
    );
    import(&shop, "Handle,Title,Status\nmug,Cup,active\n").await;
    assert_eq!(shown(&shop, "mug").await["title"], "Cup");
}

#[tokio::test]
async fn two_imports_at_once_do_what_one_does() {
    let shop = TestShop::start().await;
    let mut file =
        String::from("Handle,Title,Product Category,Variant SKU,Inventory Qty / Rialto\n");
    for number in 0..450 {
        file.push_str(&format!(
            "p-{number},P,Home > {},S-{number},1\n",
            number % 7
        ));
    }
    let (one, other) = tokio::join!(
        try_import(&shop, file.as_bytes(), usual()),
        try_import(&shop, file.as_bytes(), usual()),
    );
    let (one, other) = (one.0.expect("imported"), other.0.expect("imported"));
    assert_eq!((one.rejected, other.rejected), (0, 0));
    assert_eq!(one.added + other.added, 450);
    let [versions, events, _, ledger, categories, locations] = traces(&shop).await;
    assert_eq!((versions, events, ledger), (450, 450, 450));
    assert_eq!((categories, locations), (8, 1));
}
