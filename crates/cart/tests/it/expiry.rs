//! How long carts live.

use std::time::Duration;

use platform::{params, sql};
use rialto::Role;
use serde_json::json;
use testkit::TestShop;

use crate::goods::{cart, path};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn kept_carts(shop: &TestShop) -> i64 {
    let tx = shop.db(Role::Cart).read().await.expect("a reader");
    let count = sql!("SELECT COUNT(*) FROM carts WHERE version >= $1");
    let row: Option<(i64,)> = tx.one(count, params![1_i64]).await.expect("a count");
    row.expect("a row").0
}

#[tokio::test]
async fn a_guests_cart_lives_thirty_days_after_its_last_change() {
    let shop = TestShop::start().await;
    let cart = cart(shop.client(), &[]).await;
    let get = || shop.client().get(path(&cart));
    let change = || {
        let body = json!({"email": "ada@example.com"});
        shop.client().patch(path(&cart), body)
    };
    shop.clock.advance(DAY * 29);
    assert_eq!(
        get().await.expect(200)["expires_at"],
        "2026-01-31T12:00:00Z"
    );
    let changed = change().await.expect(200);
    assert_eq!(changed["expires_at"], "2026-03-01T12:00:00Z");
    assert_eq!(changed["updated_at"], "2026-01-30T12:00:00Z");
    shop.clock.advance(DAY * 30 - Duration::from_secs(1));
    get().await.expect(200);
    shop.clock.advance(Duration::from_secs(1));
    get().await.problem(404, "cart.not_found");
    change().await.problem(404, "cart.not_found");
}

#[tokio::test]
async fn a_customers_cart_lives_ninety_days() {
    let shop = TestShop::start().await;
    let ada = shop.customer("ada").await;
    let theirs = cart(&ada.client, &[]).await;
    assert_eq!(theirs["expires_at"], "2026-04-01T12:00:00Z");
}

#[tokio::test]
async fn what_has_expired_is_taken_away_and_nothing_else() {
    let shop = TestShop::start().await;
    let ada = shop.customer("ada").await;
    cart(shop.client(), &[]).await;
    cart(&ada.client, &[]).await;
    shop.settle().await;
    assert_eq!(kept_carts(&shop).await, 2);
    shop.clock.advance(DAY * 31);
    shop.settle().await;
    assert_eq!(kept_carts(&shop).await, 1);
    shop.clock.advance(DAY * 60);
    shop.settle().await;
    assert_eq!(kept_carts(&shop).await, 0);
    let tx = shop.db(Role::Cart).read().await.expect("a reader");
    let count = sql!("SELECT COUNT(*) FROM current_carts WHERE owned_at > $1");
    let long_ago = kernel::Timestamp::from_micros(0);
    let left: Option<(i64,)> = tx.one(count, params![long_ago]).await.expect("a count");
    assert_eq!(left, Some((0,)));
}
