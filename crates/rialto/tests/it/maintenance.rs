//! Commands that work on the databases beside a running shop.

use std::process::Command;

use contracts::user::UserRegistered;
use kernel::Event;
use platform::db::DbError;
use platform::events::emit;
use rialto::Role;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use testkit::TestShop;

use crate::program::{Run, command, run, run_with_input};

/// The program, on the databases of `shop`.
fn beside(shop: &TestShop, arguments: &[&str]) -> Command {
    let mut command = command(&std::env::temp_dir(), arguments);
    command.env("RIALTO__DATABASE__URL", shop.database().url());
    command
}

fn run_beside(shop: &TestShop, arguments: &[&str]) -> Run {
    run_with_input(beside(shop, arguments), "")
}

fn json_beside(shop: &TestShop, arguments: &[&str]) -> Value {
    let out = run_beside(shop, arguments).exits(0).out;
    serde_json::from_str(&out).expect("JSON")
}

#[test]
fn migrate_tells_what_it_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let pending = run(folder.path(), &["migrate", "--check"]).exits(4).out;
    assert!(
        pending.contains("user          pending: platform/0001_platform"),
        "{pending}"
    );
    let applied = run(folder.path(), &["migrate", "--role", "user,cart"])
        .exits(0)
        .out;
    assert_eq!(applied.lines().count(), 2, "{applied}");
    assert!(applied.contains("applied:"), "{applied}");
    run(folder.path(), &["migrate", "--check", "--role", "user"]).exits(0);
    run(folder.path(), &["migrate", "--check"]).exits(4);
    run(folder.path(), &["migrate"]).exits(0);
    let checked = run(folder.path(), &["migrate", "--check"]).exits(0).out;
    assert!(
        checked.lines().all(|line| line.ends_with("up to date")),
        "{checked}"
    );
}

#[test]
fn openapi_prints_the_document() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = run(folder.path(), &["openapi"]).exits(0).out;
    let document: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        document,
        serde_json::to_value(rialto::openapi()).expect("plain data")
    );
    assert_eq!(document["openapi"], "3.1.0");
}

#[test]
fn completions_are_to_be_had() {
    let folder = tempfile::tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish"] {
        let script = run(folder.path(), &["completions", shell]).exits(0).out;
        assert!(script.contains("doctor"), "{shell}");
    }
}

#[tokio::test]
async fn staff_log_in_with_the_password_that_was_given() {
    let shop = TestShop::start().await;
    let arguments = [
        "staff",
        "create",
        "--email",
        "Ada@Shop.example",
        "--name",
        "Ada",
        "--role",
        "admin",
        "--role",
        "support",
        "--password-stdin",
    ];
    let created = run_with_input(beside(&shop, &arguments), "correct horse battery\n").exits(0);
    assert!(!created.out.contains("password"), "{}", created.out);
    let log_in = json!({"email": "ada@shop.example", "password": "correct horse battery"});
    shop.client()
        .post("/v1/auth/staff/log-in", log_in)
        .await
        .ok();
    let again = run_with_input(beside(&shop, &arguments), "correct horse battery\n").exits(1);
    assert!(again.err.contains("error: "), "{}", again.err);
    let nothing = run_with_input(beside(&shop, &arguments), "").exits(2);
    assert!(nothing.err.contains("--password-stdin"), "{}", nothing.err);
}

#[tokio::test]
async fn staff_log_in_with_the_password_that_was_generated() {
    let shop = TestShop::start().await;
    let arguments = [
        "staff",
        "create",
        "--email",
        "bob@shop.example",
        "--name",
        "Bob",
        "--role",
        "warehouse",
    ];
    let created = run_beside(&shop, &arguments).exits(0).out;
    let (_, password) = created.split_once("shown this once: ").expect("a password");
    let log_in = json!({"email": "bob@shop.example", "password": password.trim()});
    shop.client()
        .post("/v1/auth/staff/log-in", log_in)
        .await
        .ok();
}

