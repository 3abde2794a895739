//! Starting and steering a shop.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kernel::{ManualClock, Sources, StaffRole, SystemClock, SystemRandom, Timestamp};
use platform::config::Layers;
use platform::events::Consumer;
use platform::http::serve::bind;
use platform::tasks::Shutdown;
use platform::testing::TestDatabase;
use rialto::{Handle, Hooks, Listeners, PartEnded, Role, Server, Settings};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::chaos::ChaosSink;
use crate::client::Client;

/// Which roles run together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// Everything in one server.
    AllInOne,
    /// These roles in a server each.
    Split(Vec<Vec<Role>>),
}

impl Layout {
    /// What `TEST_LAYOUT` says: `split`, or all in one.
    pub fn from_environment() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "tests are configured by their runner"
        )]
        let layout = std::env::var("TEST_LAYOUT").unwrap_or_default();
        if layout == "split" {
            Self::split()
        } else {
            Self::AllInOne
        }
    }

    /// Every call between services leaves its process.
    pub fn split() -> Self {
        Self::Split(vec![
            vec![Role::Gateway],
            vec![Role::Order, Role::User],
            vec![Role::Cart],
            vec![Role::Feed],
            vec![Role::Product, Role::Notification],
        ])
    }

    fn servers(&self) -> Vec<BTreeSet<Role>> {
        match self {
            Self::AllInOne => vec![Role::all()],
            Self::Split(servers) => servers
                .iter()
                .map(|roles| roles.iter().copied().collect())
                .collect(),
        }
    }
}

/// A shop that is being set up.
#[derive(Debug)]
pub struct TestShopBuilder {
    layout: Layout,
    flags: BTreeMap<String, String>,
    real_clock: bool,
    calm: bool,
    database: Option<TestDatabase>,
}

impl TestShopBuilder {
    /// Another layout than that of the environment.
    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// Sets a key of the configuration.
    pub fn set(mut self, key: &str, value: impl ToString) -> Self {
        self.flags.insert(key.to_owned(), value.to_string());
        self
    }

    /// Lets the clock run, for tests of load.
    pub fn real_clock(mut self) -> Self {
        self.real_clock = true;
        self
    }

    /// Delivers events once and in order, for tests that count.
    pub fn calm_bus(mut self) -> Self {
        self.calm = true;
        self
    }

    /// Starts on a database that another shop has used.
    pub fn database(mut self, database: TestDatabase) -> Self {
        self.database = Some(database);
        self
    }

    /// Starts the shop.
    pub async fn start(self) -> TestShop {
        let clock = Arc::new(ManualClock::at(start_of_time()));
        let sources = if self.real_clock {
            Sources::new(Arc::new(SystemClock), Arc::new(SystemRandom))
        } else {
            Sources::new(clock.clone(), Arc::new(SystemRandom))
        };
        let database = match self.database.clone() {
            Some(database) => database,
            None => TestDatabase::from_template(&template_name(), migrate_all).await,
        };
        let mut shop = TestShop {
            client: Client::new(""),
            admin: Vec::new(),
            clock,
            sources,
            database,
            handles: Vec::new(),
            servers: Vec::new(),
            shutdown: Shutdown::new(),
        };
        self.start_servers(&mut shop).await;
        shop
    }

    async fn start_servers(&self, shop: &mut TestShop) {
        let servers = self.layout.servers();
        let bound: Vec<Bound> = servers.iter().map(Bound::new).collect();
        let mut peers: BTreeMap<Role, SocketAddr> = BTreeMap::new();
        for (roles, bound) in servers.iter().zip(&bound) {
            peers.extend(roles.iter().map(|role| (*role, bound.internal_address)));
        }
        for (roles, bound) in servers.iter().zip(bound) {
            let layers = self.layers(&shop.database, &peers, roles);
            let settings = Settings::read(&layers, roles).expect("the test's settings are valid");
            let wrap: Option<Arc<_>> = (!self.calm).then(|| {
                let wrap =
                    |sink| -> Arc<dyn platform::events::EventSink> { Arc::new(ChaosSink(sink)) };
                Arc::new(wrap) as _
            });
            let hooks = Hooks {
                sources: shop.sources.clone(),
                wrap_sink: wrap,
            };
            if roles.contains(&Role::Gateway) {
                shop.client = Client::new(format!("http://{}", bound.gateway_address));
            }
            shop.admin
                .push(Client::new(format!("http://{}", bound.admin_address)));
            let built = Server::build(settings, roles, bound.listeners, &hooks).await;
            let server = built.expect("the test's shop starts");
            shop.handles.push(server.handle());
            let stop = shop.shutdown.clone();
            #[expect(clippy::disallowed_methods, reason = "ends with the test's shop")]
            shop.servers.push(tokio::spawn(server.run(stop)));
        }
    }

    fn layers(
        &self,
        database: &TestDatabase,
        peers: &BTreeMap<Role, SocketAddr>,
        roles: &BTreeSet<Role>,
    ) -> Layers {
        let mut layers = Layers::defaults();
        layers.flag("database.url", database.url());
        layers.flag("database.write_connections", "4");
        layers.flag("database.read_connections", "2");
        // One hash is made at a time for each user of a test; the cost is the same.
        layers.flag(
            "internal.key",
            "the key of a shop that lives for one test only",
        );
        for (role, address) in peers {
            if !roles.contains(role) {
                layers.flag(&format!("peers.{role}"), &format!("http://{address}"));
            }
        }
        for (key, value) in &self.flags {
            layers.flag(key, value);
        }
        layers
    }
}

