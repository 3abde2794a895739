//! Processes that are measured: started, watched in `/proc`, stopped.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// A running `rialto serve`.
pub(crate) struct Shop {
    child: Child,
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
    /// From the start of the process to its readiness.
    pub(crate) ready_after: Duration,
}

impl Shop {
    /// Starts the program on `database` and waits until it is ready.
    pub(crate) fn start(
        program: &Path,
        database: &str,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let (address, admin) = (free_port()?, free_port()?);
        let mut command = Command::new(program);
        command
            .arg("serve")
            .arg("--set")
            .arg(format!("database.url={database}"));
        command
            .arg("--set")
            .arg(format!("gateway.listen={address}"));
        command.arg("--set").arg(format!("admin.listen={admin}"));
        for (key, value) in settings {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        let started = Instant::now();
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let mut shop = Self {
            child,
            address,
            admin,
            ready_after: Duration::ZERO,
        };
        while !shop.is_ready() {
            if started.elapsed() > Duration::from_secs(60) {
                bail!("the shop is not ready after a minute");
            }
            if let Some(status) = shop.child.try_wait()? {
                bail!("the shop ended at once: {status}");
            }
            pause(Duration::from_millis(2));
        }
        shop.ready_after = started.elapsed();
        Ok(shop)
    }

    fn is_ready(&self) -> bool {
        use std::io::{Read as _, Write as _};
        let Ok(mut stream) = std::net::TcpStream::connect(self.admin) else {
            return false;
        };
        let request = "GET /health/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let mut answer = String::new();
        stream.write_all(request.as_bytes()).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.starts_with("HTTP/1.1 200")
    }

    /// Processor time so far, in milliseconds.
    pub(crate) fn cpu_millis(&self) -> anyhow::Result<u64> {
        cpu_millis(self.child.id())
    }

    /// Resident memory, in bytes.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .context("VmRSS")?;
        let kib: u64 = line
            .split_whitespace()
            .nth(1)
            .context("a number")?
            .parse()?;
        Ok(kib * 1024)
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // Asked to end, it writes what it may have counted (`cargo xtask release`).
        let asked = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let begun = Instant::now();
        while asked.is_ok() && begun.elapsed() < Duration::from_secs(10) {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            pause(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time of a process, in milliseconds.
pub(crate) fn cpu_millis(pid: u32) -> anyhow::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .context("a stat line")?
        .1
        .split_whitespace()
        .collect();
    let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    // Linux counts in hundredths of a second.
    Ok(ticks * 10)
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Waits for a process that has no way to call.
#[expect(
    clippy::disallowed_methods,
    reason = "the measured process is not ours to wake us"
)]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
