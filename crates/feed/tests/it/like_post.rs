//! `PUT`, `DELETE /v1/posts/{id}/like`.

use std::future::IntoFuture;

use futures_util::future::join_all;
use testkit::{Client, TestShop};

use crate::posts::{kept, path, publish};

async fn likes(client: &Client, path: &str) -> (i64, Option<bool>) {
    let post = client.get(path).await.expect(200);
    let likes = post["likes"].as_i64().expect("a number");
    (likes, post["liked"].as_bool())
}

#[tokio::test]
async fn liking_twice_is_liking_once() {
    let shop = TestShop::start().await;
    let path = path(&publish(&shop.admin().await, "The mugs are here.").await);
    let like = format!("{path}/like");
    let (ada, bob) = (shop.customer("ada").await, shop.customer("bob").await);
    for _ in 0..2 {
        ada.client.put(&like, ()).await.expect(204);
    }
    assert_eq!(likes(&ada.client, &path).await, (1, Some(true)));
    bob.client.put(&like, ()).await.expect(204);
    assert_eq!(likes(shop.client(), &path).await, (2, None));
    for _ in 0..2 {
        ada.client.delete(&like).await.expect(204);
    }
    assert_eq!(likes(&ada.client, &path).await, (1, Some(false)));
    assert_eq!(likes(&bob.client, &path).await, (1, Some(true)));
}

#[tokio::test]
async fn all_who_like_at_once_are_counted() {
    let shop = TestShop::start().await;
    let like = format!(
        "{}/like",
        path(&publish(&shop.admin().await, "Sale!").await)
    );
    let mut customers = Vec::new();
    for name in ["ada", "bob", "cyd", "dan"] {
        customers.push(shop.customer(name).await);
    }
    // Each of them clicks twice.
    let clicks = customers.iter().chain(&customers);
    let clicks = clicks.map(|customer| customer.client.put(&like, ()).into_future());
    for answer in join_all(clicks).await {
        answer.expect(204);
    }
    let path = like.trim_end_matches("/like");
    assert_eq!(likes(shop.client(), path).await, (4, None));
    assert_eq!(kept(&shop).await, [1, 1, 4, 0]);
}

#[tokio::test]
async fn nobody_likes_what_is_not_there() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let ada = shop.customer("ada").await;
    let path = path(&publish(&admin, "A slip").await);
    let like = format!("{path}/like");
    let bob = shop.customer("bob").await;
    bob.client.put(&like, ()).await.expect(204);
    admin.delete(&path).await.expect(204);
    bob.client
        .put(&like, ())
        .await
        .problem(404, "feed.not_found");
    let nothing = String::from("/v1/posts/post_01k3v7m0s2ev3bq1w1m2r8x5zc/like");
    for like in [like, nothing] {
        let liked = ada.client.put(&like, ()).await;
        liked.problem(404, "feed.not_found");
        let unliked = ada.client.delete(&like).await;
        unliked.problem(404, "feed.not_found");
    }
}
