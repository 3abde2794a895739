//! What words find, and in which order.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use testkit::{Client, TestShop};

/// A shop whose catalogue is set up product by product.
pub(crate) struct Shelf {
    pub(crate) shop: TestShop,
    pub(crate) admin: Client,
}

impl Shelf {
    pub(crate) async fn open() -> Self {
        Self::of(TestShop::start().await).await
    }

    pub(crate) async fn of(shop: TestShop) -> Self {
        let admin = shop.admin().await;
        Self { shop, admin }
    }

    /// Creates a product, younger than all before, with these fields; its id.
    pub(crate) async fn put(&self, slug: &str, change: Value) -> String {
        self.shop.clock.advance(Duration::from_millis(1));
        let mut body = json!({
            "slug": slug,
            "title": slug,
            "status": "active",
            "variants": [{
                "sku": format!("NO-{slug}-00"),
                "prices": [{"amount": 1000, "currency": "EUR"}],
                "inventory": "none",
            }],
        });
        let fields = body.as_object_mut().expect("an object");
        fields.extend(change.as_object().expect("an object").clone());
        let view = self.admin.post("/v1/products", body).await.expect(201);
        view["id"].as_str().expect("an id").to_owned()
    }

    /// Changes a product as it is now.
    pub(crate) async fn change(&self, id: &str, body: Value) {
        let path = format!("/v1/products/{id}");
        let etag = self.admin.get(&path).await.etag();
        let changed = self.admin.patch(path, body).if_match(etag).await;
        changed.expect(200);
    }

    pub(crate) async fn search(&self, query: &str) -> Value {
        let path = format!("/v1/search?{query}");
        self.shop.client().get(path).await.expect(200)
    }

    /// The slugs of what words find, and how it matches.
    pub(crate) async fn find(&self, text: &str) -> (Vec<String>, String) {
        let found = self.search(&format!("q={}", encoded(text))).await;
        let matched = found["match"].as_str().expect("a text").to_owned();
        (slugs(&found), matched)
    }
}

pub(crate) fn slugs(found: &Value) -> Vec<String> {
    let items = found["items"].as_array().expect("a list").iter();
    let slug = |item: &Value| item["slug"].as_str().expect("a slug").to_owned();
    items.map(slug).collect()
}

/// Percent-encodes every byte.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn these(slugs: &[&str], matched: &str) -> (Vec<String>, String) {
    let slugs = slugs.iter().map(|slug| (*slug).to_owned()).collect();
    (slugs, matched.to_owned())
}

#[tokio::test]
async fn words_are_found_wherever_they_stand_titles_first() {
    let shelf = Shelf::open().await;
    let body = json!({"name": "Enamel ware", "slug": "enamel-ware"});
    let category = shelf.admin.post("/v1/categories", body).await.expect(201);
    shelf
        .put(
            "described",
            json!({"description": "<p>Made of <b>enamel</b></p>"}),
        )
        .await;
    shelf
        .put("filed", json!({"category_ids": [category["id"]]}))
        .await;
    shelf.put("tagged", json!({"tags": ["Enamel"]})).await;
    shelf.put("made", json!({"vendor": "Enamel & Sons"})).await;
    shelf
        .put("titled", json!({"title": "A mug of enamel"}))
        .await;
    shelf
        .put("begun", json!({"title": "Enamelled plate"}))
        .await;
    shelf.put("plain", json!({"title": "Glass"})).await;
    shelf.shop.settle().await;
    let expected = ["titled", "begun", "made", "tagged", "filed", "described"];
    assert_eq!(shelf.find("enamel").await, these(&expected, "exact"));
    assert_eq!(shelf.find("ÉNAMEL").await, these(&expected, "exact"));
    // Markup is no text.
    assert_eq!(
        shelf.find("p").await,
        these(&["begun", "plain"][..1], "exact")
    );
    assert_eq!(shelf.find("enamel b").await.1, "partial");
}

#[tokio::test]
async fn a_code_finds_its_product_before_all_others() {
    let shelf = Shelf::open().await;
    let variant = |sku: &str, barcode: &str| {
        json!({"variants": [{
            "sku": sku, "barcode": barcode, "inventory": "none",
            "prices": [{"amount": 1000, "currency": "EUR"}],
        }]})
    };
    shelf.put("mug", variant("M-77/b", "4006381333931")).await;
    shelf
        .put("other", json!({"title": "A spare part for M 77 b"}))
        .await;
    shelf
        .put("third", variant("M-77/bc", "40063813339310"))
        .await;
    shelf.shop.settle().await;
    for code in ["M-77/b", "m-77/B", "m 77 b", "\"M-77/b\""] {
        assert_eq!(
            shelf.find(code).await,
            these(&["mug", "other"], "exact"),
            "{code}"
        );
    }
    assert_eq!(shelf.find("4006381333931").await, these(&["mug"], "exact"));
    // A part of a code is no code.
    assert_eq!(shelf.find("400638133393").await.0, [""; 0]);
}

#[tokio::test]
async fn the_last_word_may_be_unfinished() {
    let shelf = Shelf::open().await;
    shelf.put("mug", json!({"title": "Blue mug"})).await;
    shelf.put("muggle", json!({"title": "Blue muggle"})).await;
    shelf.put("grey", json!({"title": "Grey mug"})).await;
    shelf.shop.settle().await;
    let both = these(&["muggle", "mug"], "exact");
    for text in ["b", "bl", "blue", "blue m", "BLUE MU"] {
        assert_eq!(shelf.find(text).await, both, "{text}");
    }
    // A finished word comes before one that only begins with it; others are finished.
    assert_eq!(
        shelf.find("blue mug").await,
        these(&["mug", "muggle"], "exact")
    );
    assert_eq!(
        shelf.find("bl mug").await,
        these(&["grey", "mug", "muggle"], "partial")
    );
}

