//! The cart service: carts, quotes, promotions.
//!
//! **Owns** carts, which of a customer's carts is the current one, and promotions. A cart is one
//! row with its content as a document, under an id that the client holds: another store can hold
//! it. What a cart costs is never kept but priced when it is read ([`pricing`]).
//!
//! **States**: `open` -> `completed` (it has become an order) or `merged` (it went into another
//! cart of its customer). A cart that nobody changes expires, and is not there any more.
//!
//! **Announces** nothing. **Listens** to [`OrderPlaced`](contracts::order::OrderPlaced), which
//! completes the cart.
//!
//! Every change of a cart goes through [`change`].

mod add_line;
mod assess;
mod change;
mod change_line;
mod claim_cart;
mod config;
mod consume;
mod contract;
mod create_cart;
mod create_promotion;
mod create_quote;
mod error;
mod get_cart;
mod get_current_cart;
mod hold;
mod http;
mod known;
mod list_promotions;
mod list_shipping_options;
mod model;
mod pricing;
mod promotion;
mod remove_line;
mod remove_promotion;
mod shipping;
mod store;
mod sweep;
mod update_cart;
mod view;

use std::sync::Arc;
use std::time::Duration;

use contracts::product::ProductClient;
use kernel::Event;
use platform::db::{Db, DbError, Migration};
use platform::events::Consumer;
use platform::lease::Lease;
use platform::tasks::TaskGroup;

pub use self::config::Config;
pub use self::create_promotion::add_promotion;
pub use self::error::CartError;
pub use self::http::routes;
pub use self::shipping::ShippingOption;

/// The schema.
pub const MIGRATIONS: &[Migration] = platform::migrations!["0001_carts"];

/// The types of events that this service listens to.
pub const SUBSCRIPTIONS: &[&str] = &[contracts::order::OrderPlaced::TYPE];

/// How long after a crash another instance sweeps.
const SWEEP_LEASE: Duration = Duration::from_secs(60);

/// What the service needs.
#[derive(Debug)]
pub struct Deps {
    /// Its database.
    pub db: Db,
    /// The catalogue and the stock.
    pub product: ProductClient,
    /// Its settings.
    pub config: Config,
}

/// The cart service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CartService {
    db: Db,
    product: ProductClient,
    sweeping: Arc<Lease>,
    config: Arc<Config>,
}

impl CartService {
    /// Starts the service.
    pub async fn build(deps: Deps) -> Result<Self, DbError> {
        let Deps {
            db,
            product,
            config,
        } = deps;
        let sweeping = Arc::new(Lease::new(&db, "cart-sweep", SWEEP_LEASE));
        Ok(Self {
            db,
            product,
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
        let shutdown = tasks.shutdown().clone();
        tasks.spawn("cart sweeper", self.clone().sweep(shutdown));
    }

    /// Does at once what the background would do by and by; for tests.
    pub async fn settle(&self) -> Result<(), DbError> {
        self.sweep_now().await
    }
}
