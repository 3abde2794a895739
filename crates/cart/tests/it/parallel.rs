//! Many change one cart at once, and nothing is lost.

use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::{Answer, RequestBuilder, TestShop};

use crate::goods::{cart, line, mug, path, quantities, text, variants};

/// Adds all lines at the same time.
async fn add_at_once(shop: &TestShop, cart: &Value, lines: Vec<Value>) -> Vec<Answer> {
    let lines_path = format!("{}/lines", path(cart));
    let add = |line| shop.client().post(&lines_path, line).into_future();
    join_all(lines.into_iter().map(add)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_additions_of_one_variant_add_up() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let cart = cart(shop.client(), &[]).await;
    let lines = vec![line(&mug.variant_id, 1); 20];
    let mut versions: Vec<i64> = Vec::new();
    for answer in add_at_once(&shop, &cart, lines).await {
        versions.push(answer.expect(200)["version"].as_i64().expect("a version"));
    }
    versions.sort_unstable();
    assert_eq!(versions, (2..=21).collect::<Vec<i64>>());
    let read = shop.client().get(path(&cart)).await.expect(200);
    assert_eq!(quantities(&read), [(mug.variant_id, 20)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_additions_of_as_many_variants_are_all_there() {
    let shop = TestShop::start().await;
    let ids = variants(&shop, 20).await;
    let cart = cart(shop.client(), &[]).await;
    let lines = ids.iter().map(|id| line(id, 1)).collect();
    for answer in add_at_once(&shop, &cart, lines).await {
        answer.expect(200);
    }
    let read = shop.client().get(path(&cart)).await.expect(200);
    let mut found: Vec<String> = quantities(&read).into_iter().map(|(id, _)| id).collect();
    let mut wanted = ids;
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted);
}

/// All of them get the answer of the one that was made.
async fn assert_one_answer(requests: impl Iterator<Item = RequestBuilder>) -> Value {
    let answers = join_all(requests.map(IntoFuture::into_future)).await;
    for answer in &answers {
        let seen = (answer.status, &answer.bytes);
        assert_eq!(seen, (answers[0].status, &answers[0].bytes));
    }
    answers[0].clone().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_request_many_times_at_once_is_one() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let ada = shop.customer("ada").await;
    let lines = json!([line(&mug.variant_id, 1)]);
    let body = json!({"currency": "EUR", "lines": lines});
    let guest = shop.client().clone();
    let created = (0..6).map(|_| {
        let create = guest.post("/v1/carts", body.clone());
        create.key("a-cart-of-the-guest")
    });
    let created = assert_one_answer(created).await;
    // Who means a version finds it changed, by themselves.
    let lines = format!("{}/lines", path(&created));
    let etag = guest.get(path(&created)).await.etag();
    let added = (0..6).map(|_| {
        let add = guest.post(&lines, line(&mug.variant_id, 1));
        add.key("one-more-of-the-mugs").if_match(&etag)
    });
    let added = assert_one_answer(added).await;
    assert_eq!(quantities(&added), [(mug.variant_id, 2)]);
    let claim = format!("{}/claim", path(&created));
    let claimed = (0..6).map(|_| ada.client.post(&claim, json!({})).key("claim"));
    let claimed = assert_one_answer(claimed).await;
    assert_eq!(claimed["customer_id"].as_str(), ada.customer_id.as_deref());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_mean_one_version_one_changes_it() {
    let shop = TestShop::start().await;
    let cart = cart(shop.client(), &[]).await;
    let patch = |number: usize| {
        let body = json!({"email": format!("guest{number}@example.com")});
        let request = shop.client().patch(path(&cart), body);
        request.if_match("\"1\"").into_future()
    };
    let mut changed = Vec::new();
    for answer in join_all((0..10).map(patch)).await {
        if answer.status == 412 {
            answer.problem(412, "request.stale");
        } else {
            changed.push(text(&answer.expect(200)["email"]));
        }
    }
    assert_eq!(changed.len(), 1);
    let read = shop.client().get(path(&cart)).await.expect(200);
    assert_eq!(text(&read["email"]), changed[0]);
    assert_eq!(read["version"], 2);
}
