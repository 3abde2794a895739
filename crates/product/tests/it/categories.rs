//! The tree of categories.

use std::future::IntoFuture;

use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::{Client, TestShop};

use crate::create_product::shirt;

/// Adds a category named like its slug; its id.
pub(crate) async fn add(admin: &Client, slug: &str, parent: Option<&str>) -> String {
    let body = json!({"name": slug, "slug": slug, "parent_id": parent});
    let category = admin.post("/v1/categories", body).await.expect(201);
    category["id"].as_str().expect("an id").to_owned()
}

/// Changes a category as it is now.
pub(crate) async fn change(admin: &Client, id: &str, body: Value) -> testkit::Answer {
    let path = format!("/v1/categories/{id}");
    let etag = admin.get(&path).await.etag();
    admin.patch(path, body).if_match(etag).await
}

async fn slugs_in(shop: &TestShop, category: &str) -> Vec<String> {
    let path = format!("/v1/products?category_id={category}");
    let page = shop.client().get(path).await.expect(200);
    let slug = |item: &Value| item["slug"].as_str().map(ToOwned::to_owned);
    let items = page["items"].as_array().expect("a list").iter();
    items.filter_map(slug).collect()
}

#[tokio::test]
async fn the_same_request_many_times_at_once_adds_one_category() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let body = json!({"name": "Home", "slug": "home"});
    let post = || admin.post("/v1/categories", body.clone()).key("home");
    let answers = join_all((0..8).map(|_| post().into_future())).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.bytes), (201, &answers[0].bytes));
    }
}

#[tokio::test]
async fn categories_form_a_tree() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let home = add(&admin, "home", None).await;
    let kitchen = add(&admin, "kitchen", Some(&home)).await;
    let mugs = add(&admin, "mugs", Some(&kitchen)).await;
    add(&admin, "books", None).await;
    let answer = shop.client().get("/v1/categories").await;
    let etag = answer.etag();
    let tree = answer.expect(200);
    assert_eq!(
        tree["items"][0]["slug"], "books",
        "by name, where positions are equal"
    );
    let node = &tree["items"][1]["children"][0]["children"][0];
    assert_eq!(
        *node,
        json!({"id": mugs, "slug": "mugs", "name": "mugs", "children": []})
    );
    let path = format!("/v1/categories/{mugs}");
    let shown = shop.client().get(&path).await.expect(200);
    assert_eq!(shown["path"][0]["id"], json!(home));
    assert_eq!(shown["path"][1]["id"], json!(kitchen));

    let unchanged = shop.client().get("/v1/categories");
    let unchanged = unchanged.header("if-none-match", &etag).await;
    assert_eq!(unchanged.status, 304);
    let mug_etag = shop.client().get(&path).await.etag();
    let renamed = change(&admin, &home, json!({"name": "House", "position": 0})).await;
    assert_eq!(renamed.expect(200)["version"], 2);
    assert_ne!(shop.client().get("/v1/categories").await.etag(), etag);
    let shown = shop.client().get(&path).await;
    assert_ne!(
        shown.etag(),
        mug_etag,
        "a category shows the names above it"
    );
    assert_eq!(shown.expect(200)["path"][0]["name"], "House");
}

