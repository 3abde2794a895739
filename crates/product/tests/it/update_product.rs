//! `PATCH /v1/products/{id}`.

use serde_json::{Value, json};
use testkit::{Answer, Client, TestShop};

use crate::create_product::shirt;

/// A shirt that is there, with its path.
pub(crate) async fn created(admin: &Client) -> (String, Answer) {
    let answer = admin.post("/v1/products", shirt()).await;
    let path = answer.header("location").expect("a location").to_owned();
    (path, answer)
}

#[tokio::test]
async fn what_is_left_out_stays() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let (path, before) = created(&admin).await;
    shop.clock.advance(std::time::Duration::from_secs(60));
    let change = json!({"title": "Cotton shirt", "vendor": null});
    let answer = admin.patch(&path, change).if_match(before.etag()).await;
    let etag = answer.etag();
    let after = answer.expect(200);
    let mut expected = before.expect(201);
    expected["title"] = json!("Cotton shirt");
    expected["vendor"] = Value::Null;
    expected["version"] = json!(2);
    expected["updated_at"] = json!("2026-01-01T12:01:00Z");
    assert_eq!(after, expected);
    let shown = shop.client().get(&path).await;
    assert_eq!(shown.etag(), etag);
    assert_eq!(shown.expect(200), expected);
}

#[tokio::test]
async fn a_change_that_changes_nothing_makes_no_version() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let (path, before) = created(&admin).await;
    let same = json!({"title": "Linen shirt", "tags": ["linen", "summer"]});
    let answer = admin.patch(&path, same).if_match(before.etag()).await;
    assert_eq!(answer.etag(), before.etag());
    assert_eq!(answer.expect(200), before.expect(201));
}

#[tokio::test]
async fn variants_are_changed_added_and_removed() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let (path, before) = created(&admin).await;
    let etag = before.etag();
    let before = before.expect(201);
    let (small, medium) = (&before["variants"][0], &before["variants"][1]);
    // The first two swap their SKUs, and a third one comes between them.
    let change = json!({"variants": [
        {"id": medium["id"], "sku": small["sku"]},
        {"sku": "SHIRT-M-WHITE", "options": {"Size": "M", "Colour": "White"}},
        {"id": small["id"], "sku": medium["sku"], "weight_grams": null},
    ]});
    let answer = admin.patch(&path, change).if_match(&etag).await;
    let etag = answer.etag();
    let after = answer.expect(200);
    let list = after["variants"].as_array().expect("a list");
    assert_eq!(list.len(), 3);
    let mut expected = medium.clone();
    expected["sku"] = small["sku"].clone();
    assert_eq!(list[0], expected, "what is left out of a variant stays");
    assert_eq!(list[1]["title"], "M / White");
    assert_eq!(list[1]["inventory"], "reserve_on_order");
    assert_eq!(list[2]["weight_grams"], Value::Null);

    let change = json!({"variants": [{"id": list[1]["id"]}]});
    let answer = admin.patch(&path, change).if_match(&etag).await;
    let after = answer.expect(200);
    assert_eq!(after["variants"].as_array().map(Vec::len), Some(1));
    assert_eq!(after["in_stock"], false, "only a counted one is left");
    assert_eq!(shop.client().get(&path).await.expect(200), after);
}

#[tokio::test]
async fn a_variant_must_be_known_or_have_an_sku() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let (path, before) = created(&admin).await;
    let etag = before.etag();
    let known = before.expect(201)["variants"][0]["id"].clone();
    let change = json!({"variants": [
        {"id": known}, {"id": known}, {"options": {}}, {"id": "var_00000000000000000000000000"},
    ]});
    let problem = admin.patch(&path, change).if_match(&etag).await;
    let problem = problem.problem(422, "request.invalid");
    let pointers = problem["errors"].as_array().expect("a list").iter();
    let pointers: Vec<_> = pointers.map(|error| error["pointer"].clone()).collect();
    assert_eq!(
        pointers,
        ["/variants/1/id", "/variants/2/sku", "/variants/3/id"]
    );
}

#[tokio::test]
async fn slugs_and_skus_of_others_are_refused() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let (path, before) = created(&admin).await;
    let etag = before.etag();
    shop.product("mug").create_as(&admin).await;
    let change = |body| admin.patch(&path, body).if_match(&etag);
    let taken = change(json!({"slug": "mug"})).await;
    taken.problem(409, "product.slug_taken");
    let id = before.expect(201)["variants"][0]["id"].clone();
    let taken = change(json!({"variants": [{"id": id, "sku": "MUG"}]})).await;
    taken.problem(409, "product.sku_taken");
    let unharmed = shop.client().get(&path).await;
    assert_eq!(unharmed.expect(200)["version"], 1);
}

#[tokio::test]
async fn the_version_that_was_read_must_be_named() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let (path, before) = created(&admin).await;
    let blind = admin.patch(&path, json!({"title": "A"})).await;
    blind.problem(428, "request.if_match_required");
    let change = |title| {
        admin
            .patch(&path, json!({"title": title}))
            .if_match(before.etag())
    };
    change("A").await.expect(200);
    let late = change("B").await.problem(412, "request.stale");
    assert_eq!(late["context"]["version"], 2);
}

/// Two members of staff change the same version at the same time: one of them must look again.
#[tokio::test]
async fn of_two_changes_at_once_one_is_stale() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let (path, before) = created(&admin).await;
    let mut etag = before.etag();
    for round in 0..20 {
        let change = |who: &str| {
            let body = json!({"title": format!("{who} {round}")});
            admin.patch(&path, body).if_match(&etag).into_future()
        };
        let (one, other) = tokio::join!(change("one"), change("other"));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412], "round {round}");
        etag = shop.client().get(&path).await.etag();
    }
    let last = shop.client().get(&path).await.expect(200);
    assert_eq!(last["version"], 21);
}
