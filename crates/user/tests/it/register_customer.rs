//! `POST /v1/customers`.

use std::time::{Duration, Instant};

use contracts::user::UserRegistered;
use futures_util::future::join_all;
use platform::sql;
use rialto::Role;
use serde_json::json;
use testkit::TestShop;
use tokio::sync::oneshot;

fn ada() -> serde_json::Value {
    json!({"email": "Ada@Example.com", "password": "correct horse", "name": "Ada"})
}

#[tokio::test]
async fn somebody_becomes_a_customer() {
    let shop = TestShop::start().await;
    let answer = shop.client().post("/v1/customers", ada()).await;
    assert_eq!(answer.header("location"), Some("/v1/customers/me"));
    let profile = answer.expect(201);
    assert!(
        profile["id"]
            .as_str()
            .is_some_and(|id| id.starts_with("cus_"))
    );
    assert_eq!(profile["email"], "ada@example.com");
    assert_eq!(profile["email_verified"], false);
    assert_eq!(profile["created_at"], "2026-01-01T12:00:00Z");
}

#[tokio::test]
async fn an_address_is_taken_once() {
    let shop = TestShop::start().await;
    shop.client().post("/v1/customers", ada()).await.expect(201);
    let again = shop.client().post("/v1/customers", ada()).await;
    again.problem(409, "user.email_taken");
}

#[tokio::test]
async fn the_same_key_gets_the_same_answer() {
    let shop = TestShop::start().await;
    let key = "0198-registration-of-ada";
    let first = shop.client().post("/v1/customers", ada()).key(key).await;
    let again = shop
        .client()
        .post("/v1/customers", ada())
        .key(format!("\"{key}\""))
        .await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!((first.status, &first.bytes), (again.status, &again.bytes));
    let mut other = ada();
    other["name"] = json!("Augusta");
    let other = shop.client().post("/v1/customers", other).key(key).await;
    other.problem(422, "idempotency.key_reused");
}

#[tokio::test]
async fn the_same_key_at_once_registers_once() {
    let shop = TestShop::start().await;
    let post = || {
        shop.client()
            .post("/v1/customers", ada())
            .key("0198-registration-of-ada")
    };
    let answers = join_all((0..4).map(|_| post().into_future())).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.bytes), (201, &answers[0].bytes));
    }
    assert_eq!(shop.announced::<UserRegistered>().await.len(), 1);
}

/// What the first request saves becomes visible between two looks of the second one, which a lock of
/// PostgreSQL holds up there.
#[tokio::test]
async fn a_repetition_that_looks_while_the_first_is_saved_gets_its_answer() {
    let shop = TestShop::start().await;
    if !shop.database().is_postgres() {
        return;
    }
    let post = || {
        let post = shop.client().post("/v1/customers", ada());
        post.key("0198-registration-of-ada")
    };
    let first = post().await;
    let db = shop.db(Role::User);
    let undone = db.write(|tx| async move {
        tx.run(sql!("CREATE TABLE saved AS TABLE customers"), &[])
            .await?;
        tx.run(sql!("CREATE TABLE answers AS TABLE idempotency"), &[])
            .await?;
        tx.run(sql!("DELETE FROM customers"), &[]).await?;
        tx.run(sql!("DELETE FROM idempotency"), &[]).await
    });
    undone.await.expect("as if the first had not been saved");
    let (saves, saving) = oneshot::channel();
    let saved = db.write(|tx| async move {
        let lock = sql!("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE");
        tx.exec(lock, &[]).await?;
        saves.send(()).expect("somebody waits");
        let waiting = sql!(
            "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND relation = 'customers'::regclass"
        );
        let deadline = Instant::now() + Duration::from_secs(20);
        while tx.one::<(i64,)>(waiting, &[]).await? == Some((0,)) {
            assert!(Instant::now() < deadline, "nobody looks for the customer");
        }
        tx.run(sql!("INSERT INTO customers TABLE saved"), &[])
            .await?;
        tx.run(sql!("INSERT INTO idempotency TABLE answers"), &[])
            .await
    });
    let repeated = async {
        saving.await.expect("the first is being saved");
        post().await
    };
    let (saved, repeated) = tokio::join!(saved, repeated);
    saved.expect("saved");
    assert_eq!((repeated.status, &repeated.bytes), (201, &first.bytes));
}

#[tokio::test]
async fn one_of_many_at_once_gets_the_address() {
    let shop = TestShop::start().await;
    let posts = (0..4).map(|_| shop.client().post("/v1/customers", ada()).into_future());
    let mut statuses: Vec<u16> = join_all(posts)
        .await
        .iter()
        .map(|answer| answer.status)
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);
    assert_eq!(shop.announced::<UserRegistered>().await.len(), 1);
}

#[tokio::test]
async fn every_broken_rule_is_pointed_at() {
    let shop = TestShop::start().await;
    let post = |body| shop.client().post("/v1/customers", body);
    let weak = json!({"email": "ada@example.com", "password": "short", "name": "Ada"});
    let problem = post(weak).await.problem(422, "user.weak_password");
    assert_eq!(problem["errors"][0]["pointer"], "/password");
    let problem = post(json!({"email": "nobody", "password": "correct horse", "name": "Ada"}))
        .await
        .problem(422, "request.invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/email");
    let unknown =
        json!({"email": "a@example.com", "password": "correct horse", "name": "A", "x": 1});
    post(unknown).await.problem(422, "request.invalid");
}
