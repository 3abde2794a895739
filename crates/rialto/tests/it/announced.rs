//! Instances come and go under load, and the gateway is never told where they are but by themselves.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use platform::config::Layers;
use platform::tasks::Shutdown;
use platform::testing::TestDatabase;
use rialto::{Hooks, Listeners, PartEnded, Role, Server, Settings};
use testkit::Client;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How long anything may take to come about.
const PATIENCE: Duration = Duration::from_secs(30);
/// Clients that ask all the time.
const CLIENTS: usize = 4;

/// A process of the shop.
struct Process {
    addresses: Vec<(&'static str, SocketAddr)>,
    shutdown: Shutdown,
    run: JoinHandle<Result<(), PartEnded>>,
}

impl Process {
    async fn start(roles: &BTreeSet<Role>, flags: &[(&str, String)]) -> Self {
        let mut layers = Layers::defaults();
        layers.flag("internal.key", "the key of a shop that lives for a test");
        for key in ["gateway.listen", "admin.listen", "internal.listen"] {
            layers.flag(key, "127.0.0.1:0");
        }
        for (key, value) in flags {
            layers.flag(key, value);
        }
        let settings = Settings::read(&layers, roles).expect("valid");
        let listeners = Listeners::bind(&settings, roles).expect("free ports");
        let hooks = Hooks::default();
        let server = Server::build(settings, roles, listeners, &hooks);
        let server = Box::pin(server).await.expect("starts");
        let shutdown = Shutdown::new();
        let addresses = server.addresses();
        #[expect(clippy::disallowed_methods, reason = "`stop` waits for it")]
        let run = tokio::spawn(Box::pin(server.run(shutdown.clone())));
        Self {
            addresses,
            shutdown,
            run,
        }
    }

    fn address(&self, key: &str) -> SocketAddr {
        let found = self.addresses.iter().find(|(name, _)| *name == key);
        found.expect("it listens").1
    }

    /// Drains it.
    async fn stop(self) {
        self.shutdown.begin();
        let ended = self.run.await.expect("no panic");
        ended.expect("it ends because it was told to");
    }

    /// Requests that it has answered for a gateway.
    async fn answered(&self) -> u64 {
        let admin = Client::new(format!("http://{}", self.address("admin.listen")));
        let metrics = admin.get("/metrics").await;
        let metrics = String::from_utf8_lossy(&metrics.bytes).into_owned();
        let name = "rialto_http_answers_total{";
        let lines = metrics.lines().filter(|line| line.starts_with(name));
        let counts = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
        counts.sum()
    }
}

/// Every service in one process, on a database of its own: what it answers does not matter here.
async fn services(gateway: SocketAddr) -> (Process, TestDatabase) {
    let database = TestDatabase::folder();
    let mut roles = Role::all();
    roles.remove(&Role::Gateway);
    let flags = [
        ("database.url", database.url().to_owned()),
        ("peers.gateway", format!("http://{gateway}")),
    ];
    (Process::start(&roles, &flags).await, database)
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_fails_while_instances_come_and_go() {
    let roles = ["user", "product", "cart", "order", "feed", "notification"];
    let keys: Vec<String> = roles.iter().map(|role| format!("peers.{role}")).collect();
    let flags = keys
        .iter()
        .map(|key| (key.as_str(), "announced:".to_owned()));
    let mut flags: Vec<_> = flags.collect();
    // Also through a route of a table.
    let folder = tempfile::TempDir::new().expect("a folder");
    let table = folder.path().join("routes.toml");
    let kept = "[[gateway.route]]\nname = \"table\"\npath = \"/table/{*rest}\"\nshop = true\nrewrite = \"/v1/{rest}\"";
    std::fs::write(&table, kept).expect("written");
    flags.push(("gateway.routes", table.display().to_string()));
    let gateway = Process::start(&[Role::Gateway].into(), &flags).await;
    let client = Client::new(format!("http://{}", gateway.address("gateway.listen")));
    // Nobody has announced themselves.
    let nobody = client.get("/v1/products").await;
    nobody.problem(503, "server.unavailable");
    let nobody = client.get("/table/products").await;
    nobody.problem(503, "server.unavailable");
    let hears = gateway.address("internal.listen");
    let (first, _database) = services(hears).await;
    until("the first is found", async || {
        client.get("/v1/products").await.status == 200
    })
    .await;
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let asks = async |_| {
        while !over.load(Ordering::Relaxed) {
            client.get("/v1/products").await.expect(200);
            client.get("/table/products").await.expect(200);
            asked.fetch_add(1, Ordering::Relaxed);
        }
    };
    let comes_and_goes = async {
        let (second, _database) = services(hears).await;
        until("the second is found", async || second.answered().await > 0).await;
        // The first drains while requests are on their way to both.
        first.stop().await;
        let answered = second.answered().await;
        let before = asked.load(Ordering::Relaxed);
        until("the second is asked", async || {
            asked.load(Ordering::Relaxed) > before + 100
        })
        .await;
        // What was answered, and not counted yet, was on its way to the clients.
        let on_their_way = u64::try_from(CLIENTS).expect("a few");
        assert!(second.answered().await >= answered + 100 - on_their_way);
        over.store(true, Ordering::Relaxed);
        second
    };
    let (_, second) = tokio::join!(join_all((0..CLIENTS).map(asks)), comes_and_goes);
    second.stop().await;
    let nobody = client.get("/v1/products").await;
    nobody.problem(503, "server.unavailable");
    gateway.stop().await;
}
