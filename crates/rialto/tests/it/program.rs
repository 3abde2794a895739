//! The program itself: help, exit codes, starting and stopping.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use testkit::Client;

/// What a run of the program came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) exit: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.exit, code, "{self:#?}");
        // Neither is a terminal.
        assert!(
            !self.out.contains('\u{1b}') && !self.err.contains('\u{1b}'),
            "colours"
        );
        self
    }
}

/// The program in a folder of its own, with nothing of the caller's environment but `variables`.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rialto"));
    command.env_clear().current_dir(folder).args(arguments);
    command
}

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Run {
    run_with_input(command(folder, arguments), "")
}

pub(crate) fn run_with_input(mut command: Command, input: &str) -> Run {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    let mut stdin = child.stdin.take().expect("piped");
    // The program may have ended without reading.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the program ends");
    Run {
        exit: output.status.code().expect("no signal ended it"),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// A server that runs until it is dropped.
pub(crate) struct Served {
    child: Child,
    banner: Vec<String>,
}

impl Served {
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut all = vec!["serve", "--set", "admin.listen=127.0.0.1:0"];
        all.extend(arguments);
        let mut command = command(folder, &all);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut banner = Vec::new();
        for line in lines {
            let line = line.expect("UTF-8");
            banner.push(line.clone());
            if line.contains("/health/ready") {
                break;
            }
        }
        Self { child, banner }
    }

    pub(crate) fn address(&self, what: &str) -> Client {
        let line = self
            .banner
            .iter()
            .find(|line| line.trim_start().starts_with(what));
        let line = line.expect("the banner tells where it listens");
        let (_, rest) = line.split_once("http://").expect("an address");
        let address = rest.split('/').next().unwrap_or_default();
        Client::new(format!("http://{address}"))
    }

    /// Asks it to stop; its exit code and what it has logged.
    pub(crate) fn stop(mut self, signal: Signal) -> (i32, String) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
        let mut log = String::new();
        let mut stderr = self.child.stderr.take().expect("piped");
        stderr.read_to_string(&mut log).expect("UTF-8");
        let status = self.child.wait().expect("it ends");
        (status.code().expect("it ends by itself"), log)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn help_says_what_there_is() {
    let folder = folder();
    let mut all = String::new();
    for path in [
        vec![],
        vec!["serve"],
        vec!["migrate"],
        vec!["config"],
        vec!["config", "check"],
        vec!["config", "show"],
        vec!["import"],
        vec!["import", "products"],
        vec!["export", "products"],
        vec!["openapi"],
        vec!["staff", "create"],
        vec!["mail"],
        vec!["mail", "list"],
        vec!["mail", "show"],
        vec!["mail", "templates"],
        vec!["events"],
        vec!["events", "list"],
        vec!["events", "replay"],
        vec!["doctor"],
        vec!["completions"],
    ] {
        let arguments: Vec<&str> = path.iter().copied().chain(["--help"]).collect();
        let help = run(folder.path(), &arguments).exits(0).out;
        all.push_str(&format!("$ rialto {}\n{help}\n", arguments.join(" ")));
    }
    insta::assert_snapshot!("help", all);
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    let folder = folder();
    for arguments in [
        &[][..],
        &["sreve"],
        &["serve", "--role", "gatewy"],
        &["serve", "--set", "novalue"],
        &["serve", "--role", "order", "--listen", "127.0.0.1:0"],
        &["serve", "--role", "order", "--demo"],
        &["import", "products"],
        &["import", "products", "-", "--currency", "EURO"],
        &["import", "products", "-", "--stock", "all"],
        &["export", "products", "--status", "sold"],
        &["mail", "show", "mail_zzz"],
        &["events", "replay"],
    ] {
        let told = run(folder.path(), arguments).exits(2).err;
        assert!(!told.is_empty(), "{arguments:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 0);
}

#[tokio::test]
async fn a_server_tells_where_it_is_and_stops_when_asked() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = folder();
        let served = Served::start(folder.path(), &["--listen", "127.0.0.1:0"]);
        let (shop, admin) = (served.address("shop"), served.address("health"));
        assert_eq!(admin.ready().await["ready"], true);
        shop.get("/openapi.json").await.ok();
        let metrics = admin.get("/metrics").await;
        assert!(metrics.bytes.starts_with(b"# HELP"));
        let (exit, log) = served.stop(signal);
        assert_eq!(exit, 0, "{log}");
        assert!(log.contains("draining"), "{log}");
    }
}

#[tokio::test]
async fn the_second_start_finds_what_the_first_has_kept() {
    let folder = folder();
    let served = Served::start(folder.path(), &["--listen", "127.0.0.1:0"]);
    let ada = serde_json::json!({
        "email": "ada@example.com", "password": "correct horse battery", "name": "Ada",
    });
    served
        .address("shop")
        .post("/v1/customers", &ada)
        .await
        .expect(201);
    assert_eq!(served.stop(Signal::TERM).0, 0);
    let served = Served::start(folder.path(), &["--listen", "127.0.0.1:0"]);
    let again = served.address("shop").post("/v1/customers", &ada).await;
    again.problem(409, "user.email_taken");
    drop(served);
    // The mails were written before the first one ended: what is in flight is not lost.
    let listed = run(folder.path(), &["mail", "list", "--json"]).exits(0).out;
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed.as_array().expect("a list").len(), 2);
}

#[tokio::test]
async fn a_file_named_rialto_toml_is_read() {
    let folder = folder();
    let file = folder.path().join("rialto.toml");
    std::fs::write(file, "[gateway]\nlisten = \"127.0.0.1:0\"\n").expect("written");
    let served = Served::start(folder.path(), &[]);
    served.address("shop").get("/openapi.json").await.ok();
    let shown = run(folder.path(), &["config", "show"]).exits(0).out;
    assert!(shown.contains("# rialto.toml line 2"), "{shown}");
}
