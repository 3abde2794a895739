//! `cargo xtask fuzz`: what must hold whatever comes, by `cargo fuzz`, or by lot.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::process::{command, output, run as run_command};
use crate::tools;

/// As in `gateway::fuzzing` and `wire::fuzzing`.
const TARGETS: [&str; 6] = [
    "router",
    "cache_key",
    "headers",
    "table",
    "request_head",
    "response_head",
];

/// Fuzz the router, the cache key, header rewriting, the table and the heads of HTTP/1.1
///
/// Takes a nightly compiler and cargo-fuzz, which is installed. Without them inputs are changed by
/// lot, as in `cargo xtask test fuzz`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask fuzz                          each target for a minute, after building for some
  cargo xtask fuzz --seconds 3600 router    this one for an hour")]
pub(crate) struct Options {
    /// Only these targets
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(TARGETS))]
    targets: Vec<String>,
    /// How long each runs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let fuzzer = match cargo_fuzz() {
        Ok(fuzzer) => fuzzer,
        Err(missing) => {
            println!(
                "no nightly compiler, or no cargo-fuzz: by lot, and all targets ({missing:#})"
            );
            return by_lot(options.seconds);
        }
    };
    let wanted = |name: &&&str| {
        options.targets.is_empty() || options.targets.iter().any(|target| target == **name)
    };
    for name in TARGETS.iter().filter(wanted) {
        println!("{name}, for {} s", options.seconds);
        // What is found goes there; what is worth keeping is chosen by hand.
        let found = Path::new("target/fuzz/corpus").join(name);
        std::fs::create_dir_all(&found)?;
        let mut fuzz = command("rustup run nightly");
        fuzz.arg(&fuzzer)
            // The code is safe Rust: a sanitizer would find nothing, and take its time.
            .args(["run", "--fuzz-dir", "fuzz", "--sanitizer", "none", name])
            .arg(found)
            .arg(Path::new("fuzz/corpus").join(name))
            .args(["--", "-max_len=8192", "-timeout=10", "-print_funcs=0"])
            .arg(format!("-max_total_time={}", options.seconds))
            .args(["-print_final_stats=1"]);
        // That of the compiler which has built this program.
        fuzz.env_remove("CARGO")
            .env("CARGO_TARGET_DIR", "target/fuzz");
        run_command(&mut fuzz)?;
    }
    Ok(())
}

fn cargo_fuzz() -> Result<PathBuf> {
    output(Command::new("rustup").args(["run", "nightly", "rustc", "--version"]))?;
    tools::cargo_tool("cargo-fuzz", "0.13.2")
}

/// All targets at once, by what the tests are built with anyway.
pub(crate) fn by_lot(seconds: u32) -> Result<()> {
    let mut tests = command("cargo test --workspace --tests --locked --quiet");
    tests.args(["--", "--ignored", "what_is_changed_by_lot_holds"]);
    run_command(tests.env("FUZZ_SECONDS", seconds.to_string()))
}
