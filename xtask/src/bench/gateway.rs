//! `cargo xtask bench gateway`: what a request through the gateway costs, beside what it costs
//! through other proxies, in one run.

mod measure;
mod peers;
mod token;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use self::measure::{Load, Round};
use self::peers::{Peer, Place, Proxy};
use crate::process::{command, free_address, output, remove_folder};
use crate::release;

/// Measure the gateway beside nginx, HAProxy, Varnish and Envoy, in one run
///
/// All lead 1 KiB of JSON on from one upstream server, on kept connections, with two threads each
/// and no access log. They take turns, and medians are shown. What counts is how many requests a
/// second of processor time is enough for: the load runs on the same machine, so that the rates
/// tell little. Installs what is missing, or says how; a peer that cannot be had is left out.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask bench gateway                                all of it; twenty minutes
  cargo xtask bench gateway --only nginx --rounds 3        nginx and Rialto
  cargo xtask bench gateway --write                        the figures go into docs/performance.md")]
pub(crate) struct Options {
    /// Seconds for each round of each peer
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Rounds; medians are shown
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only these peers, beside Rialto and nginx, which the others are compared with
    #[arg(long)]
    only: Vec<Peer>,
    /// Only these scenarios
    #[arg(long)]
    scenario: Vec<Scenario>,
    /// Write the figures into docs/performance.md
    #[arg(long)]
    write: bool,
}

/// What the proxies are to do.
///
/// Who adds one writes here what it is called, and in [`peers`] how each peer is told to do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Scenario {
    /// Pass on every request.
    Proxy,
    /// Answer from what is kept.
    CacheHit,
    /// Check a token (HS256) and count the request, then pass it on.
    TokenAndLimit,
    /// Answer one request from three.
    Merged,
}

impl Scenario {
    const ALL: [Self; 4] = [
        Self::Proxy,
        Self::CacheHit,
        Self::TokenAndLimit,
        Self::Merged,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Proxy => "Plain proxying",
            Self::CacheHit => "Cache hits",
            Self::TokenAndLimit => "A token and a limit (nginx: the limit only)",
            Self::Merged => "One answer from three",
        }
    }

    /// Whether every request comes to the upstream server.
    fn passes(self) -> bool {
        self != Self::CacheHit
    }

    /// What is asked for.
    fn path(self) -> &'static str {
        match self {
            Self::Merged => "/merged",
            _ => "/v1/things/42?currency=EUR",
        }
    }

    /// Answers of the upstream server in each answer.
    fn parts(self) -> usize {
        if self == Self::Merged { 3 } else { 1 }
    }
}

/// Seconds for each scenario when what runs is counted.
const TRAINING: u64 = 5;

pub(crate) fn run(options: &Options) -> Result<()> {
    let rialto = release::build()?;
    measure::allow_files()?;
    measure::install_wrk()?;
    let folder = crate::engines::folder().join("bench-gateway");
    remove_folder(&folder)?;
    let peers: Vec<Peer> = Peer::ALL
        .into_iter()
        .filter(|peer| options.measures(*peer))
        .filter(|peer| match peer.install() {
            Ok(()) => true,
            Err(error) => {
                println!("{} is left out: {error:#}", peer.name());
                false
            }
        })
        .collect();
    ensure!(peers.contains(&Peer::Nginx), "nothing to compare with");
    let upstream = free_address()?;
    let _upstream = peers::upstream(&folder.join("upstream"), upstream)?;
    let around = Place {
        folder: folder.clone(),
        listen: upstream,
        upstream,
        rialto,
    };
    let mut report = String::new();
    for scenario in Scenario::ALL {
        if options.scenario.is_empty() || options.scenario.contains(&scenario) {
            let rows = measure_all(options, scenario, &peers, &around)?;
            table(&mut report, scenario, &rows)?;
        }
    }
    println!("{report}");
    if options.write {
        write_report(&report)?;
    }
    remove_folder(&folder)
}

/// Lets `program` do all that is measured, for whoever counts what runs.
pub(super) fn train(program: &Path) -> Result<()> {
    measure::install_wrk()?;
    Peer::Nginx.install()?;
    let folder = crate::engines::folder().join("train-gateway");
    remove_folder(&folder)?;
    let upstream = free_address()?;
    let _upstream = peers::upstream(&folder.join("upstream"), upstream)?;
    let load = Load::new(&folder, TRAINING)?;
    for scenario in Scenario::ALL {
        for peer in [Peer::Rialto, Peer::RialtoPipeline] {
            let place = Place {
                folder: folder.join(format!("{peer:?}-{scenario:?}")),
                listen: free_address()?,
                upstream,
                rialto: program.to_owned(),
            };
            let Some(proxy) = Proxy::start(peer, scenario, place)? else {
                ensure!(peer != Peer::Rialto, "Rialto does all of it");
                continue;
            };
            load.round(&proxy)?;
        }
    }
    remove_folder(&folder)
}

