//! How many statements answers cost, however much was posted.

use testkit::{Client, TestShop};

use crate::posts::{path, publish};

const ROUTES: [&str; 3] = [
    "route=\"/v1/timelines/{author}\",method=\"GET\"",
    "route=\"/v1/posts/{id}\",method=\"GET\"",
    "route=\"/v1/posts/{id}/like\",method=\"PUT\"",
];

async fn cost(shop: &TestShop, route: &str, request: impl AsyncFnOnce()) -> u64 {
    let name = format!("rialto_http_statements_total{{role=\"feed\",{route}");
    let before = shop.metric(&name).await;
    request().await;
    shop.metric(&name).await - before
}

async fn costs(shop: &TestShop, client: &Client, post: &str) -> (u64, u64) {
    let timeline = cost(shop, ROUTES[0], async || {
        client.get("/v1/timelines/shop?limit=100").await.expect(200);
    });
    let timeline = timeline.await;
    let one = cost(shop, ROUTES[1], async || {
        client.get(post).await.expect(200);
    });
    (timeline, one.await)
}

#[tokio::test]
async fn a_page_costs_one_statement_and_a_customer_one_more() {
    let shop = TestShop::builder().calm_bus().start().await;
    let admin = shop.admin().await;
    let ada = shop.customer("ada").await;
    let post = path(&publish(&admin, "The first").await);
    assert_eq!(costs(&shop, shop.client(), &post).await, (1, 2));
    assert_eq!(costs(&shop, &ada.client, &post).await, (2, 3));
    for number in 0..30 {
        publish(&admin, &format!("{number}")).await;
    }
    assert_eq!(costs(&shop, shop.client(), &post).await, (1, 2));
    assert_eq!(costs(&shop, &ada.client, &post).await, (2, 3));
    let like = cost(&shop, ROUTES[2], async || {
        let like = ada.client.put(format!("{post}/like"), ());
        like.await.expect(204);
    });
    assert_eq!(like.await, 3);
}
