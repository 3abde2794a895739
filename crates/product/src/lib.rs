//! The product service.

mod config;
mod http;
mod stock;
mod store;

use kernel::Event;
use platform::db::{Db, DbError, Migration};
use platform::events::Consumer;
use platform::tasks::TaskGroup;

pub use self::config::Config;
pub use self::http::routes;

/// The schema.
pub const MIGRATIONS: &[Migration] = platform::migrations!["0001_products", "0002_stock"];

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

impl contracts::product::ProductApi for ProductService {
    fn price_variants(
        &self,
        _: contracts::product::PriceVariants,
    ) -> kernel::contract::Answer<'_, Vec<contracts::product::PricedVariant>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn reserve_stock(
        &self,
        request: contracts::product::ReserveStock,
    ) -> kernel::contract::Answer<'_, contracts::product::Reservation> {
        Box::pin(async move {
            Ok(contracts::product::Reservation {
                holder: request.holder,
                expires_at: request.expires_at,
            })
        })
    }
    fn release_stock(
        &self,
        _: contracts::product::ReleaseStock,
    ) -> kernel::contract::Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}
