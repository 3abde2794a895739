//! `kill -9` of the real process at random moments in a run of 500 checkouts, restarted each time.
//! Afterwards: every acknowledged order is there once and was charged once, nothing was charged
//! without an order, no reservation outlives its order, the ledger adds up to the stock, and every
//! event was handled.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kernel::{Sources, StaffRole};
use platform::config::Layers;
use platform::db::Db;
use platform::metrics::Metrics;
use platform::sql;
use platform::testing::TestDatabase;
use rialto::{Role, Settings};
use serde_json::{Value, json};
use testkit::{Answer, Client};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;

const CHECKOUTS: usize = 500;
const BUYERS: usize = 8;
const STOCK: i64 = 100_000;

/// A process that is killed and started again, always at the same address.
struct Shop {
    database: TestDatabase,
    listen: SocketAddr,
    admin: SocketAddr,
    child: Child,
}

impl Shop {
    async fn open() -> Self {
        let database = TestDatabase::create().await;
        let (listen, admin) = (free_port(), free_port());
        let child = start(&database, listen, admin);
        let shop = Self {
            database,
            listen,
            admin,
            child,
        };
        shop.ready().await;
        shop
    }

    fn client(&self) -> Client {
        Client::new(format!("http://{}", self.listen))
    }

    async fn ready(&self) {
        let admin = Client::new(format!("http://{}", self.admin));
        until("the process is ready", async || {
            admin
                .get("/health/ready")
                .try_send()
                .await
                .is_ok_and(|answer| answer.status == 200)
        })
        .await;
    }

    /// No warning, no drain: the process is gone between two of its instructions.
    async fn crash(&mut self) {
        self.child.kill().await.expect("the process was running");
        self.child = start(&self.database, self.listen, self.admin);
        self.ready().await;
    }

    async fn db(&self, role: Role) -> Db {
        let mut layers = Layers::defaults();
        layers.flag("database.url", self.database.url());
        let settings = Settings::read(&layers, &Role::all()).expect("valid");
        let metrics = Metrics::new();
        let opened = rialto::open_database(&settings, role, Sources::system(), &metrics).await;
        opened.expect("the database opens beside the process")
    }
}

fn start(database: &TestDatabase, listen: SocketAddr, admin: SocketAddr) -> Child {
    Command::new(env!("CARGO_BIN_EXE_rialto"))
        .arg("serve")
        .args(["--set", &format!("database.url={}", database.url())])
        .args(["--set", &format!("gateway.listen={listen}")])
        .args(["--set", &format!("admin.listen={admin}")])
        // A request is dead after its deadline, and its order is looked at after its lease.
        .args([
            "--set",
            "http.deadline=2s",
            "--set",
            "order.lease=3s",
            "--set",
            "order.sweep=500ms",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts")
}

fn free_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound")
}

/// Waits for another process, which cannot call: looks again and again, for a minute at the most.
async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition().await {
        assert!(Instant::now() < deadline, "in vain for a minute: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Repeats a request until it is answered by something else than a process that dies or starts.
async fn insist(request: impl Fn() -> testkit::RequestBuilder) -> Answer {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match request().try_send().await {
            Ok(answer) if answer.status < 500 && answer.body["code"] != "order.in_progress" => {
                return answer;
            }
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        assert!(Instant::now() < deadline, "no answer for a minute");
    }
}

/// One customer's way, repeated at each step until it is answered; the order.
async fn check_out(client: &Client, variant: &str, number: usize) -> Value {
    let key = |step: &str| format!("buyer-{number:05}-{step}-step");
    let cart = json!({
        "currency": "EUR",
        "email": format!("buyer-{number}@example.com"),
        "lines": [{"variant_id": variant, "quantity": 1}],
    });
    let cart = insist(|| client.post("/v1/carts", &cart).key(key("cart")))
        .await
        .expect(201);
    let path = format!("/v1/carts/{}", cart["id"].as_str().expect("an id"));
    let details = json!({
        "shipping_address": {"name": "A", "line1": "B", "city": "C", "country": "IT"},
        "shipping_option": "standard",
        "payment": {"provider": "test", "token": "tok_ok"},
    });
    insist(|| client.patch(&path, &details)).await.expect(200);
    let order = json!({"cart_id": cart["id"]});
    insist(|| client.post("/v1/orders", &order).key(key("order")))
        .await
        .expect(201)
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_checkouts_and_a_process_that_keeps_dying() {
    let mut shop = Shop::open().await;
    let client = shop.client();
    let variant = stock_up(&shop).await;
    let next = Arc::new(AtomicUsize::new(0));
    let orders: Arc<Mutex<Vec<Value>>> = Arc::default();
    let mut buyers = JoinSet::new();
    for _ in 0..BUYERS {
        let (client, variant) = (client.clone(), variant.clone());
        let (next, orders) = (next.clone(), orders.clone());
        buyers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::SeqCst);
                if number >= CHECKOUTS {
                    return;
                }
                let order = check_out(&client, &variant, number).await;
                orders.lock().await.push(order);
            }
        });
    }
    let crashes = crash_now_and_then(&mut shop, &next).await;
    // Fails if a buyer was not served in the end.
    buyers.join_all().await;
    assert!(crashes >= 5, "the process died {crashes} times");
    shop.crash().await;
    let orders = orders.lock().await;
    check(&shop, &orders).await;
}

