//! What stories about stock begin with: a shop, instances of the product service to ask as other
//! services do, and the promises that hold after every step.

use std::sync::Arc;
use std::time::Duration;

use contracts::cart::{CartId, PricedCart, PricedLine, Totals};
use contracts::order::{OrderCancelled, OrderId, OrderPlaced, PaymentState};
use contracts::product::{
    HolderId, LocationId, ProductApi, ReleaseStock, Reservation, ReserveLine, ReserveStock,
    Shortage, VariantId,
};
use kernel::{Currency, Event, Id, Money, Problem, Rate, Timestamp};
use platform::db::Db;
use platform::metrics::SearchMetrics;
use platform::tasks::{Shutdown, TaskGroup};
use platform::{events, params, sql};
use product::{Config, Deps, ProductService};
use rialto::Role;
use serde_json::{Value, json};
use testkit::{Client, TestShop, TestShopBuilder};
use uuid::Uuid;

/// A shop, its warehouse staff, and an instance of the product service beside its own.
pub(crate) struct Stockroom {
    pub(crate) shop: TestShop,
    pub(crate) staff: Client,
    pub(crate) products: Instance,
}

/// An instance of the product service. Stops when it is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) service: ProductService,
    tasks: Arc<Stop>,
}

#[derive(Debug)]
struct Stop(TaskGroup);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.shutdown().begin();
    }
}

/// As the defaults are; the sweep leaves it to the tests.
pub(crate) fn config() -> Config {
    let sweep = Duration::from_secs(24 * 60 * 60);
    Config {
        reservation_queue: 10_000,
        reservation_batch: 128,
        sweep,
        search_poll: sweep,
        search_ready: sweep,
        currency: Currency::EUR,
    }
}

impl Instance {
    /// An instance on `db` that decides nothing until it is started.
    pub(crate) async fn idle(db: &Db, config: Config) -> Self {
        let built = ProductService::build(Deps {
            db: db.clone(),
            config,
            metrics: SearchMetrics::default(),
        })
        .await;
        let service = built.expect("the service starts");
        Self {
            service,
            tasks: Arc::new(Stop(TaskGroup::new(Shutdown::new()))),
        }
    }

    pub(crate) async fn on(db: &Db) -> Self {
        let instance = Self::idle(db, config()).await;
        instance.start();
        instance
    }

    pub(crate) fn start(&self) {
        self.service.start(&self.tasks.0);
    }

    /// Lets it finish what it has accepted, and end.
    pub(crate) fn stop(&self) {
        self.tasks.0.shutdown().begin();
    }

    pub(crate) async fn reserve(&self, request: ReserveStock) -> Result<Reservation, Problem> {
        ProductApi::reserve_stock(&self.service, request).await
    }

    pub(crate) async fn release(&self, holder: HolderId) {
        let released = ProductApi::release_stock(&self.service, ReleaseStock { holder }).await;
        released.expect("a release is never refused");
    }
}

/// What a problem says is missing: variant, wanted, left.
pub(crate) fn shortages(problem: &Problem) -> Vec<(VariantId, i64, i64)> {
    assert_eq!(problem.code, "product.out_of_stock", "{problem:?}");
    let lines = problem.context.get("lines").cloned().unwrap_or_default();
    let lines: Vec<Shortage> = serde_json::from_value(lines).expect("shortages");
    lines
        .iter()
        .map(|line| (line.variant_id, line.wanted, line.left))
        .collect()
}

pub(crate) fn line(variant_id: VariantId, quantity: i64) -> ReserveLine {
    ReserveLine {
        variant_id,
        quantity,
    }
}

impl Stockroom {
    pub(crate) async fn open() -> Self {
        Self::of(Self::shop().start().await).await
    }

    /// A shop whose staff stay logged in while the clock is moved.
    pub(crate) fn shop() -> TestShopBuilder {
        TestShop::builder().set("auth.access_ttl", "30d")
    }

