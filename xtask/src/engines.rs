//! Real servers on this machine, as ordinary processes on loopback, from the system's packages.

mod postgres;
mod redis;

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;

pub(crate) use self::postgres::{Borrowed, Durability, Postgres};
pub(crate) use self::redis::{Redis, install as install_redis};

/// Servers that Rialto can use, on this machine
///
/// They keep what they know below /var/tmp/rialto-engines, or where RIALTO_ENGINES says.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  cargo xtask engines start postgres
  cargo run -- serve --set database.url=postgres://postgres@127.0.0.1:25432/postgres
  cargo xtask engines stop postgres
  cargo xtask engines start redis
  cargo run -- serve --set cache.url=redis://127.0.0.1:26379")]
pub(crate) enum Command {
    /// Start one, installing it if it is missing; prints its URL
    Start {
        /// Which
        engine: Engine,
    },
    /// Stop one and forget what it knew
    Stop {
        /// Which
        engine: Engine,
    },
    /// Tell which ones run
    Status,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Engine {
    Postgres,
    Redis,
}

pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Start {
            engine: Engine::Postgres,
        } => {
            let server = Postgres::new("kept", postgres::PORT)?;
            server.start(Durability::Kept)?;
            println!("{}", server.url());
        }
        Command::Stop {
            engine: Engine::Postgres,
        } => {
            Postgres::new("kept", postgres::PORT)?.stop()?;
        }
        Command::Start {
            engine: Engine::Redis,
        } => {
            let server = Redis::new("kept", redis::PORT);
            server.start()?;
            println!("{}", server.url());
        }
        Command::Stop {
            engine: Engine::Redis,
        } => {
            Redis::new("kept", redis::PORT).stop()?;
        }
        Command::Status => {
            let server = Postgres::new("kept", postgres::PORT)?;
            let state = if server.runs() {
                server.url()
            } else {
                String::from("stopped")
            };
            println!("postgres  {state}");
            let server = Redis::new("kept", redis::PORT);
            let state = if server.runs() {
                server.url()
            } else {
                String::from("stopped")
            };
            println!("redis     {state}");
        }
    }
    Ok(())
}

/// Where servers keep what they know. Not below `target`: servers that refuse to run as root must
/// be able to get there as somebody else.
pub(crate) fn folder() -> PathBuf {
    std::env::var_os("RIALTO_ENGINES")
        .map_or_else(|| PathBuf::from("/var/tmp/rialto-engines"), PathBuf::from)
}