/// Kills the process at a moment that lies at random between two answers, over and over, until
/// every checkout has begun.
async fn crash_now_and_then(shop: &mut Shop, next: &AtomicUsize) -> usize {
    let sources = Sources::system();
    let mut crashes = 0;
    loop {
        let [few, micros] = sources.random::<2>();
        let target = next.load(Ordering::SeqCst) + 10 + usize::from(few % 40);
        if target >= CHECKOUTS {
            return crashes;
        }
        until("the next checkouts begin", async || {
            next.load(Ordering::SeqCst) >= target
        })
        .await;
        tokio::time::sleep(Duration::from_micros(u64::from(micros) * 20)).await;
        shop.crash().await;
        crashes += 1;
    }
}

async fn stock_up(shop: &Shop) -> String {
    let db = shop.db(Role::User).await;
    let password = "correct horse battery";
    user::create_staff(
        &db,
        "admin@shop.example",
        "Admin",
        password,
        &[StaffRole::Admin],
    )
    .await
    .expect("staff is created");
    let body = json!({"email": "admin@shop.example", "password": password});
    let log_in = shop.client().post("/v1/auth/staff/log-in", body).await.ok();
    let admin = shop
        .client()
        .with_token(log_in["access_token"].as_str().expect("a token"));
    let product = json!({
        "slug": "mug", "title": "Mug", "status": "active",
        "variants": [{"sku": "MUG", "prices": [{"amount": 1999, "currency": "EUR"}],
                      "inventory": "reserve_on_order"}],
    });
    let product = admin.post("/v1/products", product).await.expect(201);
    let variant = product["variants"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let received = json!({"delta": STOCK, "reason": "received"});
    admin
        .post(format!("/v1/inventory/{variant}/adjustments"), received)
        .await
        .ok();
    variant
}

async fn count(db: &Db, statement: &'static platform::db::Sql) -> i64 {
    let tx = db.read().await.expect("reads");
    tx.one::<(i64,)>(statement, &[])
        .await
        .expect("counts")
        .expect("a row")
        .0
}

async fn check(shop: &Shop, orders: &[Value]) {
    let (order, product) = (shop.db(Role::Order).await, shop.db(Role::Product).await);
    let (cart, mail) = (shop.db(Role::Cart).await, shop.db(Role::Notification).await);
    everything_is_settled(&order, &product).await;
    each_was_charged_once(&order, orders).await;
    the_ledger_adds_up(&product).await;
    for (db, consumers) in [(&product, 1), (&cart, 2), (&mail, 1), (&order, 1)] {
        every_event_was_handled(db, consumers).await;
    }
    let waiting = sql!("SELECT COUNT(*) FROM outbox_backlog");
    assert_eq!(count(&order, waiting).await, 0);
    let mails = count(&mail, sql!("SELECT COUNT(*) FROM mails")).await;
    assert_eq!(mails, CHECKOUTS as i64, "each was written to once");
    let open = sql!("SELECT COUNT(*) FROM carts WHERE state = 'open'");
    assert_eq!(count(&cart, open).await, 0, "every cart is closed");
}

async fn everything_is_settled(order: &Db, product: &Db) {
    let unsettled = sql!("SELECT COUNT(*) FROM orders WHERE lease_until IS NOT NULL");
    let unsent = sql!("SELECT COUNT(*) FROM outbox WHERE sent_at IS NULL");
    let held = sql!("SELECT COUNT(*) FROM reservations WHERE state = 'held'");
    until("everything is settled", async || {
        count(order, unsettled).await == 0
            && count(order, unsent).await == 0
            && count(product, held).await == 0
    })
    .await;
}

async fn each_was_charged_once(order: &Db, orders: &[Value]) {
    let ids: BTreeSet<&str> = orders
        .iter()
        .filter_map(|order| order["id"].as_str())
        .collect();
    assert_eq!(
        (orders.len(), ids.len()),
        (CHECKOUTS, CHECKOUTS),
        "each has an order of their own"
    );
    let placed = sql!("SELECT COUNT(*) FROM orders WHERE state = 'placed'");
    assert_eq!(
        count(order, placed).await,
        CHECKOUTS as i64,
        "what was acknowledged is there, and nothing else"
    );
    let book = order::read_book(order, None).await.expect("the book");
    let charged: Vec<_> = book
        .iter()
        .filter(|entry| entry.state == "authorised")
        .collect();
    let for_orders: BTreeSet<String> = charged
        .iter()
        .map(|entry| entry.order_id.to_string())
        .collect();
    assert_eq!(charged.len(), CHECKOUTS, "each was charged once");
    assert!(
        for_orders.iter().all(|id| ids.contains(id.as_str())),
        "and nobody else was"
    );
}

async fn the_ledger_adds_up(product: &Db) {
    let on_hand = sql!("SELECT CAST(SUM(on_hand) AS bigint) FROM stock");
    assert_eq!(count(product, on_hand).await, STOCK - CHECKOUTS as i64);
    let reserved = sql!("SELECT CAST(SUM(reserved) AS bigint) FROM stock");
    assert_eq!(count(product, reserved).await, 0);
    let differs = sql!(
        "SELECT COUNT(*) FROM stock s WHERE s.on_hand <> (
             SELECT CAST(SUM(on_hand_delta) AS bigint) FROM ledger l
             WHERE l.variant_id = s.variant_id AND l.location_id = s.location_id)
         OR s.reserved <> (
             SELECT CAST(SUM(reserved_delta) AS bigint) FROM ledger l
             WHERE l.variant_id = s.variant_id AND l.location_id = s.location_id)"
    );
    let differing = count(product, differs).await;
    assert_eq!(differing, 0, "the ledger adds up to the stock");
}

async fn every_event_was_handled(db: &Db, consumers: i64) {
    let role = db.role();
    let handled = sql!(
        "SELECT COUNT(*) FROM handled_events
         WHERE consumer NOT IN ('product.restock_cancelled', 'notification.order_cancelled')"
    );
    let expected = CHECKOUTS as i64 * consumers;
    assert_eq!(count(db, handled).await, expected, "{role} handled each");
    let failed = sql!("SELECT COUNT(*) FROM event_failures");
    assert_eq!(count(db, failed).await, 0, "{role} failed at none");
}
