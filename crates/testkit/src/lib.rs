//! Whole shops for tests: real servers on ports of their own, real databases, a clock that stands
//! until it is moved, and a bus that delivers everything twice and out of order between subjects.
//!
//! `TEST_LAYOUT=split` spreads each shop over several servers; `TEST_DATABASE_URL` names a
//! PostgreSQL server to use instead of SQLite. The same tests pass in every combination.
//!
//! ```no_run
//! # async fn story() {
//! use testkit::{TestShop, eur};
//!
//! let shop = TestShop::start().await;
//! let mug = shop.product("mug").price(eur(19_99)).stock(1).create().await;
//! let order = shop.guest("ada@example.com").buys(&mug, 1).await;
//! assert_eq!(order.status, 201);
//! shop.settle().await;
//! # }
//! ```

mod announced;
mod backend;
mod build;
mod chaos;
mod client;
mod mail;
mod shop;
mod subscriptions;

pub use self::backend::Backend;
pub use self::build::{Buyer, Product, ProductBuilder, eur, jpy, money, usd};
pub use self::client::{Answer, Client, RequestBuilder};
pub use self::shop::{Layout, TestShop, TestShopBuilder};