    /// Moves the clock, so that what comes next is younger than what was before.
    pub(crate) fn tick(&self) {
        self.shop.clock.advance(Duration::from_millis(1));
    }

    pub(crate) async fn of(shop: TestShop) -> Self {
        let staff = shop.admin().await;
        let products = Instance::on(shop.db(Role::Product)).await;
        Self {
            shop,
            staff,
            products,
        }
    }

    /// A variant with so many pieces at the first location.
    pub(crate) async fn variant(
        &self,
        mode: &'static str,
        backorder: bool,
        stock: i64,
    ) -> VariantId {
        let slug = format!("goods-{}", self.shop.sources().uuid().simple());
        let setting_up = self.shop.product(&slug).inventory(mode);
        let setting_up = if backorder {
            setting_up.backorder()
        } else {
            setting_up
        };
        let product = setting_up.create_as(&self.staff).await;
        let variant = product.variant_id.parse().expect("a variant");
        if stock > 0 {
            self.receive(variant, None, stock).await;
        }
        variant
    }

    /// A second place to take goods from.
    pub(crate) async fn location(&self, name: &str) -> LocationId {
        let body = json!({"name": name});
        let location = self
            .staff
            .post("/v1/inventory/locations", body)
            .await
            .expect(201);
        location["id"]
            .as_str()
            .expect("an id")
            .parse()
            .expect("a location")
    }

    pub(crate) async fn receive(&self, variant: VariantId, at: Option<LocationId>, delta: i64) {
        let body = json!({"delta": delta, "reason": "received", "location_id": at});
        self.adjust(variant, body).await.expect(200);
    }

    pub(crate) async fn adjust(&self, variant: VariantId, body: Value) -> testkit::Answer {
        self.tick();
        self.staff
            .post(format!("/v1/inventory/{variant}/adjustments"), body)
            .await
    }

    /// What staff see.
    pub(crate) async fn view(&self, variant: VariantId) -> Value {
        self.staff
            .get(format!("/v1/inventory/{variant}"))
            .await
            .expect(200)
    }

    /// On hand and reserved.
    pub(crate) async fn stock(&self, variant: VariantId) -> (i64, i64) {
        let view = self.view(variant).await;
        let amount = |name: &str| view[name].as_i64().expect("a number");
        assert_eq!(amount("available"), amount("on_hand") - amount("reserved"));
        (amount("on_hand"), amount("reserved"))
    }

    pub(crate) fn holder(&self) -> HolderId {
        self.shop.sources().uuid()
    }

    /// In ten minutes.
    pub(crate) fn soon(&self) -> Timestamp {
        self.shop.sources().now().plus(Duration::from_secs(600))
    }

    /// A reservation that lapses soon.
    pub(crate) fn request(&self, holder: HolderId, lines: &[ReserveLine]) -> ReserveStock {
        let expires_at = self.soon();
        ReserveStock {
            holder,
            instead_of: Vec::new(),
            lines: lines.to_vec(),
            expires_at,
        }
    }

