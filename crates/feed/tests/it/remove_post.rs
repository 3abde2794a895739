//! `DELETE /v1/posts/{id}`.

use contracts::feed::{PostId, PostRemoved};
use kernel::StaffRole;
use platform::db::DbError;
use platform::{params, sql};
use rialto::Role;
use serde_json::json;
use testkit::TestShop;
use uuid::Uuid;

use crate::posts::{kept, path, publish, text, texts};

#[tokio::test]
async fn what_is_removed_is_gone_with_all_that_hung_on_it() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let ada = shop.customer("ada").await;
    let slip = path(&publish(&admin, "A slip").await);
    let stays = path(&publish(&admin, "The mugs are here.").await);
    for post in [&slip, &stays] {
        let body = json!({"text": "Well."});
        admin
            .post(format!("{post}/comments"), body)
            .await
            .expect(201);
        ada.client.put(format!("{post}/like"), ()).await.expect(204);
    }
    admin.delete(&slip).await.expect(204);
    shop.client()
        .get(&slip)
        .await
        .problem(404, "feed.not_found");
    admin.delete(&slip).await.problem(404, "feed.not_found");
    let timeline = shop.client().get("/v1/timelines/shop").await.expect(200);
    assert_eq!(texts(&timeline), ["The mugs are here."]);
    assert_eq!(shop.announced::<PostRemoved>().await.len(), 1);
    shop.settle().await;
    assert_eq!(kept(&shop).await, [1, 1, 1, 1]);
    let left = shop.client().get(&stays).await.expect(200);
    assert_eq!((&left["likes"], &left["comments"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn a_post_is_removed_by_who_may() {
    let shop = TestShop::start().await;
    let (ada, bob) = (
        shop.verified_customer("ada").await,
        shop.verified_customer("bob").await,
    );
    let support = shop.staff(StaffRole::Support).await;
    for remover in [&ada.client, &support] {
        let post = path(&publish(&ada.client, "My kitchen.").await);
        let refused = bob.client.delete(&post).await;
        refused.problem(404, "feed.not_found");
        shop.client().get(&post).await.expect(200);
        remover.delete(&post).await.expect(204);
    }
    let removed = shop.announced::<PostRemoved>().await;
    let staff: Vec<bool> = removed
        .iter()
        .map(|event| event.staff_id.is_some())
        .collect();
    assert_eq!(staff, [false, true]);
    let shops = path(&publish(&shop.admin().await, "The mugs are here.").await);
    for other in [&ada.client, &support] {
        let refused = other.delete(&shops).await;
        refused.problem(404, "feed.not_found");
    }
    shop.client().get(&shops).await.expect(200);
}

#[tokio::test]
async fn more_than_one_transaction_takes_away_is_taken_away_in_several() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let post = publish(&admin, "Everybody likes this").await;
    let id: PostId = text(&post["id"]).parse().expect("an id");
    let ids: Vec<Uuid> = (0..1_200).map(|_| shop.sources().uuid()).collect();
    let liking = shop.db(Role::Feed).write(move |tx| async move {
        for customer in ids {
            let like = sql!(
                "INSERT INTO likes (author_id, post_id, customer_id, liked_at)
                 VALUES ($1, $2, $3, $4)"
            );
            let now = tx.sources().now();
            tx.run(like, params![Uuid::nil(), id, customer, now])
                .await?;
        }
        Ok::<_, DbError>(())
    });
    liking.await.expect("written");
    admin.delete(path(&post)).await.expect(204);
    shop.settle().await;
    assert_eq!(kept(&shop).await, [0; 4]);
}
