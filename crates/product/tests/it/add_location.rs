//! `POST` and `GET /v1/inventory/locations`.

use serde_json::json;
use testkit::TestShop;

const PATH: &str = "/v1/inventory/locations";

#[tokio::test]
async fn a_location_has_a_name_and_a_place_in_the_order() {
    let shop = TestShop::start().await;
    let staff = shop.admin().await;
    let post = |body| staff.post(PATH, body);
    let venice = post(json!({"name": "Venice", "priority": 5}))
        .await
        .expect(201);
    assert!(
        venice["id"]
            .as_str()
            .is_some_and(|id| id.starts_with("loc_"))
    );
    let mestre = post(json!({"name": "Mestre"})).await.expect(201);
    assert_eq!(mestre["priority"], 6);
    post(json!({"name": "Burano", "priority": 1}))
        .await
        .expect(201);
    post(json!({"name": "Venice"}))
        .await
        .problem(409, "product.location_taken");
    let page = staff.get(format!("{PATH}?limit=3")).await.expect(200);
    let names = |page: &serde_json::Value| -> Vec<String> {
        let items = page["items"].as_array().expect("items");
        items
            .iter()
            .filter_map(|item| Some(item["name"].as_str()?.to_owned()))
            .collect()
    };
    // The first one was there before.
    assert_eq!(names(&page), ["Main", "Burano", "Venice"]);
    let cursor = page["next_cursor"].as_str().expect("a next page");
    let page = staff
        .get(format!("{PATH}?limit=3&cursor={cursor}"))
        .await
        .expect(200);
    assert_eq!(names(&page), ["Mestre"]);
    assert!(page["next_cursor"].is_null());
    staff
        .get(format!("{PATH}?cursor=nonsense"))
        .await
        .problem(400, "request.bad_cursor");
}

#[tokio::test]
async fn repeating_a_request_adds_one_location() {
    let shop = TestShop::start().await;
    let staff = shop.admin().await;
    let first = staff
        .post(PATH, json!({"name": "Venice"}))
        .key("venice")
        .await;
    let again = staff
        .post(PATH, json!({"name": "Venice"}))
        .key("venice")
        .await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!((first.status, first.bytes), (again.status, again.bytes));
    let other = staff
        .post(PATH, json!({"name": "Mestre"}))
        .key("venice")
        .await;
    other.problem(422, "idempotency.key_reused");
}

#[tokio::test]
async fn there_are_not_too_many() {
    let shop = TestShop::start().await;
    let staff = shop.admin().await;
    let names = (1..=99).map(|number| format!("Shelf {number}"));
    let adding = names.map(|name| staff.post(PATH, json!({"name": name})).into_future());
    for answer in futures_util::future::join_all(adding).await {
        answer.expect(201);
    }
    let refused = staff.post(PATH, json!({"name": "One more"})).await;
    refused.problem(409, "product.too_many_locations");
}

#[tokio::test]
async fn broken_rules_are_pointed_at() {
    let shop = TestShop::start().await;
    let staff = shop.admin().await;
    let bodies = [
        (json!({"name": ""}), "/name"),
        (json!({"name": "x".repeat(101)}), "/name"),
        (json!({"name": "Venice", "priority": -1}), "/priority"),
        (
            json!({"name": "Venice", "priority": 1_000_001}),
            "/priority",
        ),
    ];
    for (body, pointer) in bodies {
        let problem = staff.post(PATH, body).await.problem(422, "request.invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
}
