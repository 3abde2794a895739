//! Tokens that a server is asked about.

use futures_util::future::join_all;
use serde_json::json;
use testkit::Backend;

use super::played::Played;
use super::{Desk, refused, table};
use crate::bridge::Bridge;

const BY: &str = "by = [\"opaque\"]\nforward = { subject = \"x-caller\" }";

async fn desk(more: &str, auth: &str) -> (Desk, tempfile::TempDir) {
    let (backend, played) = (Backend::start("all").await, Played::start().await);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    std::fs::write(&file, "s:cret\n").expect("written");
    let more = format!(
        "[gateway.introspection.opaque]\nurl = \"{}/introspect\"\nclient_id = \"gateway\"\nsecret_file = {file:?}\n{more}",
        played.url
    );
    let bridge = Bridge::open(&table(&backend, &played, &more, auth)).await;
    let desk = Desk {
        backend,
        played,
        bridge,
    };
    (desk, folder)
}

#[tokio::test]
async fn a_server_is_asked_once_about_each_token() {
    let (desk, _folder) = desk("", BY).await;
    let end = desk.now().seconds() + 20;
    let answer = json!({"active": true, "sub": "u7", "scope": "read", "exp": end});
    desk.played.knows("secret-one", answer);
    let calls = (0..20).map(|_| desk.call("secret-one"));
    for answer in join_all(calls).await {
        assert_eq!(answer.expect(200)["headers"]["x-caller"], "u7");
    }
    assert_eq!(desk.played.questions(), 1);
    assert_eq!(desk.played.asked_by(), "Basic Z2F0ZXdheTpzJTNBY3JldA==");
    desk.pass(19);
    desk.call("secret-one").await.expect(200);
    assert_eq!(desk.played.questions(), 1);
    // Its own end comes before that of the answer.
    desk.pass(1);
    refused(desk.call("secret-one").await, "expired");
    assert_eq!(desk.played.questions(), 2);
}

#[tokio::test]
async fn what_is_not_active_is_remembered_for_less_long() {
    let (desk, _folder) = desk("", BY).await;
    for _ in 0..3 {
        refused(desk.call("later").await, "not active");
    }
    assert_eq!(desk.played.questions(), 1);
    desk.played
        .knows("later", json!({"active": true, "username": "u8"}));
    desk.pass(10);
    let seen = desk.call("later").await.expect(200);
    assert_eq!(seen["headers"]["x-caller"], "u8");
    desk.played.knows("later", json!({"active": false}));
    desk.pass(29);
    desk.call("later").await.expect(200);
    desk.pass(1);
    refused(desk.call("later").await, "not active");
}

#[tokio::test]
async fn a_token_for_somebody_else_does_not_count() {
    let (desk, _folder) = desk("audience = [\"shop\"]", BY).await;
    desk.played
        .knows("a", json!({"active": true, "sub": "u", "aud": "shop"}));
    desk.played
        .knows("b", json!({"active": true, "sub": "u", "aud": ["x"]}));
    desk.played.knows("c", json!({"active": true, "sub": "u"}));
    desk.call("a").await.expect(200);
    refused(desk.call("b").await, "somebody else");
    refused(desk.call("c").await, "somebody else");
}

#[tokio::test]
async fn nobody_gets_in_while_nobody_knows() {
    let (desk, _folder) = desk("", BY).await;
    desk.played.is_away(true);
    let answer = desk.call("t").await;
    assert_eq!(answer.header("retry-after"), Some("1"));
    answer.problem(503, "server.unavailable");
    assert_eq!(desk.backend.requests(), 0);
    desk.played.is_away(false);
    desk.played.knows("t", json!({"active": true, "sub": "u"}));
    desk.pass(1);
    desk.call("t").await.expect(200);
}

#[tokio::test]
async fn anybody_gets_in_where_the_table_says_so_as_nobody() {
    let open = "when_away = \"open\"";
    let (open_desk, _folder) = desk(open, BY).await;
    open_desk.played.is_away(true);
    let seen = open_desk.call("t").await.expect(200);
    assert!(seen["headers"].get("x-caller").is_none(), "{seen}");
    let (strict, _folder) = desk(open, "by = [\"opaque\"]\nscopes = [\"read\"]").await;
    strict.played.is_away(true);
    strict.call("t").await.problem(503, "server.unavailable");
}
