//! `POST /v1/posts`, `GET /v1/posts/{id}`.

use std::future::IntoFuture;

use contracts::feed::PostPublished;
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::TestShop;

use crate::posts::{kept, path, publish, text};

#[tokio::test]
async fn everybody_reads_what_the_shop_posts() {
    let shop = TestShop::start().await;
    let mug = shop.product("mug").create().await;
    let body = json!({"text": "The mugs\nare here.", "product_ids": [mug.id]});
    let posted = shop.admin().await.post("/v1/posts", body).await;
    let location = posted.header("location").expect("a location").to_owned();
    let posted = posted.expect(201);
    assert_eq!(location, path(&posted));
    let read = shop.client().get(location).await.expect(200);
    assert_eq!(read, posted);
    assert_eq!(read["text"], "The mugs\nare here.");
    assert_eq!(read["product_ids"], json!([mug.id]));
    assert_eq!(read["author"], json!({"id": "shop", "signature": null}));
    assert_eq!((&read["likes"], &read["comments"]), (&json!(0), &json!(0)));
    let events = shop.announced::<PostPublished>().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].post_id.to_string(), text(&read["id"]));
    assert_eq!(events[0].customer_id, None);
}

#[tokio::test]
async fn a_customer_is_called_what_they_want_to_be_called() {
    let shop = TestShop::start().await;
    let ada = shop.verified_customer("ada").await;
    let unsigned = publish(&ada.client, "My kitchen, with a mug.").await;
    let author = json!({"id": ada.customer_id, "signature": null});
    assert_eq!(
        unsigned["author"], author,
        "nothing of the profile is shown"
    );
    let body = json!({"text": "It is green.", "signature": "Countess A."});
    let signed = ada.client.post("/v1/posts", body).await.expect(201);
    assert_eq!(signed["author"]["signature"], "Countess A.");
    let events = shop.announced::<PostPublished>().await;
    let customer = events[0].customer_id.map(|id| id.to_string());
    assert_eq!(customer, ada.customer_id);
}

#[tokio::test]
async fn who_has_not_verified_their_address_does_not_post() {
    let shop = TestShop::start().await;
    let ada = shop.customer("ada").await;
    let body = json!({"text": "Cheap watches!"});
    let refused = ada.client.post("/v1/posts", body).await;
    refused.problem(403, "feed.unverified");
    assert_eq!(kept(&shop).await, [0; 4]);
}

#[tokio::test]
async fn a_post_shows_what_is_on_sale() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let mug = shop.product("mug").create().await;
    let gone = shop.product("gone").create().await;
    let archive = format!("/v1/products/{}/archive", gone.id);
    let etag = admin.get(format!("/v1/products/{}", gone.id)).await.etag();
    let archived = admin.post(archive, json!({})).if_match(etag).await;
    archived.expect(200);
    for missing in [gone.id.as_str(), "prod_01k3v7m0s2ev3bq1w1m2r8x5zc"] {
        let body = json!({"text": "Look!", "product_ids": [mug.id, missing]});
        let refused = admin.post("/v1/posts", body).await;
        let problem = refused.problem(422, "feed.unknown_product");
        assert_eq!(problem["errors"][0]["pointer"], "/product_ids/1");
    }
    assert_eq!(kept(&shop).await, [0; 4]);
}

#[tokio::test]
async fn the_same_request_posts_once_and_gets_its_answer_again() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let mug = shop.product("mug").create().await;
    let body = json!({"text": "The mugs are here.", "product_ids": [mug.id]});
    let post = || admin.post("/v1/posts", body.clone()).key("mugs");
    let answers = join_all((0..4).map(|_| post().into_future())).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.bytes), (201, &answers[0].bytes));
    }
    // Whatever has become of what it shows.
    let archive = format!("/v1/products/{}/archive", mug.id);
    let etag = admin.get(format!("/v1/products/{}", mug.id)).await.etag();
    let archived = admin.post(archive, json!({})).if_match(etag).await;
    archived.expect(200);
    let again = post().await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!((again.status, &again.bytes), (201, &answers[0].bytes));
    let other = admin.post("/v1/posts", json!({"text": "x"})).key("mugs");
    other.await.problem(422, "idempotency.key_reused");
    assert_eq!(kept(&shop).await[0], 1);
    assert_eq!(shop.announced::<PostPublished>().await.len(), 1);
}

#[tokio::test]
async fn every_broken_rule_is_pointed_at() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let (one, other) = (
        "prod_01k3v7m0s2ev3bq1w1m2r8x5zc",
        "prod_01k3v7m0s2ev3bq1w1m2r8x5zd",
    );
    let eleven: Vec<Value> = (0..11).map(|_| json!(one)).collect();
    let wrong = [
        (json!({"text": " \n"}), "/text"),
        (json!({"text": "x".repeat(5001)}), "/text"),
        (json!({"text": "a bell \u{7}"}), "/text"),
        (
            json!({"text": "x", "product_ids": [one, other, one]}),
            "/product_ids/2",
        ),
        (json!({"text": "x", "product_ids": eleven}), "/product_ids"),
        (json!({"text": "x", "signature": ""}), "/signature"),
        (json!({"text": "x", "pictures": []}), "/pictures"),
    ];
    for (body, pointer) in wrong {
        let refused = admin.post("/v1/posts", body).await;
        let problem = refused.problem(422, "request.invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    assert_eq!(kept(&shop).await, [0; 4]);
}

#[tokio::test]
async fn there_is_no_post_of_that_name() {
    let shop = TestShop::start().await;
    let nothing = shop
        .client()
        .get("/v1/posts/post_01k3v7m0s2ev3bq1w1m2r8x5zc");
    nothing.await.problem(404, "feed.not_found");
}
