//! The user service: customers and the staff of the shop.
//!
//! **Owns** customers, their credentials, log-ins and addresses; staff and their roles; the keys
//! that sign access tokens.
//!
//! **States**: a customer is unverified until a token that was mailed comes back. A log-in (a
//! session) lives until it is logged out, expires, or one of its refresh tokens is used twice.
//!
//! **Announces** [`UserRegistered`](contracts::user::UserRegistered),
//! [`VerificationRequested`](contracts::user::VerificationRequested),
//! [`EmailVerified`](contracts::user::EmailVerified),
//! [`PasswordResetRequested`](contracts::user::PasswordResetRequested) and
//! [`PasswordChanged`](contracts::user::PasswordChanged). **Listens** to nothing.

mod config;
mod contract;
mod create_staff;
mod error;
mod get_profile;
mod http;
mod keys;
mod log_in;
mod log_in_staff;
mod log_out;
mod mail_token;
mod model;
mod password;
mod refresh_session;
mod register_customer;
mod session;
mod store;
mod throttle;

use std::sync::Arc;

use platform::cache::Cache;
use platform::db::{Db, DbError, Migration};
use platform::events::Consumer;
use platform::tasks::TaskGroup;

pub use self::config::Config;
pub use self::create_staff::create_staff;
pub use self::error::UserError;
pub use self::http::routes;
use self::keys::Keys;
pub use self::keys::rotate_key;
use self::password::Hasher;
use self::throttle::Throttle;

/// The schema.
pub const MIGRATIONS: &[Migration] = platform::migrations!["0001_users"];

/// The types of events that this service listens to.
pub const SUBSCRIPTIONS: &[&str] = &[];

/// What the service needs.
#[derive(Debug)]
pub struct Deps {
    /// Its database.
    pub db: Db,
    /// Counts failed log-ins.
    pub cache: Cache,
    /// Its settings.
    pub config: Config,
}

/// The user service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct UserService {
    db: Db,
    keys: Keys,
    hasher: Hasher,
    throttle: Throttle,
    config: Arc<Config>,
}

impl UserService {
    /// Starts the service; makes a signing key if there is none yet.
    pub async fn build(deps: Deps) -> Result<Self, DbError> {
        let Deps { db, cache, config } = deps;
        let keys = Keys::load(&db).await?;
        let hasher = Hasher::new(config.password_hashers, config.password_queue);
        let throttle = Throttle::new(cache, &config);
        let config = Arc::new(config);
        Ok(Self {
            db,
            keys,
            hasher,
            throttle,
            config,
        })
    }

    /// What it does when events arrive.
    pub fn consumers(&self) -> Vec<Consumer> {
        Vec::new()
    }

    /// Starts what it does in the background.
    pub fn start(&self, _tasks: &TaskGroup) {}

    /// Does at once what the background would do by and by; for tests.
    pub async fn settle(&self) -> Result<(), DbError> {
        Ok(())
    }
}
