//! Rialto as a library: everything that the program `rialto` does but reading its command line,
//! so that tests can run whole shops, several of them, in one process.

mod admin;
mod announce;
mod api;
pub mod demo;
mod internal;
mod role;
mod server;
mod settings;
mod start;
mod wiring;

pub use self::api::{all_routes, openapi};
pub use self::role::Role;
pub use self::server::{Handle, Listeners, PartEnded, Server};
pub use self::settings::{Peers, Settings};
pub use self::start::{StartError, StartErrors, look_around};
pub use self::wiring::{Hooks, migrations, open_database, subscriptions};
