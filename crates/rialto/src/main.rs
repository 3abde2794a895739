//! The program `rialto`.

mod cli;
mod commands;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match commands::run(cli::Cli::parse()) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            terminal::complain(&failure.message);
            failure.exit.into()
        }
    }
}