    pub(crate) fn reserve<'a>(
        &'a self,
        holder: HolderId,
        lines: &[ReserveLine],
    ) -> impl Future<Output = Result<Reservation, Problem>> + use<'a> {
        self.products.reserve(self.request(holder, lines))
    }

    /// The order service announces that the order is placed.
    pub(crate) async fn place(&self, order: HolderId, lines: &[ReserveLine]) {
        self.announce(placed(order, lines, self.shop.sources().now()))
            .await;
    }

    /// The order service announces that the order is cancelled.
    pub(crate) async fn cancel(&self, order: HolderId) {
        let cancelled = OrderCancelled {
            order_id: OrderId::from_uuid(order),
            attempt: 1,
            customer_id: None,
            email: "ada@example.com".parse().expect("an address"),
            lines: Vec::new(),
            refunded: None,
            reason: None,
            cancelled_at: self.shop.sources().now(),
        };
        self.announce(cancelled).await;
    }

    async fn announce<E: Event>(&self, event: E) {
        let db = self.shop.db(Role::Order);
        let emitted = db.write(move |tx| async move { events::emit(&tx, &event).await });
        emitted.await.expect("the event is emitted");
    }

    /// What holds at any moment: nothing is below zero where something is refused; the ledger adds
    /// up to the stock; what is reserved is held by somebody; and goods neither vanish nor double.
    pub(crate) async fn check(&self) {
        let tx = self.shop.db(Role::Product).read().await.expect("a reader");
        let none = [
            sql!(
                "SELECT COUNT(*) FROM stock WHERE reserved < 0
                  OR (on_hand < reserved AND NOT unbounded)"
            ),
            sql!(
                "SELECT COUNT(*) FROM stock s WHERE on_hand <> (
                      SELECT COALESCE(SUM(on_hand_delta), 0) FROM ledger l
                      WHERE l.variant_id = s.variant_id AND l.location_id = s.location_id)
                  OR reserved <> (
                      SELECT COALESCE(SUM(reserved_delta), 0) FROM ledger l
                      WHERE l.variant_id = s.variant_id AND l.location_id = s.location_id)"
            ),
            sql!(
                "SELECT COUNT(*) FROM stock s WHERE reserved <> (
                      SELECT COALESCE(SUM(quantity), 0) FROM reservations r
                      WHERE r.variant_id = s.variant_id AND r.location_id = s.location_id
                      AND r.state = 'held')"
            ),
            sql!(
                "SELECT COUNT(*) FROM stock s WHERE on_hand + (
                      SELECT COALESCE(SUM(quantity), 0) FROM reservations r
                      WHERE r.variant_id = s.variant_id AND r.location_id = s.location_id
                      AND r.state = 'committed') <> (
                      SELECT COALESCE(SUM(on_hand_delta), 0) FROM ledger l
                      WHERE l.variant_id = s.variant_id AND l.location_id = s.location_id
                      AND l.kind IN ('received', 'corrected', 'damaged', 'returned'))"
            ),
        ];
        for (promise, statement) in none.into_iter().enumerate() {
            let broken = tx.one::<(i64,)>(statement, &[]).await.expect("counted");
            assert_eq!(broken, Some((0,)), "promise {promise} is broken");
        }
    }

    /// How many reservations there are in the state.
    pub(crate) async fn reservations(&self, state: &str) -> i64 {
        let tx = self.shop.db(Role::Product).read().await.expect("a reader");
        let count = sql!("SELECT COUNT(*) FROM reservations WHERE state = $1");
        let count = tx
            .one::<(i64,)>(count, params![state])
            .await
            .expect("counted");
        count.expect("a count").0
    }
}

/// The event of an order with these lines.
pub(crate) fn placed(order: Uuid, lines: &[ReserveLine], now: Timestamp) -> OrderPlaced {
    let free = Money::new(0, Currency::EUR);
    let lines = lines.iter().map(|line| PricedLine {
        id: Id::from_uuid(line.variant_id.uuid()),
        variant_id: line.variant_id,
        product_id: Id::from_uuid(Uuid::nil()),
        slug: String::from("mug"),
        sku: String::from("MUG"),
        title: String::from("Mug"),
        variant_title: String::new(),
        image_url: None,
        quantity: line.quantity,
        unit_price: free,
        subtotal: free,
        discount: free,
        total: free,
        tax: free,
        requires_shipping: true,
    });
    let totals = Totals {
        subtotal: free,
        discount: free,
        shipping: free,
        tax: free,
        tax_rate: Rate::ZERO,
        tax_included: true,
        total: free,
    };
    let priced = PricedCart {
        currency: Currency::EUR,
        lines: lines.collect(),
        shipping: None,
        discounts: Vec::new(),
        totals,
    };
    OrderPlaced {
        order_id: OrderId::from_uuid(order),
        attempt: 1,
        cart_id: CartId::from_uuid(order),
        customer_id: None,
        email: "ada@example.com".parse().expect("an address"),
        shipping_address: None,
        priced,
        payment: PaymentState::Manual,
        placed_at: now,
    }
}
