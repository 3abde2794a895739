//! `GET /.well-known/jwks.json`, and the life of a signing key.

use std::time::Duration;

use platform::auth::JwkSet;
use rialto::Role;
use testkit::TestShop;

use crate::people::{customer, log_in, register};

const KEYS: &str = "/.well-known/jwks.json";
const AHEAD: Duration = Duration::from_secs(600);

/// The names of the published keys.
async fn published(shop: &TestShop) -> Vec<String> {
    let set = shop.client().get(KEYS).await.expect(200);
    let set: JwkSet = serde_json::from_value(set).expect("a key set");
    set.keys.into_iter().map(|key| key.kid).collect()
}

/// The name of the key that signed a token.
fn signer(token: &str) -> String {
    use base64::Engine as _;
    let head = token.split('.').next().expect("three parts");
    let head = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(head)
        .expect("base64");
    let head: serde_json::Value = serde_json::from_slice(&head).expect("JSON");
    assert_eq!(head["alg"], "EdDSA");
    head["kid"].as_str().expect("a name").to_owned()
}

#[tokio::test]
async fn everybody_may_keep_the_keys_for_a_while() {
    let shop = TestShop::start().await;
    let answer = shop.client().get(KEYS).await;
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    let keys = answer.expect(200);
    assert_eq!(keys["keys"].as_array().expect("keys").len(), 1);
    assert_eq!(keys["keys"][0]["crv"], "Ed25519");
    assert!(keys["keys"][0].get("d").is_none(), "only the public half");
}

#[tokio::test]
async fn a_new_key_is_published_then_signs_and_the_old_one_still_verifies() {
    let shop = TestShop::start().await;
    let (ada, old) = customer(&shop, "ada").await;
    let (new, _) = user::rotate_key(shop.db(Role::User)).await.expect("a key");
    shop.settle().await;
    assert_eq!(published(&shop).await, [signer(&old.access), new.clone()]);
    assert_eq!(
        signer(&log_in(&shop, "ada").await.access),
        signer(&old.access),
        "not yet"
    );
    shop.clock.advance(AHEAD);
    let young = log_in(&shop, "ada").await;
    assert_eq!(signer(&young.access), new);
    assert_eq!(published(&shop).await, [new.clone(), signer(&old.access)]);
    ada.get("/v1/customers/me").await.expect(200);
    let ada = shop.client().with_token(&young.access);
    ada.get("/v1/customers/me").await.expect(200);
    // When the last of its tokens has expired, the old key goes.
    shop.clock.advance(Duration::from_secs(2 * 3600));
    shop.settle().await;
    assert_eq!(published(&shop).await, [new]);
}

#[tokio::test]
async fn two_instances_share_their_keys() {
    let one = TestShop::start().await;
    let other = TestShop::builder()
        .database(one.database().clone())
        .start()
        .await;
    register(&one, "ada").await;
    let here = log_in(&one, "ada").await;
    let there = log_in(&other, "ada").await;
    assert_eq!(signer(&here.access), signer(&there.access));
    assert_eq!(published(&one).await, published(&other).await);
    other
        .client()
        .with_token(&here.access)
        .get("/v1/customers/me")
        .await
        .expect(200);
    one.client()
        .with_token(&there.access)
        .get("/v1/customers/me")
        .await
        .expect(200);

    let (new, _) = user::rotate_key(one.db(Role::User)).await.expect("a key");
    for shop in [&one, &other] {
        shop.settle().await;
        shop.clock.advance(AHEAD);
    }
    let there = log_in(&other, "ada").await;
    assert_eq!(signer(&there.access), new, "without a restart");
    one.client()
        .with_token(&there.access)
        .get("/v1/customers/me")
        .await
        .expect(200);
    // A session that one instance began goes on in the other.
    crate::people::refresh(&one, &there.refresh)
        .await
        .expect(200);
}
