//! What the machine and the engines can do at all, measured in the same run: the scale that the
//! shop's own figures are read on.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axum::routing::get;

use super::load::{self, Connection};
use super::process::{free_port, pause};
use super::scenarios::CONNECTIONS;

/// Serves a small JSON answer and nothing else: `rialto-bench --hello ADDRESS`, a process of its
/// own.
pub(crate) fn hello(address: SocketAddr) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let answer = || std::future::ready(([("content-type", "application/json")], "{\"a\":1}"));
        let listener = tokio::net::TcpListener::bind(address).await?;
        axum::serve(listener, axum::Router::new().route("/", get(answer))).await?;
        Ok(())
    })
}

struct Hello(Child);

impl Drop for Hello {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Small JSON answers per second of an axum server without anything around it.
pub(crate) async fn bare_http(duration: Duration) -> anyhow::Result<u64> {
    let address = free_port()?;
    let program = std::env::current_exe()?;
    let child = Command::new(program)
        .arg("--hello")
        .arg(address.to_string())
        .spawn()?;
    let _hello = Hello(child);
    wait_for(address).await?;
    let mut connections = load::connect(address, CONNECTIONS).await?;
    let request = connections[0].prepare("/");
    let measured = load::run(&mut connections, duration, async |connection, _, _| {
        let answer = connection.send_prepared(&request).await?;
        ensure!(answer.status == 200, "answered {}", answer.status);
        Ok(())
    });
    Ok(measured.await?.rate())
}

async fn wait_for(address: SocketAddr) -> anyhow::Result<()> {
    for _ in 0..200 {
        if Connection::open(address).await.is_ok() {
            return Ok(());
        }
        pause(Duration::from_millis(10));
    }
    Connection::open(address).await.map(drop)
}

/// Transactions of four statements per second that one SQLite connection commits durably, 32 to
/// a commit, as many as there are connections in the other runs.
pub(crate) fn sqlite_transactions(folder: &Path, duration: Duration) -> anyhow::Result<u64> {
    let connection = rusqlite::Connection::open(folder.join("limit.db"))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, body TEXT) STRICT;",
    )?;
    let body = "x".repeat(200);
    let (started, mut done) = (Instant::now(), 0_u64);
    while started.elapsed() < duration {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..32 {
            connection.prepare_cached("SAVEPOINT s")?.execute([])?;
            let mut insert =
                connection.prepare_cached("INSERT INTO t (n, body) VALUES (?1, ?2)")?;
            insert.execute(rusqlite::params![1, body])?;
            let id = connection.last_insert_rowid();
            let mut update = connection.prepare_cached("UPDATE t SET n = n + 1 WHERE id = ?1")?;
            update.execute([id])?;
            let mut select = connection.prepare_cached("SELECT n FROM t WHERE id = ?1")?;
            select.query_row([id / 2 + 1], |row| row.get::<_, i64>(0))?;
            insert.execute(rusqlite::params![2, body])?;
            connection.prepare_cached("RELEASE s")?.execute([])?;
            done += 1;
        }
        connection.execute_batch("COMMIT")?;
    }
    let micros = started.elapsed().as_micros().max(1);
    Ok(u64::try_from(u128::from(done) * 1_000_000 / micros)?)
}

/// What pgbench reaches with 32 clients on the same server: selects by key, and transactions of
/// four statements, per second.
pub(crate) fn pgbench(
    programs: &Path,
    url: &str,
    duration: Duration,
) -> anyhow::Result<(u64, u64)> {
    let run = |arguments: &[&str]| -> anyhow::Result<String> {
        let output = Command::new(programs.join("pgbench"))
            .args(arguments)
            .arg(url)
            .stdin(Stdio::null())
            .output();
        let output = output.context("pgbench comes with PostgreSQL")?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    run(&["-i", "-q", "-s", "5"])?;
    let seconds = duration.as_secs().max(1).to_string();
    let common = [
        "-n", "-M", "prepared", "-c", "32", "-j", "1", "-T", &seconds,
    ];
    let tps = |text: String| -> anyhow::Result<u64> {
        let line = text
            .lines()
            .find(|line| line.starts_with("tps = "))
            .context("tps")?;
        let whole = line
            .trim_start_matches("tps = ")
            .split('.')
            .next()
            .context("a number")?;
        Ok(whole.parse()?)
    };
    let selects = tps(run(&[&["-S"], common.as_slice()].concat())?)?;
    // TPC-B without the branches, whose few rows everybody would wait for: four statements.
    let script = std::env::temp_dir().join("rialto-bench.sql");
    std::fs::write(
        &script,
        "\\set aid random(1, 100000 * :scale)\n\\set delta random(-5000, 5000)\nBEGIN;\n\
         UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;\n\
         SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n\
         INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 1, :aid, :delta, now());\n\
         SELECT bid FROM pgbench_accounts WHERE aid = :aid;\nEND;\n",
    )?;
    let script = script.to_string_lossy().into_owned();
    let transactions = tps(run(&[&["-f", &script], common.as_slice()].concat())?)?;
    Ok((selects, transactions))
}
