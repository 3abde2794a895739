//! The promise of [`place_order`](crate::place_order), tried at every point where it can break: a
//! request that dies at any of its awaits, a neighbour that fails before or after its effect. Each
//! time the sweeper comes by, and then: there is one order that was charged once and whose stock
//! is reserved, or there is no order, no charge and no reservation.

mod interleaved;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use contracts::cart::{CartApi, CartClient, Checkout, CheckoutCart, PaymentChoice};
use contracts::order::{OrderId, OrderState};
use contracts::product::codes::OUT_OF_STOCK;
use contracts::product::{
    FindProducts, PriceVariants, PricedVariant, ProductApi, ProductClient, ProductId, ReleaseStock,
    Reservation, ReserveStock,
};
use contracts::user::{CustomerSummary, GetCustomer, UserApi, UserClient};
use kernel::contract::Answer;
use kernel::problem::codes;
use kernel::{
    Caller, Clock, Fault, Id, Kind, ManualClock, Permission, Problem, Sources, StaffId,
    SystemRandom, Timestamp,
};
use parking_lot::Mutex;
use platform::config::Layers;
use platform::contract::LocalCalls;
use platform::db::{Db, DbError};
use platform::http::IfMatch;
use platform::idempotency::IdempotencyKey;
use platform::metrics::{DbMetrics, Metrics};
use platform::testing::TestDatabase;
use serde_json::json;
use uuid::Uuid;

use crate::cancel_order::CancelOrder;
use crate::model::samples;
use crate::place_order::PlaceOrder;
use crate::{Config, Deps, MIGRATIONS, OrderError, OrderService, read_book, store};

/// A neighbour that answers as the contract says, and fails when it is told to.
#[derive(Default)]
struct Neighbour {
    checkout: Mutex<Option<Checkout>>,
    reserved: Mutex<BTreeMap<Uuid, i64>>,
    /// As much as one order wants: nobody may be in its own way.
    stock: Mutex<i64>,
    /// How many calls until one fails, and whether after its effect.
    failure: Mutex<Option<(u32, bool)>>,
}

impl Neighbour {
    /// Runs a call, failing before or after its effect if its turn has come.
    async fn call<T>(&self, effect: impl FnOnce() -> T) -> Result<T, Problem> {
        // A real call is waited for.
        tokio::task::yield_now().await;
        let failure = {
            let mut failure = self.failure.lock();
            match &mut *failure {
                Some((0, after)) => {
                    let after = *after;
                    *failure = None;
                    Some(after)
                }
                Some((left, _)) => {
                    *left -= 1;
                    None
                }
                None => None,
            }
        };
        let away = Problem::unavailable(codes::UNAVAILABLE, "on purpose", 1);
        match failure {
            Some(false) => Err(away),
            Some(true) => {
                effect();
                Err(away)
            }
            None => Ok(effect()),
        }
    }
}

impl Neighbour {
    /// All or nothing.
    fn reserve(&self, request: &ReserveStock) -> Result<(), Problem> {
        let mut reserved = self.reserved.lock();
        let mut left = reserved.clone();
        left.retain(|other, _| *other != request.holder && !request.instead_of.contains(other));
        let wanted: i64 = request.lines.iter().map(|line| line.quantity).sum();
        if left.values().sum::<i64>() + wanted > *self.stock.lock() {
            let short = Problem::new(Kind::Conflict, OUT_OF_STOCK, "nothing is left");
            return Err(short.with_context("lines", json!([])));
        }
        left.insert(request.holder, wanted);
        *reserved = left;
        Ok(())
    }
}

#[derive(Clone)]
struct Neighbours(Arc<Neighbour>);

impl CartApi for Neighbours {
    fn checkout_cart(&self, _: CheckoutCart) -> Answer<'_, Checkout> {
        Box::pin(async move {
            let checkout = self.0.checkout.lock().clone().expect("a cart was filled");
            self.0.call(|| checkout).await
        })
    }
}

impl ProductApi for Neighbours {
    fn price_variants(&self, _: PriceVariants) -> Answer<'_, Vec<PricedVariant>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn find_products(&self, _: FindProducts) -> Answer<'_, Vec<ProductId>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn reserve_stock(&self, request: ReserveStock) -> Answer<'_, Reservation> {
        Box::pin(async move {
            let (holder, expires_at) = (request.holder, request.expires_at);
            self.0.call(|| self.0.reserve(&request)).await??;
            Ok(Reservation { holder, expires_at })
        })
    }

    fn release_stock(&self, request: ReleaseStock) -> Answer<'_, ()> {
        Box::pin(async move {
            self.0
                .call(|| self.0.reserved.lock().remove(&request.holder))
                .await
                .map(drop)
        })
    }
}

