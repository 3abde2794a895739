//! Every route as nobody, as a customer, as each role of the staff: refused exactly where the
//! route says so.

use std::collections::BTreeSet;

use kernel::identity::Denied;
use kernel::{Caller, StaffRole};
use platform::http::RouteInfo;
use testkit::{Client, TestShop};

/// What the guard of a route answers; anything else came from behind it.
fn refusal(caller: &Caller, route: &RouteInfo) -> Option<(u16, &'static str)> {
    match route.access.check(caller) {
        Ok(()) => None,
        Err(Denied::Unauthenticated) => Some((401, "auth.required")),
        Err(Denied::Forbidden) => Some((403, "auth.forbidden")),
    }
}

/// The path with something in the place of each parameter that can be an id of nothing.
fn path(route: &RouteInfo) -> String {
    let parts = route.path.split('/').map(|part| match part {
        "{id}" if route.role == "order" => "ord_01k3v7m0s2ev3bq1w1m2r8x5zc",
        "{id}" if route.role == "cart" => "cart_01k3v7m0s2ev3bq1w1m2r8x5zc",
        part if part.starts_with('{') => "placeholder",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

async fn assert_access(client: &Client, caller: &Caller, who: &str) {
    for route in rialto::all_routes() {
        let request = client.request(route.method.clone(), path(&route));
        let answer = request
            .header("idempotency-key", "an-access-test-key")
            .await;
        let code = answer.body["code"].as_str().unwrap_or_default();
        let seen = (answer.status, code);
        let what = format!("{} {} as {who}", route.method, route.path);
        match refusal(caller, &route) {
            Some(expected) => assert_eq!(seen, expected, "{what}"),
            None => assert!(
                !["auth.required", "auth.forbidden", "auth.bad_token"].contains(&code),
                "{what}: {seen:?}"
            ),
        }
        assert!(answer.status < 500, "{what}: {}", answer.body);
    }
}

#[tokio::test]
async fn nobody_gets_where_nobody_may() {
    let shop = TestShop::start().await;
    assert_access(shop.client(), &Caller::Anonymous, "nobody").await;
}

#[tokio::test]
async fn customers_get_where_customers_may() {
    let shop = TestShop::start().await;
    let ada = shop.customer("ada").await;
    let caller = Caller::Customer {
        id: shop.sources().id(),
        session: shop.sources().id(),
    };
    assert_access(&ada.client, &caller, "a customer").await;
}

#[tokio::test]
async fn staff_get_where_their_role_lets_them() {
    let shop = TestShop::start().await;
    for role in StaffRole::ALL {
        let client = shop.staff(*role).await;
        let caller = Caller::Staff {
            id: shop.sources().id(),
            session: shop.sources().id(),
            permissions: role.permissions().iter().copied().collect(),
        };
        assert_access(&client, &caller, role.as_str()).await;
    }
}

#[tokio::test]
async fn a_bad_token_is_refused_everywhere() {
    let shop = TestShop::start().await;
    let forged = shop.client().with_token("e30.e30.e30");
    for route in rialto::all_routes() {
        let answer = forged.request(route.method.clone(), path(&route)).await;
        answer.problem(401, "auth.bad_token");
    }
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let mut names = BTreeSet::new();
    let mut places = BTreeSet::new();
    for route in rialto::all_routes() {
        assert!(names.insert(route.operation), "{}", route.operation);
        let place = (route.method.to_string(), route.path.clone());
        assert!(places.insert(place), "{} {}", route.method, route.path);
    }
    let document = serde_json::to_value(rialto::openapi()).expect("plain data");
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths.values().filter_map(|path| path.as_object());
    let operations: Vec<_> = operations.flat_map(|path| path.values()).collect();
    assert_eq!(operations.len(), names.len());
    for operation in operations {
        assert!(operation["x-rialto-access"].is_string(), "{operation}");
        let name = operation["operationId"].as_str().expect("a name");
        assert!(names.contains(name), "{name}");
    }
}
