//! `rialto doctor`: looks at everything that a start needs, changes nothing, and says what to do.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use kernel::{Sources, Timestamp};
use platform::config::{ConfigError, Layers};
use platform::db::{DatabaseUrl, Reached, reach};
use platform::metrics::Metrics;
use rialto::{Role, Settings, StartErrors};
use serde::Serialize;

use super::{Exit, Outcome, json, named};
use crate::cli::{Doctor, Global};
use crate::terminal::{bad, faint, good, odd, say};

/// How far two clocks may be apart before tokens and proofs between processes fail.
const CLOCK_SKEW: Duration = Duration::from_secs(5);
/// Less free space than this is told.
const FREE_SPACE: u64 = 1 << 30;
/// Open files below this are too few for a public server.
const OPEN_FILES: u64 = 8192;
/// How long a peer may take to accept a connection.
const PEER: Duration = Duration::from_secs(2);

kernel::text_enum! {
    /// What a check comes to.
    enum Verdict {
        /// As it should be.
        Ok = "ok",
        /// It runs, but look at it.
        Warning = "warning",
        /// It does not run like this.
        Broken = "broken",
    }
}

#[derive(Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, check: &'static str, detail: impl Into<String>) {
        self.add(check, Verdict::Ok, detail, None);
    }

    fn warning(&mut self, check: &'static str, detail: impl Into<String>, remedy: &str) {
        self.add(check, Verdict::Warning, detail, Some(remedy.to_owned()));
    }

    fn broken(&mut self, check: &'static str, error: &ConfigError) {
        let key = if error.key.is_empty() {
            String::new()
        } else {
            format!("{}: ", error.key)
        };
        let detail = format!("{key}{} (from {})", error.problem, error.origin);
        self.add(check, Verdict::Broken, detail, Some(error.remedy.clone()));
    }

    fn add(
        &mut self,
        check: &'static str,
        verdict: Verdict,
        detail: impl Into<String>,
        remedy: Option<String>,
    ) {
        self.0.push(Finding {
            check,
            verdict,
            detail: detail.into(),
            remedy,
        });
    }
}

pub(crate) async fn run(global: &Global, doctor: Doctor) -> Outcome {
    let roles = named(&doctor.roles.roles);
    let layers = global.layers();
    let mut findings = Findings::default();
    findings.ok("version", format!("rialto {}", env!("CARGO_PKG_VERSION")));
    let (settings, errors) = Settings::read_all(&layers, &roles);
    let mut wrong = BTreeSet::new();
    match errors {
        None => findings.ok("configuration", "valid"),
        Some(errors) => {
            for error in &errors.0 {
                findings.broken("configuration", error);
                wrong.insert(error.key.clone());
            }
        }
    }
    check_databases(&mut findings, &layers, &settings, &roles, &wrong).await;
    check_addresses(&mut findings, &layers, &settings, &roles, &wrong);
    check_peers(&mut findings, &settings, &roles).await;
    check_disk(&mut findings, &settings, &roles);
    check_open_files(&mut findings);
    tell(&findings, doctor.json)?;
    let healthy = findings
        .0
        .iter()
        .all(|finding| finding.verdict == Verdict::Ok);
    Ok(if healthy { Exit::Done } else { Exit::Look })
}

fn tell(findings: &Findings, as_json: bool) -> Result<(), super::Failure> {
    if as_json {
        say(json(&findings.0)?)?;
        return Ok(());
    }
    for finding in &findings.0 {
        let sign = match finding.verdict {
            Verdict::Ok => good("ok     "),
            Verdict::Warning => odd("warning"),
            Verdict::Broken => bad("broken "),
        };
        say(format_args!(
            "{sign} {:14} {}",
            finding.check, finding.detail
        ))?;
        if let Some(remedy) = &finding.remedy {
            say(format_args!("{:22} {} {remedy}", "", faint("remedy:")))?;
        }
    }
    Ok(())
}

async fn check_databases(
    findings: &mut Findings,
    layers: &Layers,
    settings: &Settings,
    roles: &BTreeSet<Role>,
    wrong: &BTreeSet<String>,
) {
    let mut away = Vec::new();
    let mut clocks: BTreeSet<String> = BTreeSet::new();
    for role in roles.iter().copied().filter(|role| role.has_database()) {
        if wrong.contains(&settings.database_key(role)) {
            continue;
        }
        let url = &settings.databases[&role].url;
        match reach(role.as_str(), url).await {
            Err(error) => away.push(rialto::StartError::database(settings, role, &error)),
            Ok(reached) => {
                if clocks.insert(url.to_string()) {
                    check_clock(findings, url, &reached);
                }
                check_schema(findings, settings, role, &reached).await;
            }
        }
    }
    for error in StartErrors(away).told(layers) {
        findings.broken("database", &error);
    }
}

