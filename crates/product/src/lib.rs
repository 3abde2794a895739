//! The product service: the catalogue, its prices, and the stock.
//!
//! **Owns** products, their variants and prices, the tree of categories, and the lists and the
//! [`search`] that show them; locations, the stock that lies there, reservations, and the ledger of all its changes.
//!
//! **States**: a product is a draft, active or archived; only active ones are in the shop. What a
//! page shows is written when a product changes ([`keep`]) and only filled in with the stock of the
//! moment when it is read ([`document`]).
//!
//! **Announces** [`ProductCreated`](contracts::product::ProductCreated),
//! [`ProductChanged`](contracts::product::ProductChanged) and
//! [`ProductArchived`](contracts::product::ProductArchived). **Listens** to orders that are placed
//! and cancelled.

mod add_location;
mod adjust_stock;
mod archive_product;
mod category;
mod config;
mod consume;
mod contract;
mod create_category;
mod create_product;
mod document;
mod error;
mod export_products;
mod get_category;
mod get_product;
mod get_product_by_slug;
mod get_stock;
mod http;
mod import_products;
mod keep;
mod list_categories;
mod list_ledger;
mod list_locations;
mod list_products;
mod model;
mod release_stock;
mod remove_category;
mod reservation_queue;
mod reserve_stock;
mod rules;
mod search;
mod search_products;
mod sheet;
mod stock;
mod store;
mod sweep;
mod tags;
mod update_category;
mod update_product;

use std::sync::Arc;
use std::time::Duration;

use kernel::Event;
use platform::db::{Db, DbError, Migration};
use platform::lease::Lease;
use platform::metrics::SearchMetrics;
use platform::tasks::TaskGroup;

pub use self::config::Config;
pub use self::error::ProductError;
pub use self::export_products::{ExportError, ExportSettings, ExportSummary, export_products};
pub use self::get_product_by_slug::find_by_slugs;
pub use self::http::routes;
pub use self::import_products::{
    BadHeader, ImportError, ImportSettings, ImportStock, ImportSummary, Rejection, Watch,
    has_products, import_products,
};
pub use self::model::ProductStatus;
use self::reservation_queue::ReservationQueue;
use self::search::Search;

/// The schema.
pub const MIGRATIONS: &[Migration] =
    platform::migrations!["0001_catalogue", "0002_stock", "0003_change_log"];

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
    /// What its search index tells of itself.
    pub metrics: SearchMetrics,
}

/// The product service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ProductService {
    db: Db,
    config: Arc<Config>,
    reservations: Arc<ReservationQueue>,
    /// One instance looks for lapsed reservations.
    sweeping: Arc<Lease>,
    search: Search,
}

impl ProductService {
    /// Starts the service. Reservations wait until [`start`](Self::start).
    pub async fn build(deps: Deps) -> Result<Self, DbError> {
        let Deps {
            db,
            config,
            metrics,
        } = deps;
        let term = Duration::from_secs(30);
        Ok(Self {
            reservations: Arc::new(ReservationQueue::new(&db, &config)),
            sweeping: Arc::new(Lease::new(&db, "lapsed-reservations", term)),
            search: Search::new(&db, &config, metrics),
            config: Arc::new(config),
            db,
        })
    }

    /// Starts what it does in the background.
    pub fn start(&self, tasks: &TaskGroup) {
        let shutdown = tasks.shutdown();
        let reservations = self.reservations.clone();
        tasks.spawn("reservations", reservations.run(shutdown.clone()));
        tasks.spawn("lapsed reservations", self.clone().sweep(shutdown.clone()));
        let search = self.search.clone();
        tasks.spawn("search index", search.follow(shutdown.clone()));
    }

    /// Whether this instance answers all that it is asked, or takes so long to build its search
    /// index that the rest must not wait for it.
    pub fn ready(&self) -> bool {
        self.search.ready()
    }

    /// Does at once what the background would do by and by; for tests.
    pub async fn settle(&self) -> Result<(), DbError> {
        self.release_lapsed().await?;
        self.search.catch_up().await
    }
}
