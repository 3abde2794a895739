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
//! [`PasswordChanged`](contracts::user::PasswordChanged). **Listens** to
//! [`PasswordResetAsked`], which it announces itself.

mod add_address;
mod add_staff;
mod change_address;
mod change_password;
mod config;
mod consume;
mod contract;
mod create_staff;
mod error;
mod get_address;
mod get_customer;
mod get_keys;
mod get_profile;
mod get_staff;
mod get_staff_profile;
mod http;
mod keys;
mod list_addresses;
mod list_customers;
mod list_staff;
mod log_in;
mod log_in_staff;
mod log_out;
mod mail_token;
mod model;
mod password;
mod refresh_session;
mod register_customer;
mod remove_address;
mod request_password_reset;
mod request_verification;
mod reset_password;
mod session;
mod store;
mod sweep;
mod throttle;
mod update_profile;
mod update_staff;
mod verify_email;

use std::sync::Arc;

use contracts::user::PasswordResetAsked;
use kernel::Event;
use platform::cache::Cache;
use platform::db::{Db, DbError, Migration};

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
pub const SUBSCRIPTIONS: &[&str] = &[PasswordResetAsked::TYPE];

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
}
