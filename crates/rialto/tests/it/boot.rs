//! Every role runs alone, the others being somewhere else.

use rialto::Role;
use testkit::{Layout, TestShop};

#[tokio::test]
async fn every_role_boots_alone() {
    let alone = Role::ALL.iter().map(|role| vec![*role]).collect();
    let shop = TestShop::builder()
        .layout(Layout::Split(alone))
        .start()
        .await;
    assert_eq!(shop.admin_clients().len(), Role::ALL.len());
    for admin in shop.admin_clients() {
        let health = admin.ready().await;
        assert_eq!(health["ready"], true);
        admin.get("/health/live").await.ok();
    }
    // Through the gateway, to a role that asks another one for its keys.
    let keys = shop
        .client()
        .get("/.well-known/jwks.json")
        .await
        .expect(200);
    assert!(!keys["keys"].as_array().expect("a list").is_empty());
    shop.stop().await;
}

#[tokio::test]
async fn readiness_fails_before_the_listeners_close() {
    let shop = TestShop::start().await;
    for admin in shop.admin_clients() {
        let health = admin.ready().await;
        assert_eq!(health["draining"], false);
    }
    shop.stop().await;
}
