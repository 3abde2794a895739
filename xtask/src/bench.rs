//! `cargo xtask bench`: builds what is measured and what measures, and starts PostgreSQL for it.

mod gateway;

use std::path::Path;

use anyhow::Result;

use crate::engines::{Borrowed, Durability, Postgres};
use crate::process::{command, free_address, run as run_command};
use crate::release;

/// Measure how fast the shop is, beside what the machine can do, in one run
///
/// Builds the program as it is shipped (`cargo xtask release`), starts it on SQLite and on PostgreSQL, and
/// prints tables.
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

/// Lets `program` do under load what it is shipped for: sell, and lead requests on.
pub(crate) fn train(program: &Path) -> Result<()> {
    run_command(&mut command("cargo build --locked --package rialto-bench"))?;
    println!("what runs is counted; the figures that follow are of a program that counts");
    let mut shop = command("target/debug/rialto-bench --seconds 2 --rounds 1 --program");
    run_command(shop.arg(program))?;
    gateway::train(program)
}

fn run_shop(options: &Options) -> Result<()> {
    let program = release::build()?;
    run_command(&mut command(
        "cargo build --release --locked --package rialto-bench",
    ))?;
    let mut bench = command("target/release/rialto-bench");
    bench.arg("--program").arg(program).args(&options.rest);
    if options.no_postgres {
        return run_command(&mut bench);
    }
    let server = Borrowed(Postgres::new("bench", free_address()?.port())?);
    server.0.start(Durability::Kept)?;
    bench.arg("--postgres").arg(server.0.url());
    bench.arg("--postgres-programs").arg(server.0.programs());
    run_command(&mut bench)
}
