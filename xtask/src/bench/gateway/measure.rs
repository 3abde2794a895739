//! Load, and what it costs.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::peers::{Asks, Proxy};
use crate::process::{command, found, install_package, output, pause, run};

/// Idle connections that are held open at once.
const IDLE: u64 = 5000;
/// Open files that this takes, on both sides.
const FILES: u64 = 20_000;

/// Figures as whole numbers, which the text of wrk is not.
const SCRIPT: &str = r#"
local think = tonumber(os.getenv("THINK_MILLIS") or "0")
if think > 0 then
  function delay() return math.random(0, 2 * think) end
end
done = function(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print("figures", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), failed)
end
"#;

pub(super) fn install_wrk() -> Result<()> {
    if found("wrk") {
        return Ok(());
    }
    install_package("wrk", "wrk")
}

/// Lets this process, and those that it starts, open enough files.
pub(super) fn allow_files() -> Result<()> {
    let own = std::process::id();
    let line = format!("prlimit --pid {own} --nofile={FILES}:");
    run(&mut command(&line)).context("too few open files are allowed; see `ulimit -n`")
}

/// What a round has shown.
#[derive(Debug)]
pub(super) struct Round {
    requests: u64,
    micros: u64,
    cpu_millis: u64,
    /// Microseconds.
    pub(super) p50: u64,
    pub(super) p99: u64,
}

impl Round {
    pub(super) fn per_second(&self) -> u64 {
        self.requests * 1_000_000 / self.micros.max(1)
    }

    /// Requests that a second of the proxy's processor time is enough for.
    pub(super) fn per_cpu_second(&self) -> u64 {
        self.requests * 1000 / self.cpu_millis.max(1)
    }
}

pub(super) fn median(values: impl Iterator<Item = u64>) -> u64 {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Connections of the load, which are kept.
const CONNECTIONS: u64 = 64;

/// Two threads with all connections.
pub(super) struct Load {
    script: PathBuf,
    seconds: u64,
}

impl Load {
    pub(super) fn new(folder: &Path, seconds: u64) -> Result<Self> {
        let script = folder.join("figures.lua");
        fs::write(&script, SCRIPT)?;
        Ok(Self { script, seconds })
    }

    /// As many requests as the proxy answers.
    pub(super) fn round(&self, proxy: &Proxy) -> Result<Round> {
        let before = cpu_millis(proxy.id())?;
        let mut round = self.run(proxy.place.listen, &proxy.asks, 0)?;
        round.cpu_millis = cpu_millis(proxy.id())? - before;
        Ok(round)
    }

    /// By how much the proxy puts off 99 of 100 answers when it has half of what it can do, in
    /// microseconds: the upstream server is asked as often without it.
    pub(super) fn added_at_half(&self, proxy: &Proxy, full: &Round) -> Result<u64> {
        let think = (CONNECTIONS * 2000 / full.per_second().max(1)).max(1);
        let through = self.run(proxy.place.listen, &proxy.asks, think)?;
        let direct = self.run(proxy.place.upstream, &Asks::one(), think)?;
        Ok(through.p99.saturating_sub(direct.p99))
    }

    /// Each connection waits for so many milliseconds between its requests, on average.
    fn run(&self, address: SocketAddr, asks: &Asks, think: u64) -> Result<Round> {
        let mut wrk = Command::new("wrk");
        let seconds = self.seconds;
        wrk.args([
            "-t2",
            &format!("-c{CONNECTIONS}"),
            &format!("-d{seconds}s"),
            "-s",
        ]);
        wrk.arg(&self.script).env("THINK_MILLIS", think.to_string());
        if let Some(token) = &asks.token {
            wrk.args(["-H", &format!("authorization: Bearer {token}")]);
        }
        let said = output(wrk.arg(format!("http://{address}{}", asks.path)))?;
        let line = said.lines().find_map(|line| line.strip_prefix("figures"));
        let figures: Vec<u64> = line
            .context("wrk told no figures")?
            .split_whitespace()
            .map(|figure| figure.parse().context("a figure of wrk"))
            .collect::<Result<_>>()?;
        let &[requests, micros, p50, p99, failed] = figures.as_slice() else {
            anyhow::bail!("not the figures that the script prints: {figures:?}");
        };
        ensure!(failed == 0, "{failed} of {requests} requests failed");
        Ok(Round {
            requests,
            micros,
            cpu_millis: 0,
            p50,
            p99,
        })
    }
}

/// Resident memory for each connection that has made a request and waits, in bytes.
pub(super) fn idle(proxy: &Proxy) -> Result<u64> {
    let before = resident(proxy.id())?;
    let address = proxy.place.listen;
    let request = proxy.request("keep-alive");
    let mut held = Vec::new();
    for number in 0..IDLE {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = [0; 8192];
        let read = stream.read(&mut answer)?;
        let good = answer[..read].starts_with(b"HTTP/1.1 200 ");
        ensure!(good, "connection {number} was not answered");
        held.push(stream);
    }
    // What each answer took has been given back by then.
    pause(Duration::from_secs(1));
    Ok(resident(proxy.id())?.saturating_sub(before) / IDLE)
}

/// Processor time so far of a process and of those that it has started, in milliseconds.
fn cpu_millis(root: u32) -> Result<u64> {
    let family = family(root)?;
    let ticks: u64 = family.iter().map(|process| process.ticks).sum();
    // Linux counts in hundredths of a second.
    Ok(ticks * 10)
}

/// Resident memory of a process and of those that it has started, in bytes.
fn resident(root: u32) -> Result<u64> {
    let pages = family(root)?
        .iter()
        .map(|process| process.pages)
        .sum::<u64>();
    Ok(pages * 4096)
}

/// A line of `/proc/PID/stat`, as far as it matters.
struct Stat {
    id: u32,
    parent: u32,
    ticks: u64,
    pages: u64,
}

impl Stat {
    fn read(id: u32) -> Option<Self> {
        let line = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self {
            id,
            parent: fields.get(1)?.parse().ok()?,
            ticks: number(11)? + number(12)?,
            pages: number(21)?,
        })
    }
}

/// A process, its children, theirs, and so on.
fn family(root: u32) -> Result<Vec<Stat>> {
    let ids = fs::read_dir("/proc")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let mut others: Vec<Stat> = ids.filter_map(Stat::read).collect();
    let mut family: Vec<Stat> = others.extract_if(.., |one| one.id == root).collect();
    ensure!(!family.is_empty(), "the proxy has ended");
    let mut seen = 0;
    while let Some(parent) = family.get(seen).map(|one| one.id) {
        family.extend(others.extract_if(.., |one| one.parent == parent));
        seen += 1;
    }
    Ok(family)
}
