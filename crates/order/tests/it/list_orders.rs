//! `GET /v1/orders` and `GET /v1/orders/{id}`.

use kernel::StaffRole;
use testkit::TestShop;

#[tokio::test]
async fn a_customer_sees_their_own_the_youngest_first() {
    let shop = TestShop::start().await;
    let mug = shop.product("mug").stock(100).create().await;
    let (ada, bob) = (shop.customer("ada").await, shop.customer("bob").await);
    let mut ids = Vec::new();
    for _ in 0..5 {
        shop.clock.advance(std::time::Duration::from_secs(1));
        ids.push(ada.buys(&mug, 1).await.expect(201)["id"].clone());
    }
    bob.buys(&mug, 1).await.expect(201);
    shop.settle().await;
    ids.reverse();
    let first = ada.client.get("/v1/orders?limit=3").await.ok();
    let cursor = first["next_cursor"].as_str().expect("there is more");
    let second = ada
        .client
        .get(format!("/v1/orders?limit=3&cursor={cursor}"))
        .await
        .ok();
    let seen: Vec<_> = [&first, &second]
        .iter()
        .flat_map(|page| page["items"].as_array().expect("a list"))
        .map(|order| order["id"].clone())
        .collect();
    assert_eq!(seen, ids);
    assert!(second["next_cursor"].is_null());
    let foreign = bob.client.get(format!("/v1/orders?cursor={cursor}")).await;
    foreign.problem(400, "request.bad_cursor");
    let path = format!("/v1/orders/{}", ids[0].as_str().expect("an id"));
    ada.client.get(&path).await.ok();
    bob.client.get(&path).await.problem(404, "order.not_found");
}

#[tokio::test]
async fn staff_see_all_and_can_ask_for_a_state() {
    let shop = TestShop::start().await;
    let mug = shop.product("mug").stock(100).create().await;
    shop.guest("ada@example.com")
        .buys(&mug, 1)
        .await
        .expect(201);
    let bob = shop.guest("bob@example.com").paying_with("tok_declined");
    bob.buys(&mug, 1)
        .await
        .problem(402, "order.payment_declined");
    let support = shop.staff(StaffRole::Support).await;
    let all = support.get("/v1/orders").await.ok();
    assert_eq!(all["items"].as_array().map(Vec::len), Some(2));
    let failed = support.get("/v1/orders?state=failed&limit=1").await.ok();
    assert_eq!(failed["items"][0]["email"], "bob@example.com");
    assert!(failed["next_cursor"].is_null());
    support
        .get("/v1/orders?state=lost")
        .await
        .problem(422, "request.invalid");
    support
        .get("/v1/orders?limit=0")
        .await
        .problem(422, "request.invalid");
    let merchandiser = shop.staff(StaffRole::Merchandiser).await;
    merchandiser
        .get("/v1/orders")
        .await
        .problem(403, "auth.forbidden");
}
