//! API keys.

use serde_json::Value;
use testkit::Backend;

use super::played::Played;
use super::{Desk, refused, table};
use crate::bridge::Bridge;

fn line(name: &str, key: &str, scopes: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
    let hex: String = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{name} {hex} {scopes}\n")
}

async fn desk(text: &str) -> (Desk, tempfile::TempDir) {
    let route =
        "[gateway.route.request]\nheaders.set = { x-may = \"{{ identity.scopes | join(' ') }}\" }";
    desk_with(text, route).await
}

/// `route` stands at the end of the route.
async fn desk_with(text: &str, route: &str) -> (Desk, tempfile::TempDir) {
    let (backend, played) = (Backend::start("all").await, Played::start().await);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keys.txt");
    std::fs::write(&file, text).expect("written");
    let more = format!("[gateway.keys.partners]\nfile = {file:?}");
    let auth = "by = [\"partners\"]\nscopes = [\"read\"]\nstrip = true\nforward = { subject = \"x-caller\" }";
    let auth = format!("{auth}\n{route}");
    let bridge = Bridge::open(&table(&backend, &played, &more, &auth)).await;
    let desk = Desk {
        backend,
        played,
        bridge,
    };
    (desk, folder)
}

#[tokio::test]
async fn a_key_says_who_calls_in_a_header_or_as_bearer() {
    let text = line("crm", "key-of-crm", "read,write") + &line("bot", "key-of-bot", "");
    let (desk, _folder) = desk(&text).await;
    let by_header = async |key: &str| {
        let asked = desk.bridge.client().get("/mine/x");
        asked.header("x-api-key", key).await
    };
    for answer in [by_header("key-of-crm").await, desk.call("key-of-crm").await] {
        let seen: Value = answer.expect(200);
        assert_eq!(seen["headers"]["x-caller"], "crm");
        // What changes requests knows who calls.
        assert_eq!(seen["headers"]["x-may"], "read write");
        for gone in ["x-api-key", "authorization"] {
            assert!(seen["headers"].get(gone).is_none(), "{seen}");
        }
    }
    by_header("key-of-bot").await.problem(403, "auth.forbidden");
    refused(by_header("key-of-crm2").await, "not known");
    refused(by_header("").await, "not known");
    let twice = desk.bridge.client().get("/mine/x");
    let twice = twice
        .header("x-api-key", "key-of-crm")
        .header("x-api-key", "x");
    refused(twice.await, "more than one");
}

#[tokio::test]
async fn a_file_that_changes_is_read_again_and_a_wrong_one_is_not() {
    let (desk, folder) = desk(&line("one", "k1", "read")).await;
    let file = folder.path().join("keys.txt");
    let status = async |key: &str| desk.call(key).await.status;
    assert_eq!((status("k1").await, status("k2").await), (200, 401));
    std::fs::write(&file, line("two", "k2", "read")).expect("written");
    while status("k2").await != 200 {}
    assert_eq!(status("k1").await, 401);
    std::fs::write(&file, "two k2\n").expect("written");
    // The next right file is read after the wrong one.
    assert_eq!(status("k2").await, 200);
    std::fs::write(&file, line("three", "k3", "read")).expect("written");
    while status("k3").await != 200 {}
    assert_eq!(status("k2").await, 401);
}

/// The upstream sees no `Authorization` and no key: the gateway has taken them out.
#[tokio::test]
async fn what_one_caller_got_is_kept_for_others_only_if_the_answer_says_so() {
    let text = line("one", "k1", "read") + &line("two", "k2", "read");
    let (desk, _folder) = desk_with(&text, "[gateway.route.cache]").await;
    let seen_by = async |key: &str| {
        let asked = desk.bridge.client().get("/mine/x");
        let seen = asked.header("x-api-key", key).await.expect(200);
        seen["headers"]["x-caller"].as_str().map(str::to_owned)
    };
    desk.backend.tells("cache-control", "max-age=60");
    for (key, name) in [("k1", "one"), ("k2", "two"), ("k1", "one")] {
        assert_eq!(seen_by(key).await.as_deref(), Some(name));
    }
    assert_eq!(desk.backend.requests(), 3);
    desk.backend.tells("cache-control", "public, max-age=60");
    for key in ["k1", "k2"] {
        assert_eq!(seen_by(key).await.as_deref(), Some("one"));
    }
    assert_eq!(desk.backend.requests(), 4);
    // Who may not call gets nothing of it.
    refused(desk.call("k3").await, "nobody here");
}