impl UserApi for Neighbours {
    fn verification_keys(&self, (): ()) -> Answer<'_, serde_json::Value> {
        Box::pin(std::future::ready(Ok(serde_json::Value::Null)))
    }

    fn get_customer(&self, _: GetCustomer) -> Answer<'_, CustomerSummary> {
        Box::pin(std::future::pending())
    }
}

/// An order service between neighbours, with a clock that is moved by hand.
struct Desk {
    _database: TestDatabase,
    orders: OrderService,
    db: Db,
    clock: Arc<ManualClock>,
    neighbour: Arc<Neighbour>,
    order_id: OrderId,
}

impl Desk {
    async fn open(token: &str) -> Self {
        let database = TestDatabase::create().await;
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(
            1_800_000_000_000_000,
        )));
        let sources = Sources::new(clock.clone(), Arc::new(SystemRandom));
        let settings = database.settings();
        let db = Db::open("order", &settings, sources, DbMetrics::default())
            .await
            .expect("opens");
        db.migrate(MIGRATIONS).await.expect("migrates");
        let layers = Layers::defaults();
        let config = Config::read(&mut layers.section("order"), &mut layers.section("payment"));
        let neighbour = Arc::new(Neighbour::default());
        let neighbours = Arc::new(Neighbours(neighbour.clone()));
        let calls = Arc::new(LocalCalls(Metrics::new()));
        let deps = Deps {
            db: db.clone(),
            cart: CartClient::local(neighbours.clone(), calls.clone()),
            product: ProductClient::local(neighbours.clone(), calls.clone()),
            user: UserClient::local(neighbours, calls),
            config,
        };
        let orders = OrderService::build(deps).await.expect("builds");
        let checkout = full_cart(token);
        let order_id = checkout.order_id;
        let lines = checkout.priced.lines.iter();
        *neighbour.stock.lock() = lines.map(|line| line.quantity).sum();
        *neighbour.checkout.lock() = Some(checkout);
        Self {
            _database: database,
            orders,
            db,
            clock,
            neighbour,
            order_id,
        }
    }

    async fn place(&self, key: &str) -> Result<platform::http::Reply, OrderError> {
        let cart_id = self
            .neighbour
            .checkout
            .lock()
            .as_ref()
            .expect("filled")
            .cart_id;
        let body = serde_json::json!({"cart_id": cart_id});
        let body: PlaceOrder = serde_json::from_value(body).expect("a body");
        let key = IdempotencyKey::of(&Caller::Anonymous, "place_order", key);
        self.orders.place_order(&Caller::Anonymous, key, body).await
    }

    /// The customer has done, at the provider, what was asked for; or could not. Whether the provider
    /// knew of the payment.
    async fn provider_decides(&self, state: &'static str) -> bool {
        let order = self.order_id;
        let decide = platform::sql!(
            "UPDATE test_provider_book SET state = $2 WHERE order_id = $1 AND state = 'pending'"
        );
        let decided = self
            .db
            .write(move |tx| async move { tx.exec(decide, platform::params![order, state]).await });
        let decided: Result<u64, DbError> = decided.await;
        decided.expect("the book is open") > 0
    }

    /// The client repeats its request until it has its order, as it is told to.
    async fn insist(&self, key: &str, what: &str) {
        for _ in 0..4 {
            match self.place(key).await {
                Ok(reply) => return assert_eq!(reply.status(), 201, "{what}"),
                Err(OrderError::InProgress(_)) => {}
                Err(error) => assert!(error.kind().transient(), "{what}: {error}"),
            }
            self.clock.advance(Duration::from_secs(3600));
        }
        panic!("{what}: no order in the end");
    }

    /// Lets every lease run out and the sweeper come by until nothing is left to do.
    async fn sweep(&self) {
        for _ in 0..5 {
            self.clock.advance(Duration::from_secs(3600));
            self.orders.sweep_once().await.expect("sweeps");
        }
        let left = store::abandoned(&self.db.read().await.expect("reads"), self.clock.now()).await;
        assert!(
            left.expect("reads").is_empty(),
            "the sweeper leaves nothing behind"
        );
    }

    /// One order, one charge, one reservation; or none of each. Returns which.
    async fn check(&self, what: &str) -> bool {
        let tx = self.db.read().await.expect("reads");
        let order = store::order(&tx, self.order_id).await.expect("reads");
        let placed = order
            .as_ref()
            .is_some_and(|order| order.state == OrderState::Placed);
        if let Some(order) = &order {
            let settled = [OrderState::Placed, OrderState::Failed].contains(&order.state);
            assert!(settled, "{what}: {:?}", order.state);
        }
        let book = read_book(&self.db, Some(self.order_id))
            .await
            .expect("reads");
        let charges = book
            .iter()
            .filter(|entry| entry.state == "authorised")
            .count();
        let open = book.iter().filter(|entry| entry.state == "pending").count();
        let outside = order
            .as_ref()
            .is_some_and(|order| order.provider == "manual");
        assert_eq!(charges, usize::from(placed && !outside), "{what}: {book:?}");
        assert_eq!(open, 0, "{what}: {book:?}");
        let reserved: Vec<Uuid> = self.neighbour.reserved.lock().keys().copied().collect();
        let holder = order.filter(|_| placed).map(|order| order.holder());
        assert_eq!(reserved, Vec::from_iter(holder), "{what}: reservations");
        let events: Option<(i64,)> = tx
            .one(platform::sql!("SELECT COUNT(*) FROM outbox"), &[])
            .await
            .expect("reads");
        assert_eq!(events, Some((i64::from(placed),)), "{what}: events");
        placed
    }
}

