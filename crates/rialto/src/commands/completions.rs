//! `rialto completions`.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Exit, Outcome};
use crate::cli::Cli;

pub(crate) fn run(shell: Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "rialto", &mut script);
    std::io::Write::write_all(&mut std::io::stdout().lock(), &script)?;
    Ok(Exit::Done)
}
