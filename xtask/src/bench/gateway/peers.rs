//! The proxies, each told to do the same: two threads, no access log, kept connections on both
//! sides, the client's address passed on.

mod envoy;
mod haproxy;
mod nginx;
mod rialto;
mod varnish;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Scenario, token};
use crate::process::{Running, exchange, found, install_package};

/// Bytes of an answer.
const LENGTH: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Peer {
    Nginx,
    Haproxy,
    Varnish,
    Envoy,
    Rialto,
    /// The same, with requests that share connections to the upstream server.
    RialtoPipeline,
}

/// Where a proxy is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) listen: SocketAddr,
    pub(super) upstream: SocketAddr,
    /// Our own program, for where it is the proxy.
    pub(super) rialto: PathBuf,
}

impl Peer {
    pub(super) const ALL: [Self; 6] = [
        Self::Nginx,
        Self::Haproxy,
        Self::Varnish,
        Self::Envoy,
        Self::Rialto,
        Self::RialtoPipeline,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Varnish => "Varnish",
            Self::Envoy => "Envoy",
            Self::Rialto => "Rialto",
            Self::RialtoPipeline => "Rialto, `pipeline = 32`",
        }
    }

    /// Gets it, if it is not here.
    pub(super) fn install(self) -> Result<()> {
        let (program, package) = match self {
            Self::Nginx => ("nginx", "nginx"),
            Self::Haproxy => ("haproxy", "haproxy"),
            Self::Varnish => ("varnishd", "varnish"),
            Self::Envoy => return envoy::program().map(drop),
            Self::Rialto | Self::RialtoPipeline => return Ok(()),
        };
        if found(program) || Path::new("/usr/sbin").join(program).exists() {
            return Ok(());
        }
        install_package(package, self.name())
    }

    /// How it is started, with what its configuration files say; `None` if it cannot do that.
    fn command(self, scenario: Scenario, place: &Place) -> Result<Option<Command>> {
        match self {
            Self::Nginx => nginx::proxy(scenario, place).map(Some),
            Self::Varnish if scenario == Scenario::TokenAndLimit => Ok(None),
            // Only nginx puts answers together.
            Self::Haproxy | Self::Varnish | Self::Envoy if scenario == Scenario::Merged => Ok(None),
            Self::Haproxy => haproxy::proxy(scenario, place).map(Some),
            Self::Varnish => varnish::proxy(scenario, place).map(Some),
            // Its cache is experimental, and says so.
            Self::Envoy if scenario == Scenario::CacheHit => Ok(None),
            Self::Envoy => envoy::proxy(scenario, place).map(Some),
            Self::Rialto => rialto::proxy(scenario, place, 1).map(Some),
            // What comes from the cache is sent nowhere.
            Self::RialtoPipeline if scenario == Scenario::CacheHit => Ok(None),
            Self::RialtoPipeline => rialto::proxy(scenario, place, 32).map(Some),
        }
    }
}

/// What a proxy is asked for.
#[derive(Debug)]
pub(super) struct Asks {
    pub(super) path: &'static str,
    pub(super) token: Option<String>,
}

/// A running proxy.
pub(super) struct Proxy {
    pub(super) place: Place,
    pub(super) asks: Asks,
    running: Option<Running>,
}

impl Proxy {
    /// Starts it and sees that it does what it is to do.
    pub(super) fn start(peer: Peer, scenario: Scenario, place: Place) -> Result<Option<Self>> {
        fs::create_dir_all(&place.folder)?;
        let Some(command) = peer.command(scenario, &place)? else {
            return Ok(None);
        };
        let asks = Asks {
            path: scenario.path(),
            token: (scenario == Scenario::TokenAndLimit).then(token::token),
        };
        let proxy = Self::run(command, place, asks)?;
        let ((_, first), (status, second)) = (proxy.ask()?, proxy.ask()?);
        let parts = second.matches("\"id\":").count();
        let whole = parts == scenario.parts() && second.len() >= parts * LENGTH;
        ensure!(status == 200 && whole, "not the answer: {status} {second}");
        if let Some(token) = &proxy.asks.token {
            let forged = format!("{token}x");
            let asks = Asks {
                path: scenario.path(),
                token: Some(forged),
            };
            let (status, _) = exchange(proxy.place.listen, &asks.request(&proxy.place, "close"))?;
            ensure!(
                status == 401 || peer == Peer::Nginx,
                "a forged token gets {status}"
            );
        }
        // Each answer of the upstream server has a number of its own.
        let passed = first != second;
        ensure!(passed == scenario.passes(), "it does something else");
        Ok(Some(proxy))
    }

    fn run(mut command: Command, place: Place, asks: Asks) -> Result<Self> {
        let log = place.folder.join("log");
        command
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?);
        let mut running = Running::start(&mut command)?;
        let ready = || {
            let asked = exchange(place.listen, &asks.request(&place, "close"));
            asked.is_ok_and(|(status, _)| status == 200)
        };
        let started = running.until(Duration::from_secs(30), ready);
        started.with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        Ok(Self {
            place,
            asks,
            running: Some(running),
        })
    }

    fn ask(&self) -> Result<(u16, String)> {
        exchange(self.place.listen, &self.request("close"))
    }

    /// A request as it is sent; `connection` says what becomes of the connection.
    pub(super) fn request(&self, connection: &str) -> String {
        self.asks.request(&self.place, connection)
    }

    pub(super) fn id(&self) -> u32 {
        self.running.as_ref().map_or(0, Running::id)
    }
}

impl Asks {
    /// One answer of the upstream server.
    pub(super) fn one() -> Self {
        Self {
            path: Scenario::Proxy.path(),
            token: None,
        }
    }

    fn request(&self, place: &Place, connection: &str) -> String {
        let (path, host) = (self.path, place.listen);
        let token = self.token.as_ref();
        let token = token.map_or_else(String::new, |token| {
            format!("authorization: Bearer {token}\r\n")
        });
        format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: {connection}\r\n{token}\r\n")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            // Killed, some would leave their workers behind. How they end is their affair.
            let _ = running.stop(Duration::from_secs(5));
        }
    }
}

/// The server behind all proxies: nginx, which has the answer in its configuration.
pub(super) fn upstream(folder: &Path, listen: SocketAddr) -> Result<Proxy> {
    let place = Place {
        folder: folder.to_owned(),
        listen,
        upstream: listen,
        rialto: PathBuf::new(),
    };
    fs::create_dir_all(folder)?;
    let (head, end) = (r#"{"id":"#, r#""}"#);
    // The id has 32 digits and two quotes.
    let text = LENGTH - head.len() - 34 - r#","text":""#.len() - end.len();
    let text = "x".repeat(text);
    let answer = format!(
        "server {{ listen {listen} backlog=4096; default_type application/json;
           add_header cache-control max-age=3600;
           location / {{ return 200 '{head}\"$request_id\",\"text\":\"{text}{end}'; }} }}"
    );
    let command = nginx::server(&place, 1, &answer)?;
    let asks = Asks {
        path: Scenario::Proxy.path(),
        token: None,
    };
    Proxy::run(command, place, asks)
}

/// Writes a configuration file; its path.
fn written(place: &Place, name: &str, text: &str) -> Result<PathBuf> {
    let path = place.folder.join(name);
    fs::write(&path, text)?;
    Ok(path)
}
