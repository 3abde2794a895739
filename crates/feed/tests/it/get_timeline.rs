//! `GET /v1/timelines/{author}`.

use std::time::Duration;

use testkit::TestShop;

use crate::posts::{path, publish, text, texts};

/// Ids are in order from one millisecond to the next.
const MOMENT: Duration = Duration::from_millis(1);

#[tokio::test]
async fn a_timeline_has_the_newest_first_page_by_page() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let ada = shop.verified_customer("ada").await;
    for number in 1..=5 {
        shop.clock.advance(MOMENT);
        publish(&admin, &format!("of the shop, {number}")).await;
        publish(&ada.client, &format!("of Ada, {number}")).await;
    }
    let hers = format!("/v1/timelines/{}", ada.customer_id.expect("a customer"));
    for (path, of) in [("/v1/timelines/shop", "the shop"), (&hers, "Ada")] {
        let first = format!("{path}?limit=2");
        let (mut next, mut seen) = (Some(first), Vec::new());
        while let Some(page) = next {
            let page = shop.client().get(page).await.expect(200);
            seen.extend(texts(&page).into_iter().map(ToOwned::to_owned));
            let cursor = page["next_cursor"].as_str();
            next = cursor.map(|cursor| format!("{path}?limit=2&cursor={cursor}"));
        }
        let all: Vec<String> = (1..=5).rev().map(|n| format!("of {of}, {n}")).collect();
        assert_eq!(seen, all);
    }
}

#[tokio::test]
async fn a_cursor_is_for_the_timeline_that_gave_it() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    for text in ["one", "two"] {
        publish(&admin, text).await;
    }
    let page = shop.client().get("/v1/timelines/shop?limit=1").await.ok();
    let cursor = text(&page["next_cursor"]);
    let other = format!("/v1/timelines/cus_01k3v7m0s2ev3bq1w1m2r8x5zc?cursor={cursor}");
    let refused = shop.client().get(other).await;
    refused.problem(400, "request.bad_cursor");
}

#[tokio::test]
async fn a_timeline_of_nobody_is_empty_and_tells_nothing() {
    let shop = TestShop::start().await;
    let ada = shop.customer("ada").await;
    let known = ada.customer_id.expect("a customer");
    for customer in [known.as_str(), "cus_01k3v7m0s2ev3bq1w1m2r8x5zc"] {
        let path = format!("/v1/timelines/{customer}");
        let page = shop.client().get(path).await.expect(200);
        assert!(texts(&page).is_empty());
    }
    let nonsense = shop.client().get("/v1/timelines/everybody").await;
    nonsense.problem(404, "request.no_route");
}

#[tokio::test]
async fn customers_are_told_what_they_like() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let (ada, bob) = (shop.customer("ada").await, shop.customer("bob").await);
    publish(&admin, "one").await;
    shop.clock.advance(MOMENT);
    let two = publish(&admin, "two").await;
    let like = ada.client.put(format!("{}/like", path(&two)), ());
    like.await.expect(204);
    let hers = ada.client.get("/v1/timelines/shop").await.expect(200);
    assert_eq!(hers["items"][0]["liked"], true);
    assert_eq!(hers["items"][1]["liked"], false);
    let his = bob.client.get("/v1/timelines/shop").await.expect(200);
    assert_eq!(his["items"][0]["liked"], false);
    let everybodys = shop.client().get("/v1/timelines/shop").await.expect(200);
    assert!(everybodys["items"][0].get("liked").is_none());
    assert_eq!(everybodys["items"][0]["likes"], 1);
}
