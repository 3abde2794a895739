//! `POST`, `GET /v1/posts/{id}/comments`, `DELETE /v1/posts/{id}/comments/{comment_id}`.

use std::future::IntoFuture;
use std::time::Duration;

use futures_util::future::join_all;
use kernel::StaffRole;
use serde_json::{Value, json};
use testkit::{Client, TestShop};

use crate::posts::{kept, path, publish, text, texts};

async fn comment(writer: &Client, post: &str, text: &str) -> Value {
    let body = json!({"text": text});
    let added = writer.post(format!("{post}/comments"), body).await;
    added.expect(201)
}

async fn count(shop: &TestShop, post: &str) -> Value {
    shop.client().get(post).await.expect(200)["comments"].clone()
}

#[tokio::test]
async fn a_conversation_reads_from_its_beginning() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let ada = shop.verified_customer("ada").await;
    let post = path(&publish(&admin, "The mugs are here.").await);
    let asked = comment(&ada.client, &post, "In green, too?").await;
    assert_eq!(asked["author"]["id"].as_str(), ada.customer_id.as_deref());
    shop.clock.advance(Duration::from_millis(1));
    let answered = comment(&admin, &post, "From Monday on.").await;
    assert_eq!(answered["author"], json!({"id": "shop", "signature": null}));
    shop.clock.advance(Duration::from_millis(1));
    comment(&ada.client, &post, "Lovely.").await;
    let comments = format!("{post}/comments?limit=2");
    let first = shop.client().get(&comments).await.expect(200);
    assert_eq!(texts(&first), ["In green, too?", "From Monday on."]);
    assert_eq!(first["items"][0], asked);
    let cursor = text(&first["next_cursor"]);
    let rest = shop.client().get(format!("{comments}&cursor={cursor}"));
    let rest = rest.await.expect(200);
    assert_eq!(texts(&rest), ["Lovely."]);
    assert_eq!(count(&shop, &post).await, 3);
}

#[tokio::test]
async fn the_same_request_comments_once() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let post = path(&publish(&admin, "The mugs are here.").await);
    let comments = format!("{post}/comments");
    let say = |text: &str| admin.post(&comments, json!({"text": text})).key("green");
    let answers = join_all((0..4).map(|_| say("Also in green.").into_future())).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.bytes), (201, &answers[0].bytes));
    }
    say("Also in blue.")
        .await
        .problem(422, "idempotency.key_reused");
    assert_eq!(count(&shop, &post).await, 1);
    assert_eq!(kept(&shop).await, [1, 1, 0, 1]);
}

#[tokio::test]
async fn comments_are_removed_by_who_may() {
    let shop = TestShop::start().await;
    let (ada, bob) = (
        shop.verified_customer("ada").await,
        shop.verified_customer("bob").await,
    );
    let cyd = shop.customer("cyd").await;
    let support = shop.staff(StaffRole::Support).await;
    let post = path(&publish(&ada.client, "My kitchen.").await);
    // Who wrote it, whose post it is, and who keeps order; but not what the shop has said.
    let said = comment(&shop.admin().await, &post, "We like it.").await;
    let said = format!("{post}/comments/{}", text(&said["id"]));
    support.delete(&said).await.problem(404, "feed.not_found");
    ada.client.delete(&said).await.expect(204);
    for remover in [&bob.client, &ada.client, &support] {
        let said = comment(&bob.client, &post, "Nice.").await;
        let said = format!("{post}/comments/{}", text(&said["id"]));
        let refused = cyd.client.delete(&said).await;
        refused.problem(404, "feed.not_found");
        assert_eq!(count(&shop, &post).await, 1);
        remover.delete(&said).await.expect(204);
        assert_eq!(count(&shop, &post).await, 0);
        let gone = remover.delete(&said).await;
        gone.problem(404, "feed.not_found");
    }
}

#[tokio::test]
async fn nobody_comments_who_may_not_or_on_nothing() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let ada = shop.customer("ada").await;
    let post = path(&publish(&admin, "The mugs are here.").await);
    let comments = format!("{post}/comments");
    let unverified = ada.client.post(&comments, json!({"text": "Hi"})).await;
    unverified.problem(403, "feed.unverified");
    let blank = admin.post(&comments, json!({"text": ""})).await;
    let problem = blank.problem(422, "request.invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/text");
    let repeated = || {
        let comment = admin.post(&comments, json!({"text": "Hi"}));
        comment.key("hi")
    };
    let first = repeated().await;
    admin.delete(&post).await.expect(204);
    let again = repeated().await;
    assert_eq!((again.status, again.bytes), (201, first.bytes));
    let late = admin.post(&comments, json!({"text": "Hi"})).await;
    late.problem(404, "feed.not_found");
    let listed = shop.client().get(&comments).await;
    listed.problem(404, "feed.not_found");
}
