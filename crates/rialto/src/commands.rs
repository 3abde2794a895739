//! What the commands do: one file for each.

mod completions;
mod config;
mod doctor;
mod events;
mod export;
mod gateway;
mod import;
mod mail;
mod migrate;
mod openapi;
mod serve;
mod staff;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use kernel::Sources;
use platform::config::{ConfigError, Layers};
use platform::db::Db;
use platform::metrics::Metrics;
use platform::telemetry::{LogFormat, start_logging};
use rialto::{Role, Settings, StartErrors};

use crate::cli::{Cli, Command, Global};

/// How a command ends. The help of the program explains the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    Failed,
    Wrong,
    Surroundings,
    Look,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Wrong => 2,
            Exit::Surroundings => 3,
            Exit::Look => 4,
        })
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Failure {
    /// The command line asks for something that cannot be.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Wrong,
            message: message.into(),
        }
    }

    /// A file cannot be read, or written.
    pub(crate) fn of_file(path: &Path, error: impl Into<anyhow::Error>) -> Self {
        error.into().context(path.display().to_string()).into()
    }

    /// Everything that is wrong with the configuration, and everything outside that is not as it
    /// says.
    pub(crate) fn start(wrong: &[ConfigError], outside: &[ConfigError]) -> Self {
        let count = wrong.len() + outside.len();
        let things = if count == 1 {
            "thing keeps"
        } else {
            "things keep"
        };
        let mut message = format!("{count} {things} Rialto from starting:");
        for error in wrong.iter().chain(outside) {
            message.push_str(&format!("\n\n  {error}"));
        }
        let exit = if wrong.is_empty() {
            Exit::Surroundings
        } else {
            Exit::Wrong
        };
        Self { exit, message }
    }
}

/// Anything else that goes wrong, with its whole chain of causes.
impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let gone = error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        if gone {
            // Who read the output has seen enough: `rialto mail list | head -1`.
            return Self {
                exit: Exit::Done,
                message: String::new(),
            };
        }
        Self {
            exit: Exit::Failed,
            message: format!("{error:#}"),
        }
    }
}

pub(crate) type Outcome = Result<Exit, Failure>;

/// Does what the command line asks.
pub(crate) fn run(cli: Cli) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let global = cli.global;
    runtime.block_on(async {
        match cli.command {
            Command::Serve(serve) => Box::pin(serve::run(&global, serve)).await,
            Command::Migrate(migrate) => Box::pin(migrate::run(&global, migrate)).await,
            Command::Config(command) => config::run(&global, command),
            Command::Import(command) => Box::pin(import::run(&global, command)).await,
            Command::Export(command) => Box::pin(export::run(&global, command)).await,
            Command::Gateway(command) => gateway::run(&global, command),
            Command::Openapi => openapi::run(),
            Command::Staff(command) => Box::pin(staff::run(&global, command)).await,
            Command::Mail(command) => Box::pin(mail::run(&global, command)).await,
            Command::Events(command) => Box::pin(events::run(&global, command)).await,
            Command::Doctor(doctor) => Box::pin(doctor::run(&global, doctor)).await,
            Command::Completions { shell } => completions::run(shell),
        }
    })
}

/// The roles that were named; all of them if none was.
fn named(roles: &[Role]) -> BTreeSet<Role> {
    if roles.is_empty() {
        Role::all()
    } else {
        roles.iter().copied().collect()
    }
}

/// The configuration for a command that uses the databases beside a server, or without one.
fn settings(global: &Global) -> Result<(Layers, Settings), Failure> {
    // Only warnings: what the command has to say goes to standard output.
    start_logging(LogFormat::Auto, "warn");
    let layers = global.layers();
    // A command calls no other process: the peers of no role are needed.
    match Settings::read(&layers, &Role::all()) {
        Ok(settings) => Ok((layers, settings)),
        Err(errors) => Err(Failure::start(&errors.0, &[])),
    }
}

/// The database of one role, as it is.
async fn database(layers: &Layers, settings: &Settings, role: Role) -> Result<Db, Failure> {
    let opened = rialto::open_database(settings, role, Sources::system(), &Metrics::new()).await;
    opened.map_err(|error| {
        let outside = StartErrors::from(error).told(layers);
        Failure {
            exit: Exit::Surroundings,
            message: outside.iter().map(ToString::to_string).collect(),
        }
    })
}

/// The database of one role, brought up to date as a server would do it.
async fn migrated(layers: &Layers, settings: &Settings, role: Role) -> Result<Db, Failure> {
    let db = database(layers, settings, role).await?;
    db.migrate(rialto::migrations(role)).await?;
    Ok(db)
}

/// One JSON document for another program to read.
fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(value)?)
}
