//! `cargo xtask release`: the program as it is shipped. It is built twice: first with counters of what
//! runs how often, which are read after it has sold goods and led requests on, and then optimised by what
//! they say. The result counts once more, and BOLT (Panchenko et al., "BOLT: A Practical Binary Optimizer
//! for Data Centers and Beyond", 2019) puts what runs one after the other side by side: the compiler
//! knows how often a function runs, and not where the linker will have put it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use ring::digest;

use crate::bench;
use crate::process::{remove_folder, run as run_command};
use crate::tools::{Bolt, build_with, llvm_tool};

/// Builds of their own, and what was counted.
const FOLDER: &str = "target/pgo";
/// Where the program is in the end.
const PROGRAM: &str = "target/released/rialto";

/// Build the program as it is shipped, optimised by what it does under load
///
/// A plain `cargo build --release` has no profile and is slower under load; this takes twice as long,
/// and five minutes of load on loopback between. Takes wrk and nginx, for the load, llvm-profdata, and
/// BOLT, and installs them, or says how. What was counted is used again until the code changes.
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
    let (profdata, strip, bolt) = (
        llvm_tool("llvm-profdata")?,
        llvm_tool("llvm-strip")?,
        Bolt::found()?,
    );
    let counting = compile(
        "counting",
        &format!("-Cprofile-generate={}", counts.display()),
    )?;
    let profile = counted(&counting, &folder, "profdata", |profile| {
        remove_folder(&counts)?;
        bench::train(&counting)?;
        ensure!(counts.exists(), "the program has counted nothing");
        let mut merge = Command::new(&profdata);
        merge.args(["merge", "--output"]).arg(profile).arg(&counts);
        run_command(&mut merge)
    })?;
    // BOLT moves code, and has to find all that points to it.
    let by_profile = format!(
        "-Cprofile-use={} -Clink-arg=-Wl,--emit-relocs",
        profile.display()
    );
    let optimised = compile("shipped", &by_profile)?;
    let layout = counted(&optimised, &folder, "fdata", |layout| {
        let counting = folder.join("counting-blocks");
        remove_folder(&counts)?;
        fs::create_dir_all(&counts)?;
        bolt.let_count(&optimised, &counting, &counts)?;
        bench::train(&counting)?;
        bolt.merge(&counts, layout)
    })?;
    let program = Path::new(PROGRAM);
    fs::create_dir_all(program.parent().unwrap_or(program))?;
    // In place of the one before, which may be running.
    let fresh = program.with_extension("new");
    bolt.lay_out(&optimised, &layout, &fresh)?;
    run_command(Command::new(strip).arg("--strip-all").arg(&fresh))?;
    fs::rename(&fresh, program)?;
    Ok(program.to_owned())
}

/// What `count` has counted of `program`, in a file that is named by what the program is: Cargo looks at
/// flags, not at what is in the files that they name.
fn counted(
    program: &Path,
    folder: &Path,
    kind: &str,
    count: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let code = digest::digest(&digest::SHA256, &fs::read(program)?);
    let hex = code.as_ref()[..8].iter().map(|b| format!("{b:02x}"));
    let path = folder.join(hex.collect::<String>()).with_extension(kind);
    if !path.exists() {
        count(&path)?;
    }
    Ok(path)
}

/// A release build in a folder of its own; its path. It keeps its symbols, which BOLT goes by.
fn compile(folder: &str, flags: &str) -> Result<PathBuf> {
    let line =
        "cargo build --release --locked --package rialto --config profile.release.strip=false";
    let programs = build_with(flags, &Path::new(FOLDER).join(folder), line)?;
    Ok(programs.join("rialto"))
}
