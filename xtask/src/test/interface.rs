//! Schemathesis sends whatever the OpenAPI document allows, and much that it does not, to a demo
//! shop: there is no 5xx, and every answer is one that the document names.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{Running, command, free_address, get, output, post, run};
use crate::{process, tools};

const FOLDER: &str = "target/interface";
const PASSWORD: &str = "correct horse battery";
/// What must hold of every answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance";

pub(super) fn fuzz() -> Result<()> {
    let schemathesis = tools::python_tool("schemathesis", "4.32.5")?;
    run(&mut command("cargo build --package rialto --locked"))?;
    process::remove_folder(Path::new(FOLDER))?;
    std::fs::create_dir_all(FOLDER)?;
    let database = format!("database.url=sqlite:{FOLDER}/shop");
    let (address, admin) = (free_address()?, free_address()?);
    let mut serve = Command::new("target/debug/rialto");
    serve.args(["serve", "--demo", "--set", &database]);
    serve.args(["--set", &format!("gateway.listen={address}")]);
    serve.args(["--set", &format!("admin.listen={admin}")]);
    let log = std::fs::File::create(format!("{FOLDER}/server.log"))?;
    let mut shop = Running::start(serve.stdout(Stdio::null()).stderr(log))?;
    let ready = || get(admin, "/health/ready").is_ok_and(|(status, _)| status == 200);
    shop.until(Duration::from_secs(60), ready)?;
    for (who, token) in [
        ("nobody", None),
        ("a customer", Some(customer(address)?)),
        ("an admin", Some(staff(address, &database)?)),
    ] {
        println!("as {who}");
        ask(&schemathesis, address, token.as_deref()).with_context(|| format!("as {who}"))?;
    }
    shop.stop(Duration::from_secs(30))
}

fn ask(schemathesis: &Path, address: SocketAddr, token: Option<&str>) -> Result<()> {
    let mut ask = Command::new(schemathesis);
    ask.arg("run").arg(format!("http://{address}/openapi.json"));
    ask.args(["--checks", CHECKS, "--seed", "1", "--max-examples", "15"]);
    ask.args(["--phases", "examples,coverage,fuzzing", "--workers", "2"]);
    ask.args(["--request-timeout", "20", "--suppress-health-check", "all"]);
    // A session that is logged out half-way would end the run for every later request.
    ask.args(["--exclude-operation-id", "change_password"]);
    if let Some(token) = token {
        ask.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    run(ask.env("NO_COLOR", "1"))
}

fn customer(address: SocketAddr) -> Result<String> {
    let who = format!(r#""email":"ada@example.com","password":"{PASSWORD}""#);
    let (status, body) = post(
        address,
        "/v1/customers",
        &format!("{{{who},\"name\":\"Ada\"}}"),
    )?;
    ensure!(status == 201, "registering answered {status}: {body}");
    log_in(address, "/v1/auth/log-in", &who)
}

fn staff(address: SocketAddr, database: &str) -> Result<String> {
    let email = "staff@example.com";
    let mut create = Command::new("target/debug/rialto");
    create.args([
        "staff", "create", "--email", email, "--name", "Staff", "--role", "admin",
    ]);
    create.args(["--password-stdin", "--set", database]);
    let password = format!("{FOLDER}/password");
    std::fs::write(&password, PASSWORD)?;
    output(create.stdin(std::fs::File::open(password)?))?;
    let who = format!(r#""email":"{email}","password":"{PASSWORD}""#);
    log_in(address, "/v1/auth/staff/log-in", &who)
}

fn log_in(address: SocketAddr, path: &str, who: &str) -> Result<String> {
    let (status, body) = post(address, path, &format!("{{{who}}}"))?;
    ensure!(status == 200, "logging in answered {status}: {body}");
    let token = body
        .split("\"access_token\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    Ok(token.context("an access token")?.to_owned())
}
