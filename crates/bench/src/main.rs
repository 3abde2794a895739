//! `rialto-bench`, which `cargo xtask bench` runs: how fast the shop is, beside what the machine can do at all, in one run.
//!
//! The load comes from the same machine, so both compete for its cores; machines are noisy. Read
//! the ratios and the processor time for each request, not the bare figures.

mod limits;
mod load;
mod process;
mod scenarios;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};

use self::process::Shop;
use self::scenarios::{Catalogue, Scenario};

/// How fast the shop is. `cargo xtask bench` builds and starts what this needs.
#[derive(Debug, clap::Parser)]
#[command(name = "rialto-bench")]
struct Options {
    /// Seconds for each round of each scenario.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Rounds; medians are shown.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// A PostgreSQL server to measure on as well; the database rialto_bench is made there.
    #[arg(long)]
    postgres: Option<String>,
    /// Where psql and pgbench are, if they are not on the search path.
    #[arg(long)]
    postgres_programs: Option<PathBuf>,
    /// Leave SQLite out.
    #[arg(long)]
    no_sqlite: bool,
    /// The program to measure.
    #[arg(long, default_value = "target/release/rialto")]
    program: PathBuf,
    /// Only scenarios whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Write the figures into docs/performance.md.
    #[arg(long)]
    write: bool,
    /// Answer small JSON at this address, and do nothing else: what a server can do at all.
    #[arg(long, hide = true)]
    hello: Option<std::net::SocketAddr>,
}

impl Options {
    fn programs(&self) -> PathBuf {
        self.postgres_programs.clone().unwrap_or_default()
    }
}

fn main() -> anyhow::Result<()> {
    let options = <Options as clap::Parser>::parse();
    match options.hello {
        Some(address) => limits::hello(address),
        None => run(&options),
    }
}

/// The figures of one engine.
struct Figures {
    engine: &'static str,
    rows: Vec<Row>,
    limits: Vec<(String, u64)>,
    rush: scenarios::Rush,
    ready_millis: u128,
    idle_mib: u64,
}

struct Row {
    scenario: Scenario,
    rate: u64,
    p50: u32,
    p99: u32,
    cpu_micros: u64,
    goal: u64,
}

/// Measures and prints.
fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(
        options.program.exists(),
        "build it first: cargo build --release"
    );
    let folder = tempfile::tempdir()?;
    let mut report = String::new();
    if !options.no_sqlite {
        let url = format!("sqlite:{}", folder.path().join("shop").display());
        let figures = measure(options, "SQLite", &url, folder.path())?;
        report.push_str(&figures.table());
    }
    if let Some(server) = &options.postgres {
        let url = fresh_database(options, server)?;
        let figures = measure(options, "PostgreSQL", &url, folder.path())?;
        report.push_str(&figures.table());
    }
    print(&report);
    if options.write {
        write_report(&report)?;
    }
    Ok(())
}

fn measure(
    options: &Options,
    engine: &'static str,
    database: &str,
    folder: &Path,
) -> anyhow::Result<Figures> {
    let postgres = engine == "PostgreSQL";
    import(options, database, folder)?;
    // The first start has migrated; the second shows how long a start takes.
    let shop = Shop::start(&options.program, database, &[])?;
    process::pause(Duration::from_secs(2));
    let (ready_millis, idle_mib) = (shop.ready_after.as_millis(), shop.memory()? >> 20);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let catalogue = runtime.block_on(Catalogue::read(shop.address))?;
    let duration = Duration::from_secs(options.seconds);
    let chosen = Scenario::ALL.into_iter().filter(|scenario| {
        options
            .only
            .as_ref()
            .is_none_or(|only| scenario.name().contains(only))
    });
    let mut rows = Vec::new();
    for scenario in chosen {
        let mut rounds = Vec::new();
        for _ in 0..options.rounds {
            let before = shop.cpu_millis()?;
            let run = scenarios::run(scenario, shop.address, &catalogue, duration);
            let measured = runtime.block_on(run).with_context(|| scenario.name())?;
            let cpu = (shop.cpu_millis()? - before) * 1000 / measured.count.max(1);
            rounds.push((
                measured.rate(),
                measured.percentile(50),
                measured.percentile(99),
                cpu,
            ));
        }
        rounds.sort_unstable();
        let (rate, p50, p99, cpu_micros) = rounds[rounds.len() / 2];
        eprint(&format!(
            "{engine}: {}: {rate}/s, p99 {p99} us",
            scenario.name()
        ));
        let goal = scenario.goal(postgres);
        rows.push(Row {
            scenario,
            rate,
            p50,
            p99,
            cpu_micros,
            goal,
        });
    }
    let scarce = runtime.block_on(scarce_variant(shop.address))?;
    let rush = runtime.block_on(scenarios::rush(shop.address, &scarce))?;
    drop(shop);
    let limits = limits_of(options, postgres.then_some(database), folder, &runtime)?;
    Ok(Figures {
        engine,
        rows,
        limits,
        rush,
        ready_millis,
        idle_mib,
    })
}

fn limits_of(
    options: &Options,
    postgres: Option<&str>,
    folder: &Path,
    runtime: &tokio::runtime::Runtime,
) -> anyhow::Result<Vec<(String, u64)>> {
    let duration = Duration::from_secs(options.seconds);
    let http = runtime.block_on(limits::bare_http(duration))?;
    let mut all = vec![(String::from("small JSON answers of bare axum"), http)];
    if let Some(database) = postgres {
        let (selects, transactions) = limits::pgbench(&options.programs(), database, duration)?;
        all.push((String::from("pgbench selects by key"), selects));
        all.push((
            String::from("pgbench transactions of four statements"),
            transactions,
        ));
    } else {
        let transactions = limits::sqlite_transactions(folder, duration)?;
        all.push((
            String::from("SQLite transactions of four statements, 32 a commit"),
            transactions,
        ));
    }
    Ok(all)
}