fn full_cart(token: &str) -> Checkout {
    let sample = samples::order();
    Checkout {
        cart_id: sample.cart_id,
        version: 1,
        order_id: sample.id,
        customer_id: None,
        email: Some(sample.email),
        shipping_address: None,
        billing_address: None,
        payment: Some(PaymentChoice {
            provider: String::from("test"),
            token: Some(token.to_owned()),
        }),
        priced: sample.content.0.priced,
        requirements: Vec::new(),
    }
}

/// Runs `work` until it is done or has been woken `polls` times, then lets it die.
async fn dies_after<F: Future>(polls: u32, work: F) -> Option<F::Output> {
    stops_after(polls, &mut pin!(work)).await
}

/// Runs `work` until it is done or has been woken `polls` times; it may go on from there.
async fn stops_after<F: Future + Unpin>(polls: u32, work: &mut F) -> Option<F::Output> {
    let mut left = polls;
    std::future::poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        Pin::new(&mut *work).poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn a_request_that_dies_anywhere_leaves_one_order_or_none() {
    let (mut placed, mut died) = (0, 0);
    for polls in 0.. {
        let desk = Desk::open("tok_ok").await;
        let answered = dies_after(polls, Box::pin(desk.place("the-only-key"))).await;
        desk.sweep().await;
        let there = desk.check(&format!("died after {polls} polls")).await;
        placed += u32::from(there);
        if answered.is_some() {
            assert!(there, "an acknowledged order exists");
            break;
        }
        died += 1;
        // The client comes again with the same key, and gets its order.
        let reply = desk
            .place("the-only-key")
            .await
            .expect("the second try succeeds");
        assert_eq!(reply.status(), 201);
        assert!(desk.check(&format!("again after {polls} polls")).await);
    }
    assert!(
        died >= 4,
        "the request was killed at each of its awaits, not {died} times"
    );
    assert!(placed >= 2, "some deaths come after the point of no return");
}

#[tokio::test]
async fn a_sweep_that_dies_anywhere_can_be_swept_again_or_ordered_again() {
    for polls in [3, 5, 7] {
        for sweep_polls in 0.. {
            let desk = Desk::open("tok_ok").await;
            dies_after(polls, Box::pin(desk.place("the-only-key"))).await;
            desk.clock.advance(Duration::from_secs(3600));
            let swept = dies_after(sweep_polls, Box::pin(desk.orders.sweep_once())).await;
            let what = format!("request died after {polls}, sweep after {sweep_polls}");
            desk.insist("the-only-key", &what).await;
            desk.sweep().await;
            assert!(desk.check(&what).await, "{what}");
            if swept.is_some() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_neighbour_that_fails_anywhere_leaves_one_order_or_none() {
    for token in ["tok_ok", "tok_declined", "tok_lost", "tok_away"] {
        for call in 0..4 {
            for after in [false, true] {
                let desk = Desk::open(token).await;
                *desk.neighbour.failure.lock() = Some((call, after));
                let answer = desk.place("the-only-key").await;
                desk.sweep().await;
                let what = format!("{token}, call {call} fails, after its effect: {after}");
                let there = desk.check(&what).await;
                assert!(there || answer.is_err(), "{what}");
                if answer.is_ok_and(|reply| reply.status() == 201) {
                    assert!(there, "{what}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_lost_answer_of_the_provider_is_asked_for() {
    let desk = Desk::open("tok_lost").await;
    assert_eq!(
        desk.place("the-only-key").await.expect("placed").status(),
        201
    );
    assert!(desk.check("lost answer").await);
}

#[tokio::test]
async fn a_provider_that_is_away_costs_nothing_and_can_be_tried_again() {
    let desk = Desk::open("tok_away").await;
    assert!(matches!(
        desk.place("first-key").await,
        Err(OrderError::Provider(_))
    ));
    desk.sweep().await;
    assert!(!desk.check("away").await);
    let mut checkout = full_cart("tok_ok");
    checkout.order_id = desk.order_id;
    *desk.neighbour.checkout.lock() = Some(checkout);
    assert_eq!(
        desk.place("second-key").await.expect("placed").status(),
        201
    );
    assert!(desk.check("second try").await);
}

#[tokio::test]
async fn a_second_try_that_is_paid_outside_has_its_stock_or_is_none() {
    let mut placed = 0;
    for polls in 0.. {
        let desk = Desk::open("tok_declined").await;
        let declined = desk.place("first-key").await;
        assert!(
            matches!(declined, Err(OrderError::Relayed(_))),
            "{declined:?}"
        );
        let mut checkout = full_cart("");
        checkout.order_id = desk.order_id;
        checkout.payment = Some(PaymentChoice {
            provider: String::from("manual"),
            token: None,
        });
        *desk.neighbour.checkout.lock() = Some(checkout);
        let answered = dies_after(polls, Box::pin(desk.place("second-key"))).await;
        desk.sweep().await;
        let what = format!("the second try died after {polls} polls");
        placed += u32::from(desk.check(&what).await);
        desk.insist("second-key", &what).await;
        assert!(desk.check(&what).await, "{what}");
        if answered.is_some() {
            break;
        }
    }
    assert!(placed >= 1, "it is placed if nothing dies");
}

#[tokio::test]
async fn a_cancellation_that_dies_anywhere_has_one_answer() {
    let staff = Caller::Staff {
        id: StaffId::from_uuid(Uuid::nil()),
        session: kernel::identity::SessionId::from_uuid(Uuid::nil()),
        permissions: [Permission::OrdersCancel].into(),
    };
    let cancel = |desk: &Desk| {
        let (orders, id, staff) = (desk.orders.clone(), desk.order_id, staff.clone());
        async move {
            let body = CancelOrder::default();
            let key = IdempotencyKey::of(&staff, "cancel_order", "the-only-key");
            let request = key.request(id.uuid(), &body);
            // As it was placed.
            let version = IfMatch::version(2);
            orders
                .cancel_order(&staff, id, request, version, body)
                .await
        }
    };
    for polls in 0.. {
        let desk = Desk::open("tok_ok").await;
        desk.place("the-only-key").await.expect("placed");
        let answered = dies_after(polls, Box::pin(cancel(&desk))).await;
        let what = format!("died after {polls} polls");
        let first = Box::pin(cancel(&desk)).await.expect(&what);
        let again = Box::pin(cancel(&desk)).await.expect(&what);
        assert_eq!(
            (first.status(), first.body()),
            (again.status(), again.body()),
            "{what}"
        );
        let book = read_book(&desk.db, Some(desk.order_id)).await;
        assert_eq!(book.expect("reads")[0].state, "voided", "{what}");
        if answered.is_some() {
            return;
        }
    }
}

#[tokio::test]
async fn a_payment_that_never_comes_is_undone() {
    let desk = Desk::open("tok_later").await;
    assert_eq!(
        desk.place("the-only-key").await.expect("accepted").status(),
        202
    );
    assert_eq!(
        desk.orders.sweep_once().await.expect("sweeps"),
        0,
        "it has its time"
    );
    assert_eq!(desk.neighbour.reserved.lock().len(), 1);
    desk.sweep().await;
    assert!(!desk.check("never came").await);
}

#[tokio::test]
async fn many_requests_for_one_cart_make_one_order() {
    let desk = Desk::open("tok_ok").await;
    let same = (0..5).map(|_| desk.place("the-only-key"));
    let replies = futures_util::future::join_all(same).await;
    let bodies: Vec<_> = replies
        .into_iter()
        .map(|reply| reply.expect("placed").body().clone())
        .collect();
    assert!(
        bodies.iter().all(|body| *body == bodies[0]),
        "identical bodies"
    );
    assert!(desk.check("five at once").await);
    let other = desk.place("another-key").await;
    assert!(
        matches!(other, Err(OrderError::AlreadyPlaced(_))),
        "{other:?}"
    );
    assert!(desk.check("another key").await);
}
