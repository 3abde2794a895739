//! Redis.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::process::{comes, command, found, install_package, remove_folder, run};

/// Where `cargo xtask engines start redis` listens.
pub(super) const PORT: u16 = 26379;

/// Sees to it that there is a `redis-server` to start.
pub(crate) fn install() -> Result<()> {
    if found("redis-server") {
        return Ok(());
    }
    install_package("redis-server", "Redis")
}

/// One server.
#[derive(Debug)]
pub(crate) struct Redis {
    data: PathBuf,
    port: u16,
}

impl Redis {
    /// The server called `name`, running or not.
    pub(crate) fn new(name: &str, port: u16) -> Self {
        let data = super::folder().join(format!("redis-{name}-{port}"));
        Self { data, port }
    }

    /// Where it can be reached; anybody on this machine may.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Whether it answers.
    pub(crate) fn runs(&self) -> bool {
        self.client()
            .arg("ping")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Starts it, empty if it did not exist.
    pub(crate) fn start(&self) -> Result<()> {
        install()?;
        if self.runs() {
            return Ok(());
        }
        fs::create_dir_all(&self.data)?;
        let line = "redis-server --bind 127.0.0.1 --daemonize yes --appendonly no \
                    --logfile server.log --port";
        run(command(line)
            .arg(self.port.to_string())
            .arg("--dir")
            .arg(&self.data))?;
        ensure!(
            comes(Duration::from_secs(10), || self.runs()),
            "Redis does not answer; see {}",
            self.data.join("server.log").display()
        );
        Ok(())
    }

    /// Stops it and forgets what it knew.
    pub(crate) fn stop(&self) -> Result<()> {
        if self.runs() {
            run(self.client().args(["shutdown", "nosave"]))?;
        }
        remove_folder(&self.data)
    }

    fn client(&self) -> Command {
        let mut client = command("redis-cli -e -h 127.0.0.1 -p");
        client.arg(self.port.to_string());
        client
    }
}
