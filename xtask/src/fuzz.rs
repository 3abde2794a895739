//! `cargo xtask fuzz`: what must hold whatever comes, by libFuzzer, which sees what the code does with
//! an input and keeps those that lead somewhere new.
//!
//! It takes no nightly compiler: only sanitizers would, and the code is safe Rust, in which they find
//! nothing.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::process::{Running, found, install_package, run as run_command};
use crate::tools::build_with;

/// As in `gateway::fuzzing` and `wire::fuzzing`.
const TARGETS: [&str; 6] = [
    "router",
    "cache_key",
    "headers",
    "table",
    "request_head",
    "response_head",
];
/// A build of its own, with what it has found.
const FOLDER: &str = "target/fuzz";
/// Inputs that break a promise.
const ARTIFACTS: &str = "fuzz/artifacts";
/// Counters of what is executed, and what is compared with what, for libFuzzer to see; the same as
/// `cargo fuzz` passes. `fuzzing` is what libfuzzer-sys and other crates expect to be set.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cllvm-args=-simplifycfg-branch-fold-threshold=0";

/// Fuzz the router, the cache key, header rewriting, the table and the heads of HTTP/1.1
///
/// Takes a C++ compiler, for libFuzzer. As many targets run at once as there are cores. What they find
/// is kept in target/fuzz/corpus, and they begin with that and with fuzz/corpus.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask fuzz                          each target for a minute, after building for two
  cargo xtask fuzz --seconds 3600 router    this one for an hour
  cargo xtask fuzz router --input FILE      this input only")]
pub(crate) struct Options {
    /// Only these targets
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(TARGETS))]
    targets: Vec<String>,
    /// How long each runs
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Run once, on what is in this file
    #[arg(long, value_name = "FILE", requires = "targets")]
    input: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let names: Vec<&str> = if options.targets.is_empty() {
        TARGETS.to_vec()
    } else {
        options.targets.iter().map(String::as_str).collect()
    };
    let programs = build()?;
    if let Some(input) = &options.input {
        let once = |name| run_command(Command::new(programs.join(name)).arg(input));
        return names.into_iter().try_for_each(once);
    }
    fuzz(&programs, &names, Duration::from_secs(options.seconds))
}

/// All targets, each for so long.
pub(crate) fn all(time: Duration) -> Result<()> {
    fuzz(&build()?, &TARGETS, time)
}

/// Builds the targets; the folder in which they are.
fn build() -> Result<PathBuf> {
    if std::env::var_os("CXX").is_none() && !found("c++") {
        install_package("g++", "A C++ compiler, which libFuzzer is built with,")?;
    }
    // Macros and build scripts would look for libFuzzer in the compiler.
    let line = "cargo build --release --bins --locked --manifest-path fuzz/Cargo.toml";
    build_with(COVERAGE, Path::new(FOLDER), line)
}

/// As many at once as there are cores; all of them run, whatever one finds.
fn fuzz(programs: &Path, names: &[&str], time: Duration) -> Result<()> {
    println!("{} s each, beginning with fuzz/corpus", time.as_secs());
    let waiting = Mutex::new(names.iter());
    let next = || {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.next().copied()
    };
    let work = || {
        let mut broken = Vec::new();
        while let Some(name) = next() {
            match fuzz_one(programs, name, time) {
                Ok(done) => println!("{name}: {done}"),
                Err(error) => {
                    eprintln!("{name}: {error:#}");
                    broken.push(name);
                }
            }
        }
        broken
    };
    let cores = std::thread::available_parallelism()?.get();
    let broken: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let ended = workers.into_iter().map(std::thread::ScopedJoinHandle::join);
        ended
            .flat_map(|broken| broken.expect("panics nowhere"))
            .collect()
    });
    ensure!(
        broken.is_empty(),
        "{}: found what must not be, see above",
        broken.join(", ")
    );
    Ok(())
}

/// What a target did, in a line; fails with what it has found.
fn fuzz_one(programs: &Path, name: &str, time: Duration) -> Result<String> {
    // What is worth keeping of what is found is chosen by hand.
    let finds = Path::new(FOLDER).join("corpus").join(name);
    let artifacts = Path::new(ARTIFACTS).join(name);
    fs::create_dir_all(&finds)?;
    fs::create_dir_all(&artifacts)?;
    let log = Path::new(FOLDER).join(format!("{name}.log"));
    let written = fs::File::create(&log)?;
    let mut fuzz = Command::new(programs.join(name));
    fuzz.arg(finds)
        .arg(Path::new("fuzz/corpus").join(name))
        .args(["-max_len=8192", "-timeout=10", "-print_funcs=0"])
        .args(["-dict=fuzz/dictionary", "-print_final_stats=1"])
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(format!("-max_total_time={}", time.as_secs()))
        .stdin(Stdio::null())
        .stdout(written.try_clone()?)
        .stderr(written);
    // It looks at the clock between inputs, and first reads all that was found before.
    let status = Running::start(&mut fuzz)?.ended(time + Duration::from_secs(120));
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if !status.as_ref().is_ok_and(std::process::ExitStatus::success) {
        // Before that it only tells how it gets on.
        let end = said
            .rfind("\n#")
            .map_or(said.as_str(), |begin| &said[begin..]);
        std::io::stderr().write_all(end.as_bytes())?;
        let status = status?;
        let Some(input) = said.split("Test unit written to ").nth(1) else {
            bail!("ended with {status}; see {}", log.display());
        };
        let input = input.lines().next().unwrap_or_default();
        bail!(
            "breaks a promise on the input {input}; repeat it with \
             `cargo xtask fuzz {name} --input {input}`, and keep it in fuzz/corpus/{name}, \
             named after what it broke"
        );
    }
    let done = said.lines().rfind(|line| line.starts_with("Done "));
    let new = said
        .lines()
        .find_map(|line| line.strip_prefix("stat::new_units_added:"));
    let (done, new) = done.zip(new).context("no word of what was done")?;
    Ok(format!("{done}, {} inputs led somewhere new", new.trim()))
}
