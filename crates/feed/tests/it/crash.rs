//! Whose a post is, and the post, are written one after the other. A crash may come in between.

use contracts::feed::PostId;
use platform::db::DbError;
use platform::{params, sql};
use rialto::Role;
use serde_json::json;
use testkit::TestShop;
use uuid::Uuid;

/// What a request has left that died in between.
async fn half_written(shop: &TestShop) -> PostId {
    let id: PostId = shop.sources().id();
    let noting = shop.db(Role::Feed).write(move |tx| async move {
        let note = sql!("INSERT INTO post_authors (post_id, author_id) VALUES ($1, $2)");
        tx.run(note, params![id, Uuid::nil()]).await?;
        Ok::<_, DbError>(())
    });
    noting.await.expect("written");
    id
}

#[tokio::test]
async fn what_leads_to_no_post_is_no_post() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let ada = shop.customer("ada").await;
    let path = format!("/v1/posts/{}", half_written(&shop).await);
    let (like, comments) = (format!("{path}/like"), format!("{path}/comments"));
    let answers = [
        shop.client().get(&path).await,
        shop.client().get(&comments).await,
        admin.delete(&path).await,
        admin.post(&comments, json!({"text": "Well."})).await,
        ada.client.put(&like, ()).await,
        ada.client.delete(&like).await,
    ];
    for answer in answers {
        answer.problem(404, "feed.not_found");
    }
    let timeline = shop.client().get("/v1/timelines/shop").await.expect(200);
    assert_eq!(timeline["items"], json!([]));
}
