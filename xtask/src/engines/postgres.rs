//! PostgreSQL.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{command, install_package, is_root, output, remove_folder, run};

/// Where `cargo xtask engines start postgres` listens.
pub(super) const PORT: u16 = 25432;

/// What survives a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// What was committed, as in production.
    Kept,
    /// Nothing: tests need speed, and throw it away anyway.
    Lost,
}

/// One server.
#[derive(Debug)]
pub(crate) struct Postgres {
    programs: PathBuf,
    data: PathBuf,
    port: u16,
}

impl Postgres {
    /// The server called `name`, running or not.
    pub(crate) fn new(name: &str, port: u16) -> Result<Self> {
        let programs = match programs() {
            Some(programs) => programs,
            None => {
                install_package("postgresql", "PostgreSQL")?;
                programs().context("PostgreSQL is installed, but its programs are not found")?
            }
        };
        let data = super::folder().join(format!("postgres-{name}-{port}"));
        Ok(Self {
            programs,
            data,
            port,
        })
    }

    /// Where it can be reached; anybody on this machine may.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Where `psql`, `pgbench` and the others are.
    pub(crate) fn programs(&self) -> &Path {
        &self.programs
    }

    /// Whether it accepts connections.
    pub(crate) fn runs(&self) -> bool {
        let line = format!("-q -h 127.0.0.1 -p {}", self.port);
        let ready = self.programs.join("pg_isready");
        Command::new(ready)
            .args(line.split(' '))
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Starts it, empty if it did not exist.
    pub(crate) fn start(&self, durability: Durability) -> Result<()> {
        if self.runs() {
            return Ok(());
        }
        if !self.data.join("PG_VERSION").exists() {
            self.create(durability)?;
        }
        let log = self.data.join("server.log");
        let mut control = self.as_owner("pg_ctl");
        run(control
            .arg("-D")
            .arg(&self.data)
            .arg("-l")
            .arg(log)
            .args(["-s", "-w", "start"]))
        .with_context(|| format!("see {}", self.data.join("server.log").display()))
    }

    fn create(&self, durability: Durability) -> Result<()> {
        remove_folder(&self.data)?;
        fs::create_dir_all(&self.data)?;
        if is_root() {
            run(command("chown postgres:postgres").arg(&self.data))?;
        }
        let line = "-U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync";
        output(
            self.as_owner("initdb")
                .arg("-D")
                .arg(&self.data)
                .args(line.split(' ')),
        )?;
        let settings = self.data.join("postgresql.conf");
        let mut text = fs::read_to_string(&settings)?;
        let folder = self.data.display();
        text.push_str(&format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{folder}'\n\
             max_connections = 400\nshared_buffers = 256MB\nmax_wal_size = 1GB\n",
            self.port
        ));
        if durability == Durability::Lost {
            text.push_str("fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n");
        }
        fs::write(settings, text)?;
        Ok(())
    }

    /// Stops it and forgets what it knew.
    pub(crate) fn stop(&self) -> Result<()> {
        if self.data.join("postmaster.pid").exists() {
            let mut control = self.as_owner("pg_ctl");
            run(control
                .arg("-D")
                .arg(&self.data)
                .args(["-s", "-w", "-m", "immediate", "stop"]))?;
        }
        remove_folder(&self.data)
    }

    /// PostgreSQL refuses to run as root.
    fn as_owner(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut owned = if is_root() {
            let mut owned = command("setpriv --reuid=postgres --regid=postgres --clear-groups");
            owned.arg(program);
            owned
        } else {
            Command::new(program)
        };
        owned.current_dir("/").env("LC_ALL", "C.UTF-8");
        owned
    }
}

/// A server that ends with whoever started it.
#[derive(Debug)]
pub(crate) struct Borrowed(pub(crate) Postgres);

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Err(error) = self.0.stop() {
            eprintln!("PostgreSQL was not stopped: {error:#}");
        }
    }
}

/// Debian keeps the programs of each version in a folder of their own, off the search path.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut folders: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    let whole = |folder: &PathBuf| {
        [
            "initdb",
            "postgres",
            "pg_ctl",
            "pg_isready",
            "psql",
            "pgbench",
        ]
        .iter()
        .all(|name| folder.join(name).is_file())
    };
    folders.into_iter().rev().find(whole)
}
