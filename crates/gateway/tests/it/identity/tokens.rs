//! Tokens that carry their claims.

use futures_util::future::join_all;
use serde_json::json;
use testkit::Backend;

use super::played::{Key, Played, claims, sign_by_secret, unsigned};
use super::{Desk, refused, table};
use crate::bridge::Bridge;

const BY: &str = "by = [\"acme\"]";

#[tokio::test]
async fn the_upstream_learns_who_calls_and_only_from_the_gateway() {
    let key = Key::ec("k1");
    let auth = r#"
        by = ["acme"]
        strip = true
        forward = { subject = "x-user-id", scopes = "x-scopes", claims.tenant = "x-tenant", claims.plan = "x-plan" }
    "#;
    let desk = Desk::open(&[&key], "", auth).await;
    let token = desk.token(&key, &json!({"scope": "read write", "tenant": "x"}));
    for _ in 0..2 {
        let client = desk.bridge.client().with_token(&token);
        let asked = client
            .get("/mine/x")
            .header("x-user-id", "root")
            .header("x-tenant", "all")
            .header("x_tenant", "all")
            .header("x-plan", "gold")
            .header("connection", "x-user-id, x-tenant");
        let seen = asked.await.expect(200);
        let headers = &seen["headers"];
        assert_eq!(headers["x-user-id"], "u1");
        assert_eq!(headers["x-scopes"], "read write");
        assert_eq!(headers["x-tenant"], "x");
        for gone in ["x_tenant", "x-plan", "authorization"] {
            assert!(headers.get(gone).is_none(), "{headers}");
        }
    }
}

#[tokio::test]
async fn nobody_gets_in_without_a_token() {
    let key = Key::ed("k1");
    let desk = Desk::open(&[&key], "", BY).await;
    let answer = desk.bridge.client().get("/mine/x").await;
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    answer.problem(401, "auth.required");
    let basic = desk.bridge.client().get("/mine/x");
    basic
        .header("authorization", "Basic eDp5")
        .await
        .problem(401, "auth.required");
    assert_eq!((desk.backend.requests(), desk.played.fetches()), (0, 0));
}

#[tokio::test]
async fn who_is_optional_may_be_nobody_but_not_anybody() {
    let key = Key::ed("k1");
    let auth = "by = [\"acme\"]\noptional = true\nforward = { subject = \"x-caller\" }";
    let desk = Desk::open(&[&key], "", auth).await;
    let asked = desk.bridge.client().get("/mine/x");
    let seen = asked.header("x-caller", "root").await.expect(200);
    assert!(seen["headers"].get("x-caller").is_none(), "{seen}");
    let seen = desk.call(&desk.token(&key, &json!({}))).await.expect(200);
    assert_eq!(seen["headers"]["x-caller"], "u1");
    refused(desk.call("x").await, "nobody here");
}

#[tokio::test]
async fn what_is_forged_foreign_or_out_of_time_does_not_count() {
    let (key, other) = (Key::ed("k1"), Key::ed("k1"));
    let desk = Desk::open(&[&key], "", BY).await;
    let now = desk.now().seconds();
    let good = desk.token(&key, &json!({}));
    desk.call(&good).await.expect(200);
    let (head, _) = good.rsplit_once('.').expect("three parts");
    let text = claims(desk.now(), &json!({}));
    let named = |more| desk.token(&key, &more);
    for (bad, why) in [
        (desk.token(&other, &json!({})), "signature"),
        (format!("{head}."), "signature"),
        (named(json!({"aud": "elsewhere"})), "somebody else"),
        (named(json!({"aud": null})), ""),
        (named(json!({"iss": "https://evil.test"})), "nobody here"),
        (named(json!({"exp": now - 31})), "expired"),
        (named(json!({"exp": "soon"})), ""),
        (named(json!({"nbf": now + 31})), "not count yet"),
        (named(json!({"sub": null})), ""),
        (
            format!("{}.", unsigned(&json!({"alg": "none"}), &text)),
            "no signed token",
        ),
        (
            format!("{}.", unsigned(&json!({"alg": "None", "kid": "k1"}), &text)),
            "no signed",
        ),
        (
            sign_by_secret(key.public(), &json!({"alg": "HS256", "kid": "k1"}), &text),
            "algorithm",
        ),
        (
            key.sign_as(&json!({"alg": "ES256", "kid": "k1"}), &text),
            "algorithm",
        ),
        (
            key.sign_as(
                &json!({"alg": "EdDSA", "kid": "k1", "crit": ["x"], "x": 1}),
                &text,
            ),
            "extensions",
        ),
        (String::from("a.b.c"), "nobody here"),
        ("x".repeat(9000), "too long"),
    ] {
        refused(desk.call(&bad).await, why);
    }
    let skewed = named(json!({"exp": now - 29, "nbf": now + 29}));
    desk.call(&skewed).await.expect(200);
    assert_eq!((desk.backend.requests(), desk.played.fetches()), (2, 1));
}