/// Listeners on ports that the system chose.
struct Bound {
    gateway_address: SocketAddr,
    internal_address: SocketAddr,
    admin_address: SocketAddr,
    listeners: Listeners,
}

impl Bound {
    fn new(_: &BTreeSet<Role>) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let open = || bind(any).expect("a free port");
        let address = |listener: &TcpListener| listener.local_addr().expect("bound");
        let (gateway, internal, admin) = (open(), open(), open());
        Self {
            gateway_address: address(&gateway),
            internal_address: address(&internal),
            admin_address: address(&admin),
            listeners: Listeners {
                gateway: Some(gateway),
                redirect: None,
                internal: Some(internal),
                admin: Some(admin),
            },
        }
    }
}

/// Tests begin at 2026-01-01T12:00:00Z.
fn start_of_time() -> Timestamp {
    Timestamp::from_micros(1_767_268_800_000_000)
}

/// Changes whenever a migration does.
fn template_name() -> String {
    let mut fingerprint = 0xcbf2_9ce4_8422_2325_u64;
    let roles = Role::ALL.iter().flat_map(|role| rialto::migrations(*role));
    for migration in platform::db::PLATFORM.iter().chain(roles) {
        for byte in format!("{migration:?}").bytes() {
            fingerprint = (fingerprint ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("rialto_template_{fingerprint:016x}")
}

async fn migrate_all(url: String) {
    let mut layers = Layers::defaults();
    layers.flag("database.url", &url);
    let settings = Settings::read(&layers, &Role::all()).expect("the defaults are valid");
    let metrics = platform::metrics::Metrics::new();
    for role in Role::ALL.iter().copied().filter(|role| role.has_database()) {
        let opened = rialto::open_database(&settings, role, Sources::system(), &metrics).await;
        let db = opened.expect("the template opens");
        db.migrate(rialto::migrations(role))
            .await
            .expect("the template migrates");
        db.close().await;
    }
}

/// A running shop. It stops when it is dropped.
#[derive(Debug)]
pub struct TestShop {
    client: Client,
    admin: Vec<Client>,
    /// The clock of every server; it stands until it is moved.
    pub clock: Arc<ManualClock>,
    sources: Sources,
    database: TestDatabase,
    handles: Vec<Handle>,
    servers: Vec<JoinHandle<Result<(), PartEnded>>>,
    shutdown: Shutdown,
}

impl TestShop {
    /// A fresh shop as the environment wants it.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// A shop with settings of its own.
    pub fn builder() -> TestShopBuilder {
        TestShopBuilder {
            layout: Layout::from_environment(),
            flags: BTreeMap::new(),
            real_clock: false,
            calm: false,
            database: None,
        }
    }

    /// Talks to the public listener, as nobody.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Talks to the admin listeners, one for each server.
    pub fn admin_clients(&self) -> &[Client] {
        &self.admin
    }

    /// The database, to start another shop on it.
    pub fn database(&self) -> &TestDatabase {
        &self.database
    }

    /// Time and ids, as the servers take them.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The database of `role`, to look at what no interface shows.
    pub fn db(&self, role: Role) -> &platform::db::Db {
        let found = self.handles.iter().find_map(|handle| handle.database(role));
        found.expect("every role with a database runs somewhere")
    }

    /// What `role` does when events arrive.
    pub fn consumers(&self, role: Role) -> Vec<Consumer> {
        let found = self
            .handles
            .iter()
            .find_map(|handle| handle.consumers(role));
        found.unwrap_or_default()
    }

    /// Talks to the public listener as staff with this role.
    pub async fn staff(&self, role: StaffRole) -> Client {
        let email = format!("{role}-{}@shop.example", self.sources.uuid().simple());
        let password = "correct horse battery";
        let db = self.db(Role::User);
        user::create_staff(db, &email, "A member of staff", password, &[role])
            .await
            .expect("staff is created");
        let body = json!({"email": email, "password": password});
        let log_in = self.client.post("/v1/auth/staff/log-in", body).await.ok();
        self.client
            .with_token(log_in["access_token"].as_str().expect("a token"))
    }

    /// Talks to the public listener as staff who may do everything.
    pub async fn admin(&self) -> Client {
        self.staff(StaffRole::Admin).await
    }

    /// Lets every event arrive and every background task catch up. No sleeps: it works through
    /// what there is until nothing is left.
    pub async fn settle(&self) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        let mut quiet = 0;
        while quiet < 2 {
            let (mut done, mut pending) = (0, 0);
            for handle in &self.handles {
                done += handle.settle().await.expect("the shop settles");
                pending += handle
                    .pending_events()
                    .await
                    .expect("the outbox can be read");
            }
            quiet = if done == 0 && pending == 0 {
                quiet + 1
            } else {
                0
            };
            assert!(
                tokio::time::Instant::now() < deadline,
                "the shop does not settle"
            );
        }
    }

    /// The sum of all metrics whose line starts with `name`, over all servers.
    pub async fn metric(&self, name: &str) -> u64 {
        let mut sum = 0;
        for admin in &self.admin {
            let text = admin.get("/metrics").await;
            let text = String::from_utf8_lossy(&text.bytes).into_owned();
            let lines = text.lines().filter(|line| line.starts_with(name));
            let values = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
            sum += values.sum::<u64>();
        }
        sum
    }

    /// Stops every server and waits until they have drained.
    pub async fn stop(mut self) {
        self.shutdown.begin();
        for server in self.servers.drain(..) {
            let ended = server.await.expect("the server does not panic");
            ended.expect("the server ends because it was told to");
        }
    }
}

impl Drop for TestShop {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}
