//! The feed service: what the shop and its customers post, and what others make of it.
//!
//! **Owns** posts, likes and comments. A timeline is what one author has posted, the newest first.
//! Everything lies with the author of the post that it belongs to; whose a post is, a table of its
//! own knows.
//!
//! **States**: a post is there until its author or the shop removes it. What hangs on a removed one
//! is swept away afterwards.
//!
//! **Announces** [`PostPublished`](contracts::feed::PostPublished) and
//! [`PostRemoved`](contracts::feed::PostRemoved). **Listens** to nothing.

mod add_comment;
mod config;
mod error;
mod get_post;
mod get_timeline;
mod http;
mod like_post;
mod list_comments;
mod model;
mod publish_post;
mod remove_comment;
mod remove_post;
mod store;
mod sweep;
mod unlike_post;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use contracts::product::ProductClient;
use contracts::user::UserClient;
use platform::db::{Db, DbError, Migration};
use platform::lease::Lease;
use platform::tasks::TaskGroup;

pub use self::config::Config;
pub use self::error::FeedError;
pub use self::http::routes;
pub use self::publish_post::publish_for_shop;

/// The schema.
pub const MIGRATIONS: &[Migration] = platform::migrations!["0001_feed"];

/// How long after a crash another instance sweeps.
const SWEEP_LEASE: Duration = Duration::from_secs(60);

/// What the service needs.
#[derive(Debug)]
pub struct Deps {
    /// Its database.
    pub db: Db,
    /// Whether what posts show is on sale.
    pub product: ProductClient,
    /// Who writes.
    pub user: UserClient,
    /// Its settings.
    pub config: Config,
}

/// The feed service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FeedService {
    db: Db,
    product: ProductClient,
    user: UserClient,
    sweeping: Arc<Lease>,
    config: Arc<Config>,
}

impl FeedService {
    /// Starts the service.
    pub fn build(deps: Deps) -> Self {
        let Deps {
            db,
            product,
            user,
            config,
        } = deps;
        let sweeping = Arc::new(Lease::new(&db, "feed-sweep", SWEEP_LEASE));
        Self {
            db,
            product,
            user,
            sweeping,
            config: Arc::new(config),
        }
    }

    /// Starts what it does in the background.
    pub fn start(&self, tasks: &TaskGroup) {
        let shutdown = tasks.shutdown().clone();
        tasks.spawn("feed sweeper", self.clone().sweep(shutdown));
    }

    /// Does at once what the background would do by and by; for tests.
    pub async fn settle(&self) -> Result<(), DbError> {
        self.sweep_now().await
    }
}
