//! `/v1/staff`.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::{Answer, Client, TestShop};

use crate::people::{PASSWORD, Session, refresh};

fn mia(roles: &[&str]) -> Value {
    json!({"email": "mia@shop.example", "name": "Mia", "password": PASSWORD, "roles": roles})
}

async fn log_in(shop: &TestShop, password: &str) -> Answer {
    let body = json!({"email": "mia@shop.example", "password": password});
    shop.client().post("/v1/auth/staff/log-in", body).await
}

async fn add(admin: &Client, roles: &[&str]) -> String {
    let view = admin.post("/v1/staff", mia(roles)).await.expect(201);
    format!("/v1/staff/{}", view["id"].as_str().expect("an id"))
}

async fn path_of(client: &Client) -> String {
    let view = client.get("/v1/staff/me").await.expect(200);
    format!("/v1/staff/{}", view["id"].as_str().expect("an id"))
}

#[tokio::test]
async fn somebody_begins_to_work_for_the_shop() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let added = admin
        .post("/v1/staff", mia(&["warehouse", "support"]))
        .await;
    let path = added.header("location").expect("a place").to_owned();
    let view = added.expect(201);
    assert_eq!(view["roles"], json!(["warehouse", "support"]));
    assert_eq!(
        (&view["active"], view.get("password")),
        (&json!(true), None)
    );
    let session = Session::of(log_in(&shop, PASSWORD).await);
    let member = shop.client().with_token(&session.access);
    assert_eq!(member.get("/v1/staff/me").await.expect(200), view);
    assert_eq!(admin.get(&path).await.expect(200), view);
    member.get("/v1/customers").await.expect(200);
    member.get("/v1/staff").await.problem(403, "auth.forbidden");
    let list = admin.get("/v1/staff?limit=1").await.expect(200);
    assert_eq!(list["items"].as_array().expect("items").len(), 1);
    let cursor = list["next_cursor"].as_str().expect("there are more");
    let rest = admin
        .get(format!("/v1/staff?cursor={cursor}"))
        .await
        .expect(200);
    assert_eq!(rest["items"].as_array().expect("items").len(), 1);
}

#[tokio::test]
async fn the_same_key_adds_once() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let add = || {
        admin
            .post("/v1/staff", mia(&["support"]))
            .key("mia")
            .into_future()
    };
    let answers = join_all((0..3).map(|_| add())).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.bytes), (201, &answers[0].bytes));
    }
    let other = admin
        .post("/v1/staff", mia(&["warehouse"]))
        .key("mia")
        .await;
    other.problem(422, "idempotency.key_reused");
    admin
        .post("/v1/staff", mia(&["support"]))
        .await
        .problem(409, "user.email_taken");
}

#[tokio::test]
async fn who_is_deactivated_is_out() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let path = add(&admin, &["support"]).await;
    let session = Session::of(log_in(&shop, PASSWORD).await);
    let tag = admin.get(&path).await.etag();
    let changed = admin
        .patch(&path, json!({"active": false}))
        .if_match(&tag)
        .await;
    assert_eq!(changed.expect(200)["active"], false);
    admin
        .patch(&path, json!({"active": true}))
        .if_match(&tag)
        .await
        .problem(412, "request.stale");
    log_in(&shop, PASSWORD)
        .await
        .problem(401, "user.wrong_credentials");
    refresh(&shop, &session.refresh)
        .await
        .problem(401, "user.session_ended");
    admin
        .patch(&path, json!({"active": true}))
        .await
        .expect(200);
    log_in(&shop, PASSWORD).await.expect(200);
    refresh(&shop, &session.refresh)
        .await
        .problem(401, "user.session_ended");
}

#[tokio::test]
async fn other_roles_count_from_the_next_refresh_on() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let path = add(&admin, &["support"]).await;
    let session = Session::of(log_in(&shop, PASSWORD).await);
    admin
        .patch(&path, json!({"roles": ["warehouse"]}))
        .await
        .expect(200);
    let session = Session::of(refresh(&shop, &session.refresh).await);
    let member = shop.client().with_token(&session.access);
    member
        .get("/v1/customers")
        .await
        .problem(403, "auth.forbidden");
}