#[tokio::test]
async fn mails_are_listed_and_shown() {
    let shop = TestShop::start().await;
    let ada = json!({
        "email": "ada@example.com", "password": "correct horse battery", "name": "Ada",
    });
    shop.client().post("/v1/customers", ada).await.expect(201);
    shop.settle().await;
    let listed = json_beside(
        &shop,
        &["mail", "list", "--to", "ada@example.com", "--json"],
    );
    let listed = listed.as_array().expect("a list");
    assert_eq!(listed.len(), 2);
    let text = run_beside(&shop, &["mail", "list", "--limit", "1"])
        .exits(0)
        .out;
    assert_eq!(text.lines().count(), 2, "a heading and a mail: {text}");
    let id = listed[0]["id"].as_str().expect("an id");
    let shown = run_beside(&shop, &["mail", "show", id]).exits(0).out;
    assert!(shown.contains("To: ada@example.com"), "{shown}");
    let html = run_beside(&shop, &["mail", "show", "--html"]).exits(0).out;
    assert!(html.starts_with("<!doctype html>"), "{html}");
    let other = "mail_01k3v7m0s2ev3bq1w1m2r8x5zc";
    let missing = run_beside(&shop, &["mail", "show", other]).exits(1);
    assert!(
        missing.err.contains("there is no such mail"),
        "{}",
        missing.err
    );
}

#[tokio::test]
async fn the_templates_that_are_written_are_those_that_are_used() {
    let folder = tempfile::tempdir().expect("a folder");
    run(folder.path(), &["mail", "templates", "mine"]).exits(0);
    let welcome = folder.path().join("mine/welcome.txt");
    std::fs::write(&welcome, "Ahoy").expect("written");
    let again = run(folder.path(), &["mail", "templates", "mine"])
        .exits(0)
        .out;
    assert!(again.contains("welcome.txt is there already"), "{again}");
    assert_eq!(std::fs::read_to_string(&welcome).expect("read"), "Ahoy");
    let arguments = ["config", "check", "--set", "notification.templates=mine"];
    run(folder.path(), &arguments).exits(0);
    std::fs::write(&welcome, "{{ nmae }}").expect("written");
    let broken = run(folder.path(), &arguments).exits(2).err;
    assert!(
        broken.contains("template mine/welcome.txt line 1: undefined value"),
        "{broken}"
    );
}

/// Claims to be a registration, and is none.
#[derive(Debug, Serialize, Deserialize)]
struct Broken {
    nothing: u8,
}

impl Event for Broken {
    const TYPE: &'static str = UserRegistered::TYPE;
    fn subject(&self) -> String {
        String::from("nobody")
    }
}

#[tokio::test]
async fn parked_events_are_listed_and_replayed() {
    let shop = TestShop::start().await;
    let emitted = shop
        .db(Role::User)
        .write(move |tx| async move { emit(&tx, &Broken { nothing: 0 }).await });
    let emitted: Result<(), DbError> = emitted.await;
    emitted.expect("emitted");
    let listed = json_beside(&shop, &["events", "list", "--role", "user", "--json"]);
    shop.settle().await;
    assert!(listed["user"]["outbox"]["pending"].is_i64(), "{listed}");
    let listed = json_beside(&shop, &["events", "list", "--json"]);
    let failures = listed["notification"]["failures"]
        .as_array()
        .expect("a list")
        .clone();
    assert_eq!(failures.len(), 2, "verification and welcome: {listed}");
    assert!(
        failures
            .iter()
            .all(|failure| failure["parked_at"].is_string())
    );
    let text = run_beside(&shop, &["events", "list"]).exits(0).out;
    assert!(
        text.contains("parked") && text.contains("notification.welcome"),
        "{text}"
    );
    let id = failures[0]["event_id"].as_str().expect("an id");
    let replayed = run_beside(&shop, &["events", "replay", id]).exits(0).out;
    assert!(
        replayed.starts_with("2 events will be tried again"),
        "{replayed}"
    );
    shop.settle().await;
    let all = run_beside(&shop, &["events", "replay", "--all", "--role", "user"])
        .exits(0)
        .out;
    assert!(all.starts_with("0 events"), "{all}");
    let other = "evt_01k3v7m0s2ev3bq1w1m2r8x5zc";
    run_beside(&shop, &["events", "replay", other]).exits(1);
}