/// 1,000 products with one variant each, and a scarce one, as a Shopify CSV.
fn import(options: &Options, database: &str, folder: &Path) -> anyhow::Result<()> {
    let mut csv = String::from(
        "Handle,Title,Body (HTML),Vendor,Product Category,Tags,Published,Option1 Name,\
         Option1 Value,Variant SKU,Variant Inventory Qty,Variant Inventory Policy,Variant Price,\
         Price / USD,Status\n",
    );
    for number in 0..1000 {
        let price = 500 + (number * 37) % 9500;
        let (whole, cents) = (price / 100, price % 100);
        writeln!(
            csv,
            "article-{number},Article {number},An article for measuring.,Bench,\
             Home > Group {} > Shelf {},bench,true,Title,Default Title,BENCH-{number},100000000,\
             deny,{whole}.{cents:02},{whole}.{cents:02},active",
            number % 10,
            number % 40,
        )?;
    }
    csv.push_str(
        "scarce,Scarce article,One hundred and no more.,Bench,Home,bench,true,Title,\
         Default Title,SCARCE,100,deny,10.00,10.00,active\n",
    );
    let path = folder.join("bench.csv");
    std::fs::write(&path, csv)?;
    let status = Command::new(&options.program)
        .args(["import", "products"])
        .arg(&path)
        .arg("--set")
        .arg(format!("database.url={database}"))
        .status()?;
    ensure!(status.success(), "the import failed: {status}");
    if database.starts_with("postgres:") {
        // Autovacuum would do it within a minute: plans need to know how much there is.
        psql(options, database, "ANALYZE")?;
    }
    Ok(())
}

async fn scarce_variant(address: std::net::SocketAddr) -> anyhow::Result<String> {
    let mut connection = load::Connection::open(address).await?;
    let answer = connection
        .send(
            "GET",
            &format!("/v1/products/by-slug/{}", scenarios::SCARCE),
            "",
            "",
        )
        .await?;
    let view: serde_json::Value = serde_json::from_slice(answer.body)?;
    Ok(view["variants"][0]["id"]
        .as_str()
        .context("the scarce variant")?
        .to_owned())
}

fn fresh_database(options: &Options, server: &str) -> anyhow::Result<String> {
    let (base, _) = server.rsplit_once('/').context("a URL with a database")?;
    psql(options, server, "DROP DATABASE IF EXISTS rialto_bench")?;
    psql(options, server, "CREATE DATABASE rialto_bench")?;
    Ok(format!("{base}/rialto_bench"))
}

fn psql(options: &Options, url: &str, sql: &str) -> anyhow::Result<()> {
    let mut psql = Command::new(options.programs().join("psql"));
    let status = psql.args(["-X", "-q", url, "-c", sql]).status()?;
    ensure!(status.success(), "psql failed: {sql}");
    Ok(())
}

impl Figures {
    fn table(&self) -> String {
        let mut text = format!("\n### {}\n\n", self.engine);
        text.push_str(
            "| what | per second | goal | request p50 ms | p99 ms | CPU of the shop, us each |\n",
        );
        text.push_str("| --- | ---: | ---: | ---: | ---: | ---: |\n");
        for row in &self.rows {
            let name = row.scenario.name();
            let (p50, p99) = (millis(row.p50), millis(row.p99));
            let Row {
                rate,
                goal,
                cpu_micros,
                ..
            } = row;
            writeln!(
                text,
                "| {name} | {rate} | {goal} | {p50} | {p99} | {cpu_micros} |"
            )
            .expect("writing to a string");
        }
        let scenarios::Rush {
            took,
            bought,
            refused,
            other,
        } = &self.rush;
        writeln!(
            text,
            "\n400 buyers for 100 pieces: {bought} bought, {refused} were refused, {other} other \
             answers, in {} ms. Ready {} ms after the start; {} MiB resident when idle.\n",
            took.as_millis(),
            self.ready_millis,
            self.idle_mib,
        )
        .expect("writing to a string");
        text.push_str("| limit of the machine, same run | per second |");
        for row in &self.rows {
            write!(text, " {} |", row.scenario.name()).expect("writing to a string");
        }
        text.push_str("\n| --- | ---: |");
        text.push_str(&" ---: |".repeat(self.rows.len()));
        text.push('\n');
        for (name, limit) in &self.limits {
            write!(text, "| {name} | {limit} |").expect("writing to a string");
            for row in &self.rows {
                let percent = row.rate * 100 / (*limit).max(1);
                write!(text, " {percent} % |").expect("writing to a string");
            }
            text.push('\n');
        }
        text
    }
}

fn millis(micros: u32) -> String {
    format!("{}.{:02}", micros / 1000, micros % 1000 / 10)
}

/// Replaces what stands between the marks in docs/performance.md.
fn write_report(report: &str) -> anyhow::Result<()> {
    let path = "docs/performance.md";
    let text = std::fs::read_to_string(path)?;
    let (begin, end) = ("<!-- figures -->", "<!-- end of figures -->");
    let head = text.split(begin).next().context("the first mark")?;
    let tail = text.split(end).nth(1).context("the second mark")?;
    std::fs::write(path, format!("{head}{begin}\n{report}\n{end}{tail}"))?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn print(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "tells how far it is")]
fn eprint(text: &str) {
    eprintln!("{text}");
}
