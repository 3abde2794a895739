//! The program `rialto`.

mod cli;
mod commands;
mod terminal;

use std::process::ExitCode;

use clap::Parser;
use tikv_jemallocator::Jemalloc;

/// See docs/adr/0005-an-allocator.md.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    match commands::run(cli::Cli::parse()) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            terminal::complain(&failure.message);
            failure.exit.into()
        }
    }
}
