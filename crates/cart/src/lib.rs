//! The cart service.

mod config;
mod http;

use kernel::Event;
use platform::db::{Db, DbError, Migration};
use platform::events::Consumer;
use platform::tasks::TaskGroup;

pub use self::config::Config;
pub use self::http::routes;

/// The schema.
pub const MIGRATIONS: &[Migration] = platform::migrations!["0001_carts"];

/// The types of events that this service listens to.
pub const SUBSCRIPTIONS: &[&str] = &[contracts::order::OrderPlaced::TYPE];

/// What the service needs.
#[derive(Debug)]
pub struct Deps {
    /// Its database.
    pub db: Db,
    /// The catalogue.
    pub product: contracts::product::ProductClient,
    /// Its settings.
    pub config: Config,
}

/// The cart service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CartService {
    db: Db,
}

impl CartService {
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

impl contracts::cart::CartApi for CartService {
    fn checkout_cart(
        &self,
        _: contracts::cart::CheckoutCart,
    ) -> kernel::contract::Answer<'_, contracts::cart::Checkout> {
        Box::pin(async {
            let code = contracts::cart::codes::NOT_FOUND;
            Err(kernel::Problem::new(
                kernel::Kind::NotFound,
                code,
                "no such cart",
            ))
        })
    }
}