#[tokio::test]
async fn products_are_listed_where_they_are_and_everywhere_above() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let home = add(&admin, "home", None).await;
    let kitchen = add(&admin, "kitchen", Some(&home)).await;
    let mugs = add(&admin, "mugs", Some(&kitchen)).await;
    let gifts = add(&admin, "gifts", None).await;
    let mut body = shirt();
    body["category_ids"] = json!([mugs, kitchen]);
    let created = admin.post("/v1/products", body).await;
    let (path, etag) = (
        created.header("location").expect("one").to_owned(),
        created.etag(),
    );
    for category in [&home, &kitchen, &mugs] {
        assert_eq!(slugs_in(&shop, category).await, ["shirt"]);
    }
    assert!(slugs_in(&shop, &gifts).await.is_empty());

    // The middle moves: what is below is listed with it. The product stays where it is itself.
    change(&admin, &mugs, json!({"parent_id": gifts}))
        .await
        .expect(200);
    for category in [&home, &kitchen, &mugs, &gifts] {
        assert_eq!(slugs_in(&shop, category).await, ["shirt"], "{category}");
    }
    let body = json!({"category_ids": [mugs]});
    admin.patch(path, body).if_match(etag).await.expect(200);
    assert!(slugs_in(&shop, &home).await.is_empty());
    assert!(slugs_in(&shop, &kitchen).await.is_empty());
    assert_eq!(slugs_in(&shop, &gifts).await, ["shirt"]);
    change(&admin, &gifts, json!({"parent_id": home}))
        .await
        .expect(200);
    assert_eq!(slugs_in(&shop, &home).await, ["shirt"]);
    change(&admin, &mugs, json!({"parent_id": null}))
        .await
        .expect(200);
    assert!(slugs_in(&shop, &home).await.is_empty());
    assert!(slugs_in(&shop, &gifts).await.is_empty());
    assert_eq!(slugs_in(&shop, &mugs).await, ["shirt"]);
}

#[tokio::test]
async fn a_tree_stays_a_tree() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let mut chain = vec![add(&admin, "level-1", None).await];
    for level in 2..=8 {
        let slug = format!("level-{level}");
        chain.push(add(&admin, &slug, chain.last().map(String::as_str)).await);
    }
    let deeper = json!({"name": "x", "slug": "x", "parent_id": chain[7]});
    let deeper = admin.post("/v1/categories", deeper).await;
    deeper.problem(409, "product.bad_category_tree");
    for below in [&chain[0], &chain[3]] {
        let cycle = change(&admin, &chain[0], json!({"parent_id": below})).await;
        cycle.problem(409, "product.bad_category_tree");
    }
    let side = add(&admin, "side", None).await;
    let too_deep = change(&admin, &chain[0], json!({"parent_id": side})).await;
    too_deep.problem(409, "product.bad_category_tree");
    change(&admin, &chain[4], json!({"parent_id": side}))
        .await
        .expect(200);
    let nowhere = json!({"parent_id": "cat_00000000000000000000000000"});
    let problem = change(&admin, &side, nowhere).await;
    let problem = problem.problem(422, "request.invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/parent_id");
    let taken = change(&admin, &side, json!({"slug": "level-1"})).await;
    taken.problem(409, "product.slug_taken");
}

#[tokio::test]
async fn only_an_empty_category_is_removed() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let home = add(&admin, "home", None).await;
    let mugs = add(&admin, "mugs", Some(&home)).await;
    let mut body = shirt();
    body["category_ids"] = json!([mugs]);
    let created = admin.post("/v1/products", body).await;
    let product = created.header("location").expect("one").to_owned();
    let remove = async |id: &str| {
        let path = format!("/v1/categories/{id}");
        let etag = admin.get(&path).await.etag();
        admin.delete(path).if_match(etag).await
    };
    remove(&home)
        .await
        .problem(409, "product.bad_category_tree");
    remove(&mugs).await.problem(409, "product.category_in_use");
    let change = admin.patch(product, json!({"category_ids": []}));
    change.if_match(created.etag()).await.expect(200);
    assert_eq!(remove(&mugs).await.status, 204);
    assert_eq!(remove(&home).await.status, 204);
    let gone = shop.client().get(format!("/v1/categories/{home}")).await;
    gone.problem(404, "product.not_found");
    let blind = admin.delete(format!("/v1/categories/{}", add(&admin, "a", None).await));
    blind.await.problem(428, "request.if_match_required");
}

/// Two moves at once must not make a circle of two categories.
#[tokio::test]
async fn moves_at_once_make_no_circle() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    for round in 0..10 {
        let one = add(&admin, &format!("one-{round}"), None).await;
        let other = add(&admin, &format!("other-{round}"), None).await;
        let (first, second) = tokio::join!(
            change(&admin, &one, json!({"parent_id": other})),
            change(&admin, &other, json!({"parent_id": one})),
        );
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "round {round}");
    }
}
