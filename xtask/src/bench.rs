//! `cargo xtask bench`: builds what is measured and what measures, and starts PostgreSQL for it.

mod gateway;

use anyhow::Result;

use crate::engines::{Borrowed, Durability, Postgres};
use crate::process::{command, free_address, run as run_command};

/// Measure how fast the shop is, beside what the machine can do, in one run
///
/// Builds the release program, starts it on SQLite and on PostgreSQL, and prints tables.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  cargo xtask bench                              both engines, three rounds each; ten minutes
  cargo xtask bench --no-postgres -- --only cart --seconds 2 --rounds 1
  cargo xtask bench -- --write                   the figures go into docs/performance.md
  cargo xtask bench gateway                      the gateway beside nginx, HAProxy and others"
)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: Option<What>,
    /// Leave PostgreSQL out
    #[arg(long)]
    no_postgres: bool,
    /// What rialto-bench takes; `-- --help` tells
    #[arg(last = true)]
    rest: Vec<String>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Gateway(gateway::Options),
}

pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.what {
        Some(What::Gateway(gateway)) => gateway::run(gateway),
        None => run_shop(options),
    }
}

fn run_shop(options: &Options) -> Result<()> {
    let build = "cargo build --release --locked --package rialto --package rialto-bench";
    run_command(&mut command(build))?;
    let mut bench = command("target/release/rialto-bench");
    bench.args(&options.rest);
    if options.no_postgres {
        return run_command(&mut bench);
    }
    let server = Borrowed(Postgres::new("bench", free_address()?.port())?);
    server.0.start(Durability::Kept)?;
    bench.arg("--postgres").arg(server.0.url());
    bench.arg("--postgres-programs").arg(server.0.programs());
    run_command(&mut bench)
}
