//! `cargo xtask release`: the program as it is shipped. It is built twice: first with counters of what
//! runs how often, which are read after it has sold goods and led requests on, and then laid out by
//! what they say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use ring::digest;

use crate::bench;
use crate::process::{remove_folder, run as run_command};
use crate::tools::{build_with, llvm_profdata};

/// Builds of their own, and what was counted.
const FOLDER: &str = "target/pgo";
/// Where the program is in the end.
const PROGRAM: &str = "target/released/rialto";

/// Build the program as it is shipped, optimised by what it does under load
///
/// A plain `cargo build --release` has no profile and is slower under load; this takes twice as long,
/// and two minutes of load on loopback between. Takes wrk and nginx, for the load, and llvm-profdata,
/// and installs them, or says how. What was counted is used again until the code changes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask release                       target/released/rialto
  cargo xtask bench gateway                 measures this program; builds it if it has changed")]
pub(crate) struct Options {}

pub(crate) fn run(Options {}: &Options) -> Result<()> {
    let program = build()?;
    let size = fs::metadata(&program)?.len();
    println!("{} ({} MiB)", program.display(), size >> 20);
    Ok(())
}

/// Builds it, if the code has changed; its path.
pub(crate) fn build() -> Result<PathBuf> {
    let folder = std::path::absolute(FOLDER)?;
    let counts = folder.join("counts");
    let profdata = llvm_profdata()?;
    let counting = compile(
        "counting",
        &format!("-Cprofile-generate={}", counts.display()),
    )?;
    // Cargo looks at the flags, not at what is in the file that they name.
    let code = digest::digest(&digest::SHA256, &fs::read(&counting)?);
    let name: String = code.as_ref()[..8]
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let profile = folder.join(format!("{name}.profdata"));
    if !profile.exists() {
        remove_folder(&counts)?;
        bench::train(&counting)?;
        ensure!(counts.exists(), "the program has counted nothing");
        let mut merge = Command::new(profdata);
        merge.args(["merge", "--output"]).arg(&profile).arg(&counts);
        run_command(&mut merge)?;
    }
    let built = compile("shipped", &format!("-Cprofile-use={}", profile.display()))?;
    let program = Path::new(PROGRAM);
    fs::create_dir_all(program.parent().unwrap_or(program))?;
    // In place of the one before, which may be running.
    let fresh = program.with_extension("new");
    fs::copy(built, &fresh)?;
    fs::rename(fresh, program)?;
    Ok(program.to_owned())
}

/// A release build in a folder of its own; its path.
fn compile(folder: &str, flags: &str) -> Result<PathBuf> {
    let line = "cargo build --release --locked --package rialto";
    let programs = build_with(flags, &Path::new(FOLDER).join(folder), line)?;
    Ok(programs.join("rialto"))
}
