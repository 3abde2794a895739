//! The order service.

mod config;
mod http;

use kernel::Event;
use platform::db::{Db, DbError, Migration};
use platform::events::Consumer;
use platform::tasks::TaskGroup;

pub use self::config::Config;
pub use self::http::routes;

/// The schema.
pub const MIGRATIONS: &[Migration] = platform::migrations!["0001_orders"];

/// The types of events that this service listens to.
pub const SUBSCRIPTIONS: &[&str] = &[contracts::order::OrderPlaced::TYPE];

/// What the service needs.
#[derive(Debug)]
pub struct Deps {
    /// Its database.
    pub db: Db,
    /// The carts.
    pub cart: contracts::cart::CartClient,
    /// The catalogue and the stock.
    pub product: contracts::product::ProductClient,
    /// The customers.
    pub user: contracts::user::UserClient,
    /// Its settings.
    pub config: Config,
}

/// The order service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OrderService {
    db: Db,
}

impl OrderService {
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