#[tokio::test]
async fn a_public_key_is_not_the_secret_of_an_issuer_that_has_one_too() {
    let key = Key::ec("k1");
    let secret = "0123456789abcdef0123456789abcdef";
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    std::fs::write(&file, format!("{secret}\n")).expect("written");
    let more = format!("algorithms = [\"ES256\", \"HS256\"]\nsecret_file = {file:?}");
    let desk = Desk::open(&[&key], &more, BY).await;
    let text = claims(desk.now(), &json!({}));
    let head = json!({"alg": "HS256", "kid": "k1"});
    for _ in 0..2 {
        desk.call(&sign_by_secret(secret.as_bytes(), &head, &text))
            .await
            .expect(200);
        desk.call(&key.sign(&text)).await.expect(200);
    }
    refused(
        desk.call(&sign_by_secret(key.public(), &head, &text)).await,
        "signature",
    );
}

#[tokio::test]
async fn a_token_is_verified_once_and_ends_on_time() {
    let key = Key::ed("k1");
    let desk = Desk::open(&[&key], "refresh = \"1d\"", BY).await;
    let token = desk.token(&key, &json!({}));
    for _ in 0..5 {
        desk.call(&token).await.expect(200);
    }
    let metric = "rialto_cache_lookups_total{cache=\"identities\",outcome=\"hit\"";
    assert_eq!(desk.bridge.shop.metric(metric).await, 4);
    desk.pass(929);
    desk.call(&token).await.expect(200);
    desk.pass(1);
    refused(desk.call(&token).await, "expired");
}

#[tokio::test]
async fn a_new_key_is_found_and_a_withdrawn_one_stops_counting() {
    let (old, new) = (Key::ed("old"), Key::ec("new"));
    let desk = Desk::open(&[&old], "", BY).await;
    let (first, second) = (desk.token(&old, &json!({})), desk.token(&new, &json!({})));
    desk.call(&first).await.expect(200);
    desk.played.publishes(&[&old, &new]);
    refused(desk.call(&second).await, "no key");
    assert_eq!(desk.played.fetches(), 1, "not asked again so soon");
    desk.pass(10);
    desk.call(&second).await.expect(200);
    assert_eq!(desk.played.fetches(), 2);
    desk.played.publishes(&[&new]);
    desk.pass(600);
    // Known tokens do not wait for the keys, but are looked at again once these are there.
    let mut calls = 0;
    while desk.call(&first).await.status == 200 {
        calls += 1;
        assert!(calls < 1000, "a withdrawn key still counts");
    }
    refused(desk.call(&first).await, "no key");
    desk.call(&second).await.expect(200);
    assert_eq!(desk.played.fetches(), 3);
}

#[tokio::test]
async fn a_storm_of_unknown_keys_asks_once() {
    let key = Key::ed("k1");
    let desk = Desk::open(&[&key], "", BY).await;
    let storm = async |round: usize| {
        let strangers = (0..40).map(|number| Key::ed(&format!("{round}-{number}")));
        let tokens: Vec<String> = strangers.map(|key| desk.token(&key, &json!({}))).collect();
        let calls = tokens.iter().map(|token| desk.call(token));
        for answer in join_all(calls).await {
            refused(answer, "no key");
        }
    };
    storm(0).await;
    assert_eq!(desk.played.fetches(), 1);
    desk.pass(10);
    storm(1).await;
    assert_eq!(desk.played.fetches(), 2);
    desk.call(&desk.token(&key, &json!({}))).await.expect(200);
    let stranger = desk.token(&Key::ed("stranger"), &json!({}));
    desk.pass(10);
    refused(desk.call(&stranger).await, "no key");
    assert_eq!(desk.played.fetches(), 3);
    desk.pass(10);
    refused(desk.call(&stranger).await, "no key");
    assert_eq!(desk.played.fetches(), 3, "its name is remembered");
}

#[tokio::test]
async fn known_keys_outlive_an_issuer_that_is_away_but_not_for_ever() {
    let key = Key::ed("k1");
    let desk = Desk::open(&[&key], "refresh = \"10m\"\nstale = \"1h\"", BY).await;
    desk.played.is_away(true);
    let token = |more| desk.token(&key, &more);
    desk.call(&token(json!({})))
        .await
        .problem(503, "server.unavailable");
    desk.played.is_away(false);
    desk.call(&token(json!({})))
        .await
        .problem(503, "server.unavailable");
    desk.pass(10);
    let long = token(json!({"exp": desk.now().seconds() + 90_000}));
    desk.call(&long).await.expect(200);
    desk.played.is_away(true);
    desk.pass(600 + 3599);
    desk.call(&long).await.expect(200);
    desk.call(&token(json!({}))).await.expect(200);
    desk.pass(1);
    desk.call(&long).await.problem(503, "server.unavailable");
    desk.call(&token(json!({})))
        .await
        .problem(503, "server.unavailable");
    desk.played.is_away(false);
    desk.pass(10);
    desk.call(&long).await.expect(200);
}

