//! What is revoked in one gateway is revoked in all that share a Redis.

use std::time::Duration;

use kernel::Clock;
use parking_lot::Mutex;
use platform::testing::TestRedis;
use serde_json::json;
use testkit::{Answer, Backend};

use super::played::{Key, Played, claims};
use super::{refused, table};
use crate::bridge::Bridge;
use crate::instances::{Cable, eventually};

const USER: &str = "gateway-revocations";

/// What several gateways stand before.
struct World {
    key: Key,
    backend: Backend,
    played: Played,
    redis: Mutex<TestRedis>,
}

impl World {
    async fn start() -> Option<Self> {
        let redis = TestRedis::start()?;
        let (key, played) = (Key::ed("k1"), Played::start().await);
        played.publishes(&[&key]);
        Some(Self {
            key,
            backend: Backend::start("all").await,
            played,
            redis: Mutex::new(redis),
        })
    }

    fn url(&self) -> String {
        self.redis.lock().url()
    }

    /// A gateway that is ready.
    async fn gateway(&self) -> Gateway<'_> {
        let gateway = self.gateway_at(&self.url()).await;
        gateway.bridge.admin().ready().await;
        gateway
    }

    /// A gateway that finds Redis at `url`.
    async fn gateway_at(&self, url: &str) -> Gateway<'_> {
        let table = table(&self.backend, &self.played, "", "by = [\"acme\"]");
        let settings = [("gateway.revocations", url.to_owned())];
        Gateway {
            bridge: Bridge::open_with(&table, &[], &settings).await,
            world: self,
        }
    }
}

struct Gateway<'a> {
    bridge: Bridge,
    world: &'a World,
}

impl Gateway<'_> {
    /// Calls with the token `id` of `subject`.
    async fn call(&self, subject: &str, id: &str) -> Answer {
        let more = json!({"sub": subject, "jti": id});
        let claims = claims(self.bridge.shop.clock.now(), &more);
        let token = self.world.key.sign(&claims);
        let client = self.bridge.client().with_token(token);
        client.get("/mine/x").await
    }

    async fn refuses(&self, subject: &str, id: &str) -> bool {
        self.call(subject, id).await.status == 401
    }

    /// Revokes the `token` or `subject` of this name.
    async fn revoke(&self, what: &str, name: &str) -> Answer {
        let until = self.bridge.shop.clock.now().plus(Duration::from_secs(3600));
        let body = json!({"source": "acme", what: name, "until": until});
        self.bridge.admin().post("/gateway/revoke", body).await
    }
}

#[tokio::test]
async fn what_one_gateway_revokes_no_gateway_lets_in() {
    let Some(world) = World::start().await else {
        return;
    };
    let (one, two) = (world.gateway().await, world.gateway().await);
    for gateway in [&one, &two] {
        gateway.call("u1", "t1").await.expect(200);
        gateway.call("u2", "t2").await.expect(200);
    }
    assert_eq!(one.revoke("token", "t1").await.status, 204);
    refused(one.call("u1", "t1").await, "revoked");
    eventually("the other refuses it", async || {
        two.refuses("u1", "t1").await
    })
    .await;
    assert_eq!(two.revoke("subject", "u2").await.status, 204);
    eventually("and the other way round", async || {
        one.refuses("u2", "t2").await
    })
    .await;
    for gateway in [&one, &two] {
        gateway.call("u1", "t3").await.expect(200);
    }
    // Ready says that it knows.
    let three = world.gateway().await;
    refused(three.call("u1", "t1").await, "revoked");
    refused(three.call("u2", "t2").await, "revoked");
    three.call("u1", "t3").await.expect(200);
    three.bridge.shop.clock.advance(Duration::from_secs(1));
    three.call("u2", "t4").await.expect(200);
}

#[tokio::test]
async fn nothing_that_was_revoked_is_lost_with_redis() {
    let Some(world) = World::start().await else {
        return;
    };
    let (one, two) = (world.gateway().await, world.gateway().await);
    assert_eq!(one.revoke("token", "t1").await.status, 204);
    world.redis.lock().kill();

    let told = one.revoke("token", "t2").await;
    assert_eq!(told.header("retry-after"), Some("1"));
    let problem = told.problem(503, "server.unavailable");
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("revoked in this instance"), "{detail}");
    refused(one.call("u1", "t2").await, "revoked");
    two.call("u1", "t2").await.expect(200);
    for gateway in [&one, &two] {
        eventually("the loss shows", async || {
            !gateway.bridge.follows(USER).await
        })
        .await;
        gateway.bridge.admin().ready().await;
    }

    // It has forgotten everything.
    world.redis.lock().start_again();
    eventually("the call can be repeated", async || {
        one.revoke("token", "t3").await.status == 204
    })
    .await;
    for gateway in [&one, &two] {
        eventually("the return shows", async || {
            gateway.bridge.follows(USER).await
        })
        .await;
    }
    let three = world.gateway().await;
    for gateway in [&one, &two, &three] {
        for id in ["t1", "t2", "t3"] {
            eventually(id, async || gateway.refuses("u1", id).await).await;
        }
        gateway.call("u1", "t4").await.expect(200);
    }
}

#[tokio::test]
async fn who_was_cut_off_learns_what_was_revoked_meanwhile() {
    let Some(world) = World::start().await else {
        return;
    };
    let cable = Cable::to(&world.url()).await;
    let one = world.gateway().await;
    let two = world.gateway_at(&cable.url()).await;
    two.bridge.admin().ready().await;
    eventually("it hears", async || two.bridge.follows(USER).await).await;
    cable.cut();
    eventually("it hears no more", async || !two.bridge.follows(USER).await).await;
    assert_eq!(one.revoke("token", "t1").await.status, 204);
    two.call("u1", "t1").await.expect(200);
    cable.mend();
    eventually("it learns of it", async || two.refuses("u1", "t1").await).await;
}

#[tokio::test]
async fn a_gateway_is_not_ready_before_it_knows_what_was_revoked() {
    let Some(world) = World::start().await else {
        return;
    };
    let cable = Cable::to(&world.url()).await;
    let one = world.gateway().await;
    assert_eq!(one.revoke("token", "t1").await.status, 204);
    cable.cut();
    let two = world.gateway_at(&cable.url()).await;
    let readiness = two.bridge.admin().get("/health/ready").await.expect(503);
    let told = &readiness["roles"]["gateway"];
    assert_eq!(told, "revocations not read yet", "{readiness}");
    // Who does not ask whether it is ready waits until it is.
    let mends = async { cable.mend() };
    let (called, ()) = tokio::join!(two.call("u1", "t1"), mends);
    refused(called, "revoked");
    two.bridge.admin().ready().await;
    cable.cut();
    let three = world.gateway_at(&cable.url()).await;
    // It does not wait for a Redis that is away.
    three.call("u1", "t1").await.expect(200);
}