#[tokio::test]
async fn another_password_logs_out() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let path = add(&admin, &["support"]).await;
    let session = Session::of(log_in(&shop, PASSWORD).await);
    admin
        .patch(&path, json!({"password": "battery staple"}))
        .await
        .expect(200);
    refresh(&shop, &session.refresh)
        .await
        .problem(401, "user.session_ended");
    log_in(&shop, PASSWORD)
        .await
        .problem(401, "user.wrong_credentials");
    log_in(&shop, "battery staple").await.expect(200);
    let weak = admin.patch(&path, json!({"password": "password"})).await;
    weak.problem(422, "user.weak_password");
}

#[tokio::test]
async fn there_is_always_an_active_admin() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let path = path_of(&admin).await;
    for change in [json!({"active": false}), json!({"roles": ["support"]})] {
        admin
            .patch(&path, change)
            .await
            .problem(409, "user.last_admin");
    }
    admin
        .patch(
            &path,
            json!({"name": "Nina", "roles": ["admin", "support"]}),
        )
        .await
        .expect(200);
    let second = add(&admin, &["admin"]).await;
    admin
        .patch(&second, json!({"active": false}))
        .await
        .expect(200);
    admin
        .patch(&path, json!({"active": false}))
        .await
        .problem(409, "user.last_admin");
    admin
        .patch(&second, json!({"active": true}))
        .await
        .expect(200);
    admin
        .patch(&path, json!({"active": false}))
        .await
        .expect(200);
}

#[tokio::test]
async fn two_admins_who_leave_at_once_do_not_both_leave() {
    let shop = TestShop::start().await;
    for _ in 0..5 {
        let (one, other) = tokio::join!(shop.admin(), shop.admin());
        let (first, second) = (path_of(&one).await, path_of(&other).await);
        // The admins of the rounds before have left.
        let before = one.get("/v1/staff?limit=100").await.expect(200);
        for member in before["items"].as_array().expect("items") {
            let path = format!("/v1/staff/{}", member["id"].as_str().expect("an id"));
            if path != first && path != second {
                one.patch(&path, json!({"active": false})).await.expect(200);
            }
        }
        let leave = |client: &Client, path: &str| {
            client.patch(path, json!({"active": false})).into_future()
        };
        let (a, b) = tokio::join!(leave(&one, &first), leave(&other, &second));
        let mut statuses = [a.status, b.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
    }
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    admin
        .post("/v1/staff", mia(&[]))
        .await
        .problem(422, "request.invalid");
    admin
        .post("/v1/staff", mia(&["pope"]))
        .await
        .problem(422, "request.invalid");
    let path = add(&admin, &["support"]).await;
    admin
        .patch(&path, json!({"roles": []}))
        .await
        .problem(422, "request.invalid");
    admin
        .patch(&path, json!({"email": "m@shop.example"}))
        .await
        .problem(422, "request.invalid");
    let before = admin.get(&path).await.etag();
    assert_eq!(admin.patch(&path, json!({})).await.etag(), before);
    let nobody: kernel::StaffId = shop.sources().id();
    let nobody = format!("/v1/staff/{nobody}");
    admin.get(&nobody).await.problem(404, "user.not_found");
    admin
        .patch(&nobody, json!({"active": false}))
        .await
        .problem(404, "user.not_found");
}

#[tokio::test]
async fn sessions_that_have_expired_are_swept_out() {
    let shop = TestShop::start().await;
    shop.admin().await;
    assert_eq!(crate::people::count(&shop, "sessions").await, 1);
    shop.clock.advance(Duration::from_secs(30 * 24 * 3600));
    shop.settle().await;
    assert_eq!(crate::people::count(&shop, "sessions").await, 0);
}