#[tokio::test]
async fn each_token_is_for_the_issuer_that_it_names() {
    let (acme, other) = (Key::ed("k1"), Key::ed("k1"));
    let (backend, first, second) = (
        Backend::start("all").await,
        Played::start().await,
        Played::start().await,
    );
    first.publishes(&[&acme]);
    second.publishes(&[&other]);
    let more = format!(
        "[gateway.issuer.other]\nissuer = \"https://other.test\"\naudience = [\"shop\"]\njwks = \"{}/jwks\"",
        second.url
    );
    let auth = "by = [\"acme\", \"other\"]\nforward = { source = \"x-source\" }";
    let bridge = Bridge::open(&table(&backend, &first, &more, auth)).await;
    let desk = Desk {
        backend,
        played: first,
        bridge,
    };
    let named = json!({"iss": "https://other.test"});
    let seen = desk.call(&desk.token(&other, &named)).await.expect(200);
    assert_eq!(seen["headers"]["x-source"], "other");
    assert_eq!(desk.played.fetches(), 0, "the other one was not asked");
    refused(desk.call(&desk.token(&acme, &named)).await, "signature");
    let seen = desk.call(&desk.token(&acme, &json!({}))).await.expect(200);
    assert_eq!(seen["headers"]["x-source"], "acme");
    assert_eq!((desk.played.fetches(), second.fetches()), (1, 1));
}

#[tokio::test]
async fn scopes_roles_and_claims_decide_who_may() {
    let key = Key::ed("k1");
    let more = "roles = \"realm_access.roles\"";
    let auth = "by = [\"acme\"]\nscopes = [\"read\", \"write\"]\nroles = [\"clerk\", \"chief\"]\nclaims = { tenant = \"x\" }";
    let desk = Desk::open(&[&key], more, auth).await;
    let call = async |scope: &str, role: &str, tenant: &str| {
        let roles = json!({"roles": [role]});
        let more = json!({"scope": scope, "realm_access": roles, "tenant": tenant});
        desk.call(&desk.token(&key, &more)).await
    };
    call("write other read", "chief", "x").await.expect(200);
    let answer = call("read", "chief", "x").await;
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Bearer error=\"insufficient_scope\", scope=\"read write\"")
    );
    answer.problem(403, "auth.forbidden");
    call("read write", "guest", "x")
        .await
        .problem(403, "auth.forbidden");
    call("read write", "clerk", "y")
        .await
        .problem(403, "auth.forbidden");
    assert_eq!(desk.backend.requests(), 1);
}

#[tokio::test]
async fn what_is_put_together_lets_nobody_in_by_the_back_door() {
    let key = Key::ed("k1");
    let compose = r#"
        [[gateway.compose]]
        name = "page"
        path = "/page"
        [gateway.compose.part.mine]
        get = "/mine/x"
    "#;
    let desk = Desk::open(&[&key], compose, BY).await;
    let page = desk.bridge.client().get("/page").await.expect(200);
    assert!(page["mine"].is_null(), "{page}");
    assert_eq!(desk.backend.requests(), 0);
    let token = desk.token(&key, &json!({}));
    let page = desk.bridge.client().with_token(token).get("/page").await;
    assert_eq!(page.expect(200)["mine"]["server"], "all");
}

#[tokio::test]
async fn who_is_revoked_does_not_get_in_any_more_although_the_token_would_last() {
    let key = Key::ed("k1");
    let desk = Desk::open(&[&key], "", BY).await;
    let token = |subject, id| desk.token(&key, &json!({"sub": subject, "jti": id}));
    let (stolen, other) = (token("u1", "t1"), token("u1", "t2"));
    let of_another = token("u2", "t3");
    for good in [&stolen, &other, &of_another] {
        desk.call(good).await.expect(200);
    }
    let until = desk.now().plus(std::time::Duration::from_secs(3600));
    let revoke = async |body| desk.bridge.admin().post("/gateway/revoke", body).await;
    let told = revoke(json!({"source": "acme", "token": "t1", "until": until})).await;
    assert_eq!(told.status, 204);
    refused(desk.call(&stolen).await, "revoked");
    desk.call(&other).await.expect(200);

    let told = revoke(json!({"source": "acme", "subject": "u1", "until": until})).await;
    assert_eq!(told.status, 204);
    refused(desk.call(&other).await, "revoked");
    desk.call(&of_another).await.expect(200);
    // What the subject gets after that counts.
    desk.pass(1);
    desk.call(&token("u1", "t4")).await.expect(200);

    // What would revoke nothing is told.
    for nothing in [
        json!({"source": "acme", "until": until}),
        json!({"source": "acmee", "token": "t4", "until": until}),
        json!({"source": "acme", "token": "t4", "until": desk.now()}),
    ] {
        revoke(nothing).await.problem(422, "request.invalid");
    }
}
