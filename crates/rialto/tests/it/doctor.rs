//! `rialto doctor` and `rialto config`.

use std::net::TcpListener;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{command, run, run_with_input};

const FREE: [&str; 4] = [
    "--set",
    "gateway.listen=127.0.0.1:0",
    "--set",
    "admin.listen=127.0.0.1:0",
];

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn findings(folder: &TempDir, arguments: &[&str], exit: i32) -> Vec<Value> {
    let mut all = vec!["doctor", "--json"];
    all.extend(arguments);
    let out = run(folder.path(), &all).exits(exit).out;
    serde_json::from_str(&out).expect("JSON")
}

fn finding<'a>(findings: &'a [Value], check: &str, verdict: &str) -> &'a Value {
    let found = findings
        .iter()
        .find(|f| f["check"] == check && f["verdict"] == verdict);
    found.unwrap_or_else(|| panic!("no {verdict} {check} in {findings:#?}"))
}

#[test]
fn a_fresh_folder_is_healthy_and_stays_as_it_is() {
    let folder = folder();
    let findings = findings(&folder, &FREE, 0);
    for check in [
        "version",
        "configuration",
        "database",
        "address",
        "clock",
        "disk",
    ] {
        finding(&findings, check, "ok");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 0);
}

#[test]
fn what_is_wrong_is_told_with_a_remedy() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = format!("gateway.listen={}", taken.local_addr().expect("bound"));
    let arguments = [
        "--set",
        &taken,
        "--set",
        "admin.listen=127.0.0.1:0",
        "--set",
        "http.deadline=soon",
        "--set",
        "database.roles.order=postgres://127.0.0.1:1/x",
    ];
    let findings = findings(&folder, &arguments, 4);
    let wrong = finding(&findings, "configuration", "broken");
    assert!(
        wrong["detail"]
            .as_str()
            .is_some_and(|text| text.contains("--set http.deadline"))
    );
    let away = finding(&findings, "database", "broken");
    assert!(
        away["detail"]
            .as_str()
            .is_some_and(|text| text.contains("of order"))
    );
    finding(&findings, "address", "warning");
    for finding in findings.iter().filter(|finding| finding["verdict"] != "ok") {
        assert!(finding["remedy"].is_string(), "{finding}");
    }
}

#[test]
fn peers_that_are_away_are_told() {
    let folder = folder();
    let mut arguments = vec!["--role", "product"];
    arguments.extend(["--set", "internal.listen=127.0.0.1:0"]);
    arguments.extend(["--set", "admin.listen=127.0.0.1:0"]);
    arguments.extend(["--set", "peers.user=http://127.0.0.1:1"]);
    arguments.extend(["--set", "peers.notification=http://127.0.0.1:1"]);
    arguments.extend([
        "--set",
        "internal.key=a key of more than thirty-two characters",
    ]);
    let findings = findings(&folder, &arguments, 4);
    finding(&findings, "configuration", "ok");
    let away = finding(&findings, "peer", "warning");
    assert_eq!(
        away["detail"],
        "user at http://127.0.0.1:1/ does not answer"
    );
}

#[test]
fn pending_migrations_are_told() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("rialto-data")).expect("made");
    // A file without a schema, as an interrupted first start leaves it.
    std::fs::write(folder.path().join("rialto-data/user.db"), "").expect("written");
    let findings = findings(&folder, &FREE, 4);
    let pending = finding(&findings, "database", "warning");
    let detail = pending["detail"].as_str().expect("text");
    assert!(detail.starts_with("user: SQLite") && detail.contains("pending: platform/"));
}

#[test]
fn the_text_for_people_says_the_same() {
    let folder = folder();
    let mut arguments = vec!["doctor"];
    arguments.extend(FREE);
    let out = run(folder.path(), &arguments).exits(0).out;
    assert!(out.lines().all(|line| line.starts_with("ok ")), "{out}");
}

#[test]
fn config_show_knows_every_key_and_its_source() {
    let folder = folder();
    let mut command = command(
        folder.path(),
        &["config", "show", "--set", "http.deadline=5s"],
    );
    command.env(
        "RIALTO__INTERNAL__KEY",
        "a secret of more than thirty-two characters",
    );
    command.env("RIALTO__DATABASE__URL", "postgres://shop:hunter2@db/shop");
    let out = run_with_input(command, "").exits(0).out;
    let line = |key: &str| {
        let found = out
            .lines()
            .find(|line| line.starts_with(&format!("{key} = ")));
        found.unwrap_or_else(|| panic!("{key} is missing in {out}"))
    };
    assert!(line("http.deadline").contains("\"5s\""));
    assert!(line("http.deadline").ends_with("# the flag --set http.deadline"));
    assert!(line("internal.key").contains("[redacted]"));
    assert!(line("internal.key").ends_with("# the environment variable RIALTO__INTERNAL__KEY"));
    assert!(line("database.url").contains("postgres://shop:[redacted]@db/shop"));
    assert!(line("gateway.listen").ends_with("# the built-in default"));
}

#[test]
fn the_defaults_are_a_valid_file() {
    let folder = folder();
    let defaults = run(folder.path(), &["config", "show", "--defaults"])
        .exits(0)
        .out;
    std::fs::write(folder.path().join("rialto.toml"), defaults).expect("written");
    let out = run(folder.path(), &["config", "check"]).exits(0).out;
    assert!(
        out.starts_with("ok the configuration is valid for gateway"),
        "{out}"
    );
}

#[test]
fn config_check_tells_everything() {
    let folder = folder();
    let arguments = [
        "config",
        "check",
        "--set",
        "a.b=1",
        "--set",
        "bus.poll=never",
    ];
    let told = run(folder.path(), &arguments).exits(2).err;
    assert!(
        told.contains("a.b: unknown key") && told.contains("bus.poll: `never`"),
        "{told}"
    );
}