async fn check_schema(findings: &mut Findings, settings: &Settings, role: Role, reached: &Reached) {
    let version = &reached.version;
    if !reached.exists {
        findings.ok(
            "database",
            format!("{role}: {version}, made at the next start"),
        );
        return;
    }
    let pending = async {
        let metrics = Metrics::new();
        let db = rialto::open_database(settings, role, Sources::system(), &metrics).await?;
        let pending = db.pending(rialto::migrations(role)).await?;
        db.close().await;
        Ok::<_, anyhow::Error>(pending)
    };
    match pending.await {
        Ok(pending) if pending.is_empty() => {
            findings.ok("database", format!("{role}: {version}, up to date"));
        }
        Ok(pending) => findings.warning(
            "database",
            format!("{role}: {version}, pending: {}", pending.join(", ")),
            "run `rialto migrate`; the next start does it too",
        ),
        Err(error) => findings.add(
            "database",
            Verdict::Broken,
            format!("{role}: {version}, {error:#}"),
            Some(String::from("look at the cause")),
        ),
    }
}

fn check_clock(findings: &mut Findings, url: &DatabaseUrl, reached: &Reached) {
    let now = Sources::system().now();
    let apart = now.since(reached.clock).max(reached.clock.since(now));
    // Before this program was written.
    let in_the_past = now < Timestamp::from_micros(1_750_000_000_000_000);
    if in_the_past || apart > CLOCK_SKEW {
        let detail = format!("{now} here, {} at {url}", reached.clock);
        findings.warning("clock", detail, "let NTP set the clocks of all machines");
    } else {
        findings.ok(
            "clock",
            format!("{now}, {} ms apart from {url}", apart.as_millis()),
        );
    }
}

fn check_addresses(
    findings: &mut Findings,
    layers: &Layers,
    settings: &Settings,
    roles: &BTreeSet<Role>,
    wrong: &BTreeSet<String>,
) {
    for (key, address) in settings.listen_addresses(roles) {
        if wrong.contains(key) {
            continue;
        }
        match TcpListener::bind(address) {
            Ok(_) => findings.ok("address", format!("{address} is free ({key})")),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => findings.warning(
                "address",
                format!("{address} is taken ({key}, from {})", layers.origin(key)),
                &format!("nothing, if it is the running server; else stop the other process, or --set {key}=HOST:PORT"),
            ),
            Err(source) => {
                let error = StartErrors::from(rialto::StartError::Bind { key, address, source });
                error.told(layers).iter().for_each(|error| findings.broken("address", error));
            }
        }
    }
}

async fn check_peers(findings: &mut Findings, settings: &Settings, roles: &BTreeSet<Role>) {
    let needed: BTreeSet<Role> = roles
        .iter()
        .flat_map(|role| role.needs())
        .copied()
        .collect();
    for role in needed.difference(roles) {
        for peer in settings.peers.of(*role) {
            let Some(authority) = peer.authority() else {
                continue;
            };
            let connecting = tokio::net::TcpStream::connect(authority.as_str());
            match tokio::time::timeout(PEER, connecting).await {
                Ok(Ok(_)) => findings.ok("peer", format!("{role} at {peer} answers")),
                _ => findings.warning(
                    "peer",
                    format!("{role} at {peer} does not answer"),
                    &format!("start it with --role {role}, or correct peers.{role}"),
                ),
            }
        }
    }
}

fn check_disk(findings: &mut Findings, settings: &Settings, roles: &BTreeSet<Role>) {
    let mut folders: BTreeSet<&Path> = BTreeSet::new();
    for role in roles.iter().filter(|role| role.has_database()) {
        if let DatabaseUrl::Sqlite(folder) = &settings.databases[role].url {
            folders.insert(folder);
        }
    }
    for folder in folders
        .into_iter()
        .filter(|folder| folder.as_os_str() != "")
    {
        let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let Some(place) = absolute.ancestors().find(|path| path.exists()) else {
            continue;
        };
        let Ok(stat) = rustix::fs::statvfs(place) else {
            continue;
        };
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        let detail = format!("{} MiB free for {}", free >> 20, absolute.display());
        if free < FREE_SPACE {
            findings.warning(
                "disk",
                detail,
                "make room; SQLite stops writing when it is full",
            );
        } else {
            findings.ok("disk", detail);
        }
    }
}

fn check_open_files(findings: &mut Findings) {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    // `serve` raises the soft limit to the hard one.
    let hard = limit.maximum.unwrap_or(u64::MAX);
    let detail = format!("{hard} open files at most");
    if hard < OPEN_FILES {
        let remedy = "raise the limit (ulimit -n, LimitNOFILE): each connection takes one";
        findings.warning("open files", detail, remedy);
    } else {
        findings.ok("open files", detail);
    }
}
