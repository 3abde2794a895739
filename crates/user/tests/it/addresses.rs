//! `/v1/customers/me/addresses`.

use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::{Client, TestShop};

use crate::people::customer;

const BOOK: &str = "/v1/customers/me/addresses";

fn home() -> Value {
    json!({"address": {
        "name": "Ada Lovelace",
        "line1": "12 St James's Square",
        "city": "London",
        "postal_code": "SW1Y 4JH",
        "country": "GB",
    }})
}

fn at(line1: &str) -> Value {
    let mut body = home();
    body["address"]["line1"] = json!(line1);
    body
}

async fn add(ada: &Client) -> String {
    let view = ada.post(BOOK, home()).await.expect(201);
    format!("{BOOK}/{}", view["id"].as_str().expect("an id"))
}

#[tokio::test]
async fn an_address_is_kept_changed_and_removed() {
    let shop = TestShop::start().await;
    let (ada, _) = customer(&shop, "ada").await;
    let added = ada.post(BOOK, home()).await;
    let (path, first) = (
        added.header("location").expect("a place").to_owned(),
        added.etag(),
    );
    let view = added.expect(201);
    assert_eq!(view["address"], home()["address"]);
    let shown = ada.get(&path).await;
    assert_eq!(shown.etag(), first);
    assert_eq!(shown.expect(200), view);
    let changed = ada.put(&path, at("Ockham Park")).if_match(&first).await;
    let second = changed.etag();
    assert_eq!(changed.expect(200)["address"]["line1"], "Ockham Park");
    ada.put(&path, at("Elsewhere"))
        .if_match(&first)
        .await
        .problem(412, "request.stale");
    let same = ada.put(&path, at("Ockham Park")).await;
    assert_eq!(same.etag(), second, "what stays the same is no new version");
    ada.delete(&path)
        .if_match(&first)
        .await
        .problem(412, "request.stale");
    ada.delete(&path).if_match(&second).await.expect(204);
    ada.get(&path).await.problem(404, "user.not_found");
    ada.delete(&path).await.problem(404, "user.not_found");
    assert_eq!(
        ada.get(BOOK).await.expect(200),
        json!({"items": [], "next_cursor": null})
    );
}

#[tokio::test]
async fn the_addresses_of_others_are_not_there() {
    let shop = TestShop::start().await;
    let (ada, _) = customer(&shop, "ada").await;
    let (bob, _) = customer(&shop, "bob").await;
    let path = add(&ada).await;
    bob.get(&path).await.problem(404, "user.not_found");
    bob.put(&path, at("Elsewhere"))
        .await
        .problem(404, "user.not_found");
    bob.delete(&path).await.problem(404, "user.not_found");
    assert_eq!(bob.get(BOOK).await.expect(200)["items"], json!([]));
    ada.get(&path).await.expect(200);
    bob.get(format!("{BOOK}/cus_nonsense"))
        .await
        .problem(404, "request.no_route");
}

#[tokio::test]
async fn a_book_has_fifty_pages_even_if_many_write_at_once() {
    let shop = TestShop::start().await;
    let (ada, _) = customer(&shop, "ada").await;
    for _ in 0..6 {
        let adds = (0..8).map(|_| ada.post(BOOK, home()).into_future());
        for answer in join_all(adds).await {
            answer.expect(201);
        }
    }
    let adds = (0..6).map(|_| ada.post(BOOK, home()).into_future());
    let answers = join_all(adds).await;
    let added = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(added, 2);
    ada.post(BOOK, home())
        .await
        .problem(409, "user.address_limit");
    let mut seen = Vec::new();
    let mut path = format!("{BOOK}?limit=20");
    loop {
        let page = ada.get(&path).await.expect(200);
        seen.extend(page["items"].as_array().expect("items").clone());
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("{BOOK}?limit=20&cursor={cursor}");
    }
    let mut ids: Vec<&str> = seen.iter().filter_map(|view| view["id"].as_str()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 50);
}

#[tokio::test]
async fn the_same_key_adds_once() {
    let shop = TestShop::start().await;
    let (ada, _) = customer(&shop, "ada").await;
    let adds = (0..4).map(|_| ada.post(BOOK, home()).key("home").into_future());
    let answers = join_all(adds).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.bytes), (201, &answers[0].bytes));
    }
    ada.post(BOOK, at("Elsewhere"))
        .key("home")
        .await
        .problem(422, "idempotency.key_reused");
    let book = ada.get(BOOK).await.expect(200);
    assert_eq!(book["items"].as_array().expect("items").len(), 1);
    // Somebody else's key is another key.
    let (bob, _) = customer(&shop, "bob").await;
    bob.post(BOOK, at("Elsewhere"))
        .key("home")
        .await
        .expect(201);
}

#[tokio::test]
async fn what_breaks_a_rule_is_pointed_at() {
    let shop = TestShop::start().await;
    let (ada, _) = customer(&shop, "ada").await;
    let problem = ada.post(BOOK, at("")).await.problem(422, "request.invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/address/line1");
    let mut nowhere = home();
    nowhere["address"]["country"] = json!("XX");
    let problem = ada
        .post(BOOK, nowhere)
        .await
        .problem(422, "request.invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/address/country");
    for query in ["limit=0", "limit=101", "limit=x", "page=2"] {
        ada.get(format!("{BOOK}?{query}"))
            .await
            .problem(422, "request.invalid");
    }
    ada.get(format!("{BOOK}?cursor=x"))
        .await
        .problem(400, "request.bad_cursor");
}
