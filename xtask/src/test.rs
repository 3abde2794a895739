//! `cargo xtask test`: everything that must hold before a change lands. CI runs the same.

mod budget;
mod interface;

use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use console::style;

use crate::engines::{Borrowed, Durability, Postgres, install_redis};
use crate::process::{command, free_address, run as run_command};
use crate::tools;

/// Check and test everything, as CI does
///
/// Installs what is missing (PostgreSQL, Redis, a C++ compiler, schemathesis, cargo-deny, cargo-machete),
/// or says how. The release program is built beside the other steps.
/// All steps run, and the failed ones are listed at the end.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask test                     everything; 30 to 45 minutes from cold on two cores
  cargo xtask test sqlite postgres     these steps only
  cargo xtask test --list              what there is")]
pub(crate) struct Options {
    /// Only these steps
    #[arg(value_parser = step())]
    steps: Vec<String>,
    /// Print the steps
    #[arg(long)]
    list: bool,
}

struct Step {
    name: &'static str,
    about: &'static str,
    run: fn() -> Result<()>,
}

const STEPS: [Step; 12] = [
    Step {
        name: "format",
        about: "cargo fmt finds nothing to do",
        run: format,
    },
    Step {
        name: "lints",
        about: "clippy with the lints of the workspace",
        run: lints,
    },
    Step {
        name: "docs",
        about: "rustdoc, private items too",
        run: docs,
    },
    Step {
        name: "dependencies",
        about: "licences, sources, advisories; nothing unused, one TLS provider",
        run: dependencies,
    },
    Step {
        name: "sqlite",
        about: "all tests on SQLite, all in one",
        run: sqlite,
    },
    Step {
        name: "split",
        about: "all tests on SQLite, roles in servers of their own",
        run: split,
    },
    Step {
        name: "postgres",
        about: "all tests on PostgreSQL, all in one",
        run: postgres,
    },
    Step {
        name: "postgres-split",
        about: "all tests on PostgreSQL, roles in servers of their own",
        run: postgres_split,
    },
    Step {
        name: "fuzz",
        about: "libFuzzer on router, cache key, headers, table and heads, a minute each",
        run: fuzz,
    },
    Step {
        name: "doc-tests",
        about: "the examples in the documentation",
        run: doc_tests,
    },
    Step {
        name: "interface",
        about: "schemathesis: no 5xx, every answer as the OpenAPI document says",
        run: interface::fuzz,
    },
    Step {
        name: "budget",
        about: "the release program: size, start, memory, a purchase, a clean end",
        run: budget::check,
    },
];

fn step() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(STEPS.iter().map(|step| step.name))
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.list {
        for step in STEPS {
            println!("{:15} {}", step.name, step.about);
        }
        return Ok(());
    }
    let wanted = |step: &&Step| {
        options.steps.is_empty() || options.steps.iter().any(|name| name == step.name)
    };
    let steps: Vec<&Step> = STEPS.iter().filter(wanted).collect();
    let budget_is_later = steps.iter().skip(1).any(|step| step.name == "budget");
    // Until all steps are done. Without it the last one takes longer, and that is all.
    let _beside = budget_is_later
        .then(budget::build_beside)
        .and_then(|build| {
            let told = |error| println!("the release program is not built yet: {error:#}");
            build.map_err(told).ok()
        });
    let mut report = String::new();
    let mut failed = Vec::new();
    for step in steps {
        println!(
            "\n{} {}: {}",
            style("==>").cyan().bold(),
            style(step.name).bold(),
            step.about
        );
        let started = Instant::now();
        let result = (step.run)();
        let took = started.elapsed();
        let outcome = match &result {
            Ok(()) => style("ok").green(),
            Err(error) => {
                eprintln!("{} {error:#}", style("failed:").red().bold().for_stderr());
                failed.push(step.name);
                style("FAILED").red().bold()
            }
        };
        writeln!(report, "  {:15} {:>7}  {outcome}", step.name, seconds(took))?;
    }
    println!("\n{report}");
    if !failed.is_empty() {
        bail!(
            "{}; repeat with `cargo xtask test {}`",
            failed.join(", "),
            failed.join(" ")
        );
    }
    Ok(())
}

fn seconds(took: Duration) -> String {
    format!("{}.{} s", took.as_secs(), took.subsec_millis() / 100)
}

fn format() -> Result<()> {
    run_command(&mut command("cargo fmt --all --check"))
}

fn lints() -> Result<()> {
    run_command(&mut command(
        "cargo clippy --workspace --all-targets --locked -- -D warnings",
    ))
}

fn docs() -> Result<()> {
    let mut docs = command("cargo doc --workspace --no-deps --document-private-items --locked");
    run_command(docs.env("RUSTDOCFLAGS", "-D warnings"))
}

fn dependencies() -> Result<()> {
    let machete = tools::cargo_tool("cargo-machete", "0.9.2")?;
    run_command(&mut Command::new(machete))?;
    let deny = tools::cargo_tool("cargo-deny", "0.20.2")?;
    let check = |what: &str| {
        let mut check = Command::new(&deny);
        check
            .args("deny --log-level error check".split(' ').skip(1))
            .args(what.split(' '));
        check
    };
    run_command(&mut check("bans licenses sources"))?;
    if run_command(Command::new(&deny).args(["--log-level", "off", "fetch", "db"])).is_err() {
        println!("the database of advisories cannot be reached from here: not checked");
        return Ok(());
    }
    run_command(check("advisories").arg("--disable-fetch"))
}

/// Tests that need Redis start servers of their own; without them they would tell nothing.
fn tests() -> Result<Command> {
    install_redis()?;
    let mut tests = command("cargo test --workspace --tests --locked --quiet --no-fail-fast");
    tests.env("TEST_REDIS", "required");
    Ok(tests)
}

fn sqlite() -> Result<()> {
    run_command(&mut tests()?)
}

fn split() -> Result<()> {
    run_command(tests()?.env("TEST_LAYOUT", "split"))
}

fn postgres() -> Result<()> {
    let server = server()?;
    run_command(tests()?.env("TEST_DATABASE_URL", server.0.url()))
}

fn postgres_split() -> Result<()> {
    let server = server()?;
    let mut tests = tests()?;
    tests
        .env("TEST_LAYOUT", "split")
        .env("TEST_DATABASE_URL", server.0.url());
    run_command(&mut tests)
}

fn doc_tests() -> Result<()> {
    run_command(&mut command(
        "cargo test --workspace --doc --locked --quiet",
    ))
}

/// What it has found so far stays for the next time; in CI it begins with `fuzz/corpus` alone.
fn fuzz() -> Result<()> {
    crate::fuzz::all(Duration::from_secs(60))
}

/// A server that is gone when the step is.
fn server() -> Result<Borrowed> {
    let server = Borrowed(Postgres::new("test", free_address()?.port())?);
    server.0.start(Durability::Lost)?;
    Ok(server)
}
