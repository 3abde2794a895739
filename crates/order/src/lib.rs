//! The order service: checkout, orders, payments, fulfilment.
//!
//! **Owns** orders and what is known of their payments.
//!
//! **States** ([`state`]): `pending` -> `placed` -> `fulfilled` -> `shipped`; `pending` -> `failed`
//! (refused), or -> `failing` -> `failed` (undone); `failed` -> `pending` (another try); `placed` ->
//! `cancelling` -> `cancelled`.
//!
//! **Announces** [`OrderPlaced`], [`OrderFulfilled`](contracts::order::OrderFulfilled),
//! [`OrderShipped`](contracts::order::OrderShipped) and
//! [`OrderCancelled`](contracts::order::OrderCancelled). **Listens** to its own [`OrderPlaced`], to
//! list orders by customer.
//!
//! Placing an order begins in [`place_order`].

mod begin;
mod cancel_order;
mod conclude;
mod config;
mod consume;
#[cfg(test)]
mod crash;
mod error;
mod fulfil_order;
mod get_order;
mod give_up;
mod http;
mod list_orders;
mod look_up_order;
mod model;
mod payment;
mod place_order;
mod receive_payment_webhook;
mod ship_order;
mod state;
mod store;
mod sweep;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use contracts::cart::CartClient;
use contracts::order::OrderPlaced;
use contracts::product::ProductClient;
use contracts::user::UserClient;
use kernel::Event;
use platform::db::{Db, DbError, Migration};
use platform::events::Consumer;
use platform::lease::Lease;
use platform::tasks::TaskGroup;

pub use self::config::{Capture, Config};
pub use self::error::OrderError;
pub use self::http::routes;
use self::model::Order;
pub use self::payment::test::{BookEntry, read_book};
use self::payment::{PaymentStatus, Provider, Providers};
pub use self::payment::{ProviderError, WebhookError};

/// The schema.
pub const MIGRATIONS: &[Migration] = platform::migrations!["0001_orders"];

/// The types of events that this service listens to.
pub const SUBSCRIPTIONS: &[&str] = &[OrderPlaced::TYPE];

/// How long after a crash another instance sweeps.
const SWEEP_LEASE: Duration = Duration::from_secs(10);

/// What the service needs.
#[derive(Debug)]
pub struct Deps {
    /// Its database.
    pub db: Db,
    /// The carts.
    pub cart: CartClient,
    /// The catalogue and the stock.
    pub product: ProductClient,
    /// The customers.
    pub user: UserClient,
    /// Its settings.
    pub config: Config,
}

/// The order service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OrderService {
    db: Db,
    cart: CartClient,
    product: ProductClient,
    user: UserClient,
    providers: Providers,
    sweeping: Arc<Lease>,
    config: Arc<Config>,
}

impl OrderService {
    /// Starts the service.
    pub async fn build(deps: Deps) -> Result<Self, DbError> {
        let Deps {
            db,
            cart,
            product,
            user,
            config,
        } = deps;
        let providers = Providers::new(&db, &config);
        let sweeping = Arc::new(Lease::new(&db, "order-sweep", SWEEP_LEASE));
        Ok(Self {
            db,
            cart,
            product,
            user,
            providers,
            sweeping,
            config: Arc::new(config),
        })
    }

    /// What it does when events arrive.
    pub fn consumers(&self) -> Vec<Consumer> {
        consume::consumers(self)
    }

    /// Starts what it does in the background.
    pub fn start(&self, tasks: &TaskGroup) {
        tasks.spawn(
            "order sweeper",
            self.clone().sweep(tasks.shutdown().clone()),
        );
    }

    /// Does at once what the background would do by and by; for tests.
    pub async fn settle(&self) -> Result<(), DbError> {
        if let Err(error) = self.sweep_once().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the sweep will go on"
            );
        }
        Ok(())
    }

    /// The provider that an order is paid with.
    fn provider(&self, order: &Order) -> Result<&Provider, OrderError> {
        let found = self.providers.find(&order.provider);
        found.ok_or_else(|| OrderError::UnknownProvider(order.provider.clone()))
    }

    /// Has the provider give the money back; what is left of the payment, which holds none and cannot
    /// any more.
    async fn give_back(&self, order: &Order) -> Result<PaymentStatus, OrderError> {
        let key = order.payment_key();
        let giving = self.provider(order)?.give_back(&key);
        let status = self.in_time(giving).await;
        status
            .and_then(PaymentStatus::closed)
            .map_err(OrderError::Provider)
    }

    /// What a call to a provider comes to, if it comes in time.
    async fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        let timeout = self.config.provider_timeout;
        match tokio::time::timeout(timeout, call).await {
            Ok(result) => result,
            Err(_) => Err(ProviderError::Timeout(timeout)),
        }
    }
}
