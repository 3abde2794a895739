//! The product service: the catalogue, its prices, and the stock.
//!
//! **Owns** products, their variants and prices, the tree of categories, and the lists that show
//! them; locations, the stock that lies there, reservations, and the ledger of all its changes.
//!
//! **States**: a product is a draft, active or archived; only active ones are in the shop. What a
//! page shows is written when a product changes ([`keep`]) and only filled in with the stock of the
//! moment when it is read ([`document`]).
//!
//! **Announces** [`ProductCreated`](contracts::product::ProductCreated),
//! [`ProductChanged`](contracts::product::ProductChanged) and
//! [`ProductArchived`](contracts::product::ProductArchived). **Listens** to orders that are placed
//! and cancelled.

mod config;
mod contract;
mod create_product;
mod document;
mod error;
mod get_product;
mod get_product_by_slug;
mod http;
mod keep;
mod model;
mod rules;
mod stock;
mod store;

use kernel::Event;
use platform::db::{Db, DbError, Migration};
use platform::events::Consumer;
use platform::tasks::TaskGroup;

pub use self::config::Config;
pub use self::error::ProductError;
pub use self::http::routes;

/// The schema.
pub const MIGRATIONS: &[Migration] = platform::migrations!["0001_catalogue", "0002_stock"];

/// The types of events that this service listens to.
pub const SUBSCRIPTIONS: &[&str] = &[
    contracts::order::OrderPlaced::TYPE,
    contracts::order::OrderCancelled::TYPE,
];

/// What the service needs.
#[derive(Debug)]
pub struct Deps {
    /// Its database.
    pub db: Db,
    /// Its settings.
    pub config: Config,
}

/// The product service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ProductService {
    db: Db,
}

impl ProductService {
    /// Starts the service.
    pub async fn build(deps: Deps) -> Result<Self, DbError> {
        Ok(Self { db: deps.db })
    }

    /// What it does when events arrive.
    pub fn consumers(&self) -> Vec<Consumer> {
        Vec::new()
    }

    /// Starts what it does in the background.
    pub fn start(&self, _tasks: &TaskGroup) {}

    /// Does at once what the background would do by and by; for tests.
    pub async fn settle(&self) -> Result<(), DbError> {
        self.db.ping().await
    }
}
