//! Who calls.

mod keys;
mod opaque;
mod played;
mod shared;
mod tokens;

use kernel::{Clock, Timestamp};
use serde_json::Value;
use testkit::{Answer, Backend};

use self::played::{Key, Played, claims};
use crate::bridge::Bridge;

/// A route `/mine/...` for callers of an issuer `acme`.
struct Desk {
    backend: Backend,
    played: Played,
    bridge: Bridge,
}

impl Desk {
    /// `more` stands before the route, `auth` in what it wants.
    async fn open(keys: &[&Key], more: &str, auth: &str) -> Self {
        let (backend, played) = (Backend::start("all").await, Played::start().await);
        played.publishes(keys);
        let table = table(&backend, &played, more, auth);
        let bridge = Bridge::open(&table).await;
        Self {
            backend,
            played,
            bridge,
        }
    }

    fn now(&self) -> Timestamp {
        self.bridge.shop.clock.now()
    }

    fn pass(&self, seconds: u64) {
        let time = std::time::Duration::from_secs(seconds);
        self.bridge.shop.clock.advance(time);
    }

    fn token(&self, key: &Key, more: &Value) -> String {
        key.sign(&claims(self.now(), more))
    }

    async fn call(&self, token: &str) -> Answer {
        let client = self.bridge.client().with_token(token);
        client.get("/mine/x").await
    }
}

fn table(backend: &Backend, played: &Played, more: &str, auth: &str) -> String {
    let (backend, played) = (backend.url(), &played.url);
    format!(
        r#"
        [gateway.upstream.all]
        servers = ["{backend}"]
        [gateway.issuer.acme]
        issuer = "https://acme.test"
        jwks = "{played}/jwks"
        audience = ["shop"]
        {more}
        [[gateway.route]]
        name = "mine"
        path = "/mine/{{*rest}}"
        upstream = "all"
        [gateway.route.auth]
        {auth}
        "#
    )
}

/// Checks that a credential was refused as RFC 6750 says.
#[track_caller]
fn refused(answer: Answer, why: &str) {
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    assert!(challenge.contains(why), "{why}: {challenge}");
    answer.problem(401, "auth.bad_token");
}
