//! Who the stories are about.

use platform::sql;
use rialto::Role;
use serde_json::{Value, json};
use testkit::{Answer, Client, TestShop};

/// The password of everybody who does not say otherwise.
pub(crate) const PASSWORD: &str = "correct horse";

/// What a log-in or a refresh answers with.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Session {
    /// Reads the answer of a log-in or refresh that went well.
    #[track_caller]
    pub(crate) fn of(answer: Answer) -> Self {
        let body = answer.expect(200);
        let text = |name: &str| body[name].as_str().expect("a token").to_owned();
        Self {
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    }
}

/// Registers `ada@example.com`, or whoever `name` is.
pub(crate) async fn register(shop: &TestShop, name: &str) -> Value {
    let body = json!({"email": email(name), "password": PASSWORD, "name": name});
    shop.client().post("/v1/customers", body).await.expect(201)
}

pub(crate) fn email(name: &str) -> String {
    format!("{name}@example.com")
}

/// Tries to log in.
pub(crate) async fn try_log_in(shop: &TestShop, name: &str, password: &str) -> Answer {
    let body = json!({"email": email(name), "password": password});
    shop.client().post("/v1/auth/log-in", body).await
}

/// Logs a customer in.
pub(crate) async fn log_in(shop: &TestShop, name: &str) -> Session {
    Session::of(try_log_in(shop, name, PASSWORD).await)
}

/// Registers a customer and logs them in.
pub(crate) async fn customer(shop: &TestShop, name: &str) -> (Client, Session) {
    register(shop, name).await;
    let session = log_in(shop, name).await;
    (shop.client().with_token(&session.access), session)
}

/// Presents a refresh token.
pub(crate) async fn refresh(shop: &TestShop, token: &str) -> Answer {
    let body = json!({"refresh_token": token});
    shop.client().post("/v1/auth/refresh", body).await
}

/// A problem without what differs from request to request.
pub(crate) fn bare(mut problem: Value) -> Value {
    let fields = problem.as_object_mut().expect("an object");
    fields.remove("trace_id");
    problem
}

/// How many rows a table of the user service has.
pub(crate) async fn count(shop: &TestShop, table: &str) -> i64 {
    let select = match table {
        "mail_tokens" => sql!("SELECT COUNT(*) FROM mail_tokens"),
        "sessions" => sql!("SELECT COUNT(*) FROM sessions"),
        "signing_keys" => sql!("SELECT COUNT(*) FROM signing_keys"),
        _ => panic!("no statement counts {table}"),
    };
    let tx = shop.db(Role::User).read().await.expect("a reader");
    tx.one::<(i64,)>(select, &[])
        .await
        .expect("a count")
        .expect("a row")
        .0
}