#[tokio::test]
async fn typos_are_forgiven_where_nothing_else_is_found() {
    let shelf = Shelf::open().await;
    shelf.put("lamp", json!({"title": "Brass lamp"})).await;
    shelf
        .put("lampshade", json!({"title": "Linen lampshade"}))
        .await;
    shelf.put("mug", json!({"title": "Mug"})).await;
    shelf.shop.settle().await;
    let corrected = |slugs: &[&str]| these(slugs, "corrected");
    // One letter from four letters on: left out, doubled, mistaken, swapped.
    for text in ["bras", "brrass", "brazs", "brsas", "brass lmap"] {
        assert!(
            shelf.find(text).await.0.contains(&String::from("lamp")),
            "{text}"
        );
    }
    assert_eq!(shelf.find("brazs").await, corrected(&["lamp"]));
    assert_eq!(shelf.find("brazz").await.0, [""; 0], "not two");
    assert_eq!(shelf.find("mgu").await.0, [""; 0], "not in three letters");
    // Two from eight letters on; and in a word that is not finished.
    assert_eq!(shelf.find("lampzhbde").await, corrected(&["lampshade"]));
    assert_eq!(shelf.find("linen lamqsha").await, corrected(&["lampshade"]));
    // What is there as it was typed is never diluted.
    assert_eq!(
        shelf.find("lamp").await,
        these(&["lamp", "lampshade"], "exact")
    );
    shelf.put("brazs", json!({"title": "Brazs"})).await;
    shelf.shop.settle().await;
    assert_eq!(shelf.find("brazs").await, these(&["brazs"], "exact"));
}

/// A filter that nothing passes is no reason to guess: the words are right.
#[tokio::test]
async fn filters_do_not_make_words_wrong() {
    let shelf = Shelf::open().await;
    shelf
        .put("mugs", json!({"title": "Mugs", "vendor": "Fornace"}))
        .await;
    shelf
        .put("rugs", json!({"title": "Rugs", "vendor": "Filatura"}))
        .await;
    shelf.shop.settle().await;
    let found = shelf.search("q=mugs&vendor=Filatura").await;
    assert_eq!((slugs(&found).len(), &found["match"]), (0, &json!("exact")));
    let found = shelf.search("q=nugs&vendor=Filatura").await;
    assert_eq!(slugs(&found), ["rugs"]);
    assert_eq!(found["match"], "corrected");
}

#[tokio::test]
async fn products_with_most_of_the_words_are_better_than_none() {
    let shelf = Shelf::open().await;
    shelf.put("one", json!({"title": "Blue"})).await;
    shelf
        .put(
            "two",
            json!({"title": "Something", "description": "blue enamel"}),
        )
        .await;
    shelf.put("three", json!({"title": "Red teapot"})).await;
    shelf.shop.settle().await;
    assert_eq!(
        shelf.find("blue enamel pot").await,
        these(&["two"], "partial")
    );
    assert_eq!(
        shelf.find("blue pot").await,
        these(&["one", "two"], "partial")
    );
    assert_eq!(shelf.find("nothing whatsoever").await, these(&[], "exact"));
}

#[tokio::test]
async fn texts_in_any_script_are_found() {
    let shelf = Shelf::open().await;
    for (slug, title) in [
        ("tokyo", "東京タワーの置物"),
        ("shelf", "Étagère murale"),
        ("street", "Straßenschild"),
        ("tree", "Новогодняя ёлка"),
        ("cup", "커피잔 세트"),
    ] {
        shelf.put(slug, json!({"title": title})).await;
    }
    shelf.shop.settle().await;
    for (text, slug) in [
        ("タワー", "tokyo"),
        ("京", "tokyo"),
        ("etagere mur", "shelf"),
        ("STRASSEN", "street"),
        ("елка", "tree"),
        ("세트", "cup"),
        ("커피", "cup"),
    ] {
        assert_eq!(shelf.find(text).await, these(&[slug], "exact"), "{text}");
    }
}

/// There is no query language that could break, or be broken out of.
#[tokio::test]
async fn any_text_is_a_search() {
    let shelf = Shelf::open().await;
    shelf
        .put("mug", json!({"title": "Mug (blue): \"a\" + b"}))
        .await;
    shelf.shop.settle().await;
    for text in [
        "title:mug",
        "\"mug",
        "mug\"",
        "(mug",
        "mug)",
        "+mug",
        "mug*",
        "mug~2",
        "[a TO b]",
        "{mug}",
        "mug AND",
        "NOT mug",
        "mug^5",
        "\\",
        "/mug/",
        "\0",
        "--",
        "%",
        "'; DROP TABLE",
    ] {
        let words = text.to_lowercase().contains("mug");
        let (slugs, _) = shelf.find(text).await;
        assert!(!words || slugs == ["mug"], "{text}: {slugs:?}");
    }
    let mut runner = TestRunner::deterministic();
    let texts = prop_oneof![
        any::<String>(),
        "[a-z\"():+*~^\\\\ -]{0,60}",
        prop::collection::vec("[\u{300}-\u{36f}a가-힣一-龥ก-๛]{1,6}", 1..30)
            .prop_map(|w| w.join(" ")),
    ];
    for _ in 0..200 {
        let text = texts.new_tree(&mut runner).expect("a text").current();
        let text: String = text.chars().take(200).collect();
        shelf.find(&text).await;
    }
}