impl Options {
    fn measures(&self, peer: Peer) -> bool {
        let always = matches!(peer, Peer::Nginx | Peer::Rialto | Peer::RialtoPipeline);
        always || self.only.is_empty() || self.only.contains(&peer)
    }
}

/// What was measured of one peer.
struct Row {
    peer: Peer,
    rounds: Vec<Round>,
    /// What it adds to the p99 at half load, in microseconds, round by round.
    added: Vec<u64>,
    /// Resident memory for each idle connection, in bytes.
    idle: u64,
}

fn measure_all(
    options: &Options,
    scenario: Scenario,
    peers: &[Peer],
    around: &Place,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut proxies = Vec::new();
    for &peer in peers {
        let place = Place {
            folder: around.folder.join(format!("{peer:?}-{scenario:?}")),
            listen: free_address()?,
            ..around.clone()
        };
        let started =
            Proxy::start(peer, scenario, place).with_context(|| String::from(peer.name()));
        let Some(proxy) = started? else { continue };
        proxies.push(proxy);
        rows.push(Row {
            peer,
            rounds: Vec::new(),
            added: Vec::new(),
            idle: 0,
        });
    }
    let load = Load::new(&around.folder, options.seconds)?;
    for round in 0..options.rounds {
        for (row, proxy) in rows.iter_mut().zip(&proxies) {
            let measured = load.round(proxy);
            let measured = measured.with_context(|| String::from(row.peer.name()))?;
            println!(
                "{}, round {}: {}: {} requests for a second of processor time",
                scenario.name(),
                round + 1,
                row.peer.name(),
                measured.per_cpu_second()
            );
            row.added.push(load.added_at_half(proxy, &measured)?);
            row.rounds.push(measured);
        }
    }
    for (row, proxy) in rows.iter_mut().zip(&proxies) {
        row.idle = measure::idle(proxy)?;
    }
    Ok(rows)
}

fn table(report: &mut String, scenario: Scenario, rows: &[Row]) -> Result<()> {
    writeln!(report, "\n### {}\n", scenario.name())?;
    report.push_str(
        "| | requests for a second of CPU | beside nginx | CPU, us each | per second | p50 ms \
         | p99 ms | added p99 at half load, ms | idle connection, KiB |\n",
    );
    report.push_str("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    let nginx = rows.iter().find(|row| row.peer == Peer::Nginx);
    let nginx = nginx.context("nginx is always measured")?;
    for row in rows {
        let median = |of: fn(&Round) -> u64| measure::median(row.rounds.iter().map(of));
        // Both of a round have met the same noise.
        let pairs = row.rounds.iter().zip(&nginx.rounds);
        let beside = measure::median(
            pairs.map(|(own, other)| own.per_cpu_second() * 100 / other.per_cpu_second().max(1)),
        );
        writeln!(
            report,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            row.peer.name(),
            median(Round::per_cpu_second),
            hundredths(beside),
            hundredths(100_000_000 / median(Round::per_cpu_second).max(1)),
            median(Round::per_second),
            hundredths(median(|round| round.p50) / 10),
            hundredths(median(|round| round.p99) / 10),
            hundredths(measure::median(row.added.iter().copied()) / 10),
            hundredths(row.idle * 100 / 1024),
        )?;
    }
    Ok(())
}

fn hundredths(count: u64) -> String {
    format!("{}.{:02}", count / 100, count % 100)
}

/// Replaces what stands between the marks in docs/performance.md.
fn write_report(report: &str) -> Result<()> {
    let path = "docs/performance.md";
    let text = std::fs::read_to_string(path)?;
    let (begin, end) = ("<!-- gateway -->", "<!-- end of gateway -->");
    let (head, rest) = text.split_once(begin).context("the first mark")?;
    let (_, tail) = rest.split_once(end).context("the second mark")?;
    let revision = output(&mut command("git rev-parse --short HEAD"))?;
    let when = output(&mut command("git log -1 --format=%cs"))?;
    let of = format!("At {} of {}.", revision.trim(), when.trim());
    std::fs::write(
        path,
        format!("{head}{begin}\n{report}\n{of}\n\n{end}{tail}"),
    )?;
    Ok(())
}
