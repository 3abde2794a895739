//! `cargo xtask`: what developing Rialto takes besides cargo itself.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for the terminal, and nothing but that"
)]

mod bench;
mod engines;
mod fuzz;
mod process;
mod release;
mod test;
mod tools;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tests, engines and measurements of Rialto.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Test(test::Options),
    #[command(subcommand)]
    Engines(engines::Command),
    Bench(bench::Options),
    Fuzz(fuzz::Options),
    Release(release::Options),
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let result = std::env::set_current_dir(root)
        .map_err(anyhow::Error::from)
        .and_then(|()| match Cli::parse().command {
            Command::Test(options) => test::run(&options),
            Command::Engines(command) => engines::run(&command),
            Command::Bench(options) => bench::run(&options),
            Command::Fuzz(options) => fuzz::run(&options),
            Command::Release(options) => release::run(&options),
        });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "{} {error:#}",
                console::style("error:").red().bold().for_stderr()
            );
            ExitCode::FAILURE
        }
    }
}
