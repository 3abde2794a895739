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
    // With the features that other members of the workspace want, since the tests are built with them:
    // without those, tokio and all that is above it would be built again.
    run(&mut command(
        "cargo build --workspace --bin rialto --locked",
    ))?;
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
    let people = [
        ("nobody", None),
        ("a customer", Some(customer(address)?)),
        ("an admin", Some(staff(address, &database)?)),
    ];
    for (who, token) in people {
        println!("as {who}");
        Known::make(address, token.as_deref())
            .and_then(|known| ask(&schemathesis, address, token.as_deref(), &known))
            .with_context(|| format!("as {who}"))?;
    }
    shop.stop(Duration::from_secs(30))
}

fn ask(schemathesis: &Path, address: SocketAddr, token: Option<&str>, known: &Known) -> Result<()> {
    let mut ask = Command::new(schemathesis);
    let path = format!("{FOLDER}/schemathesis.toml");
    std::fs::write(&path, known.configuration())?;
    ask.args(["--config-file", &path]);
    ask.arg("run").arg(format!("http://{address}/openapi.json"));
    ask.args(["--checks", CHECKS, "--seed", "1", "--max-examples", "15"]);
    ask.args([
        "--phases",
        "examples,coverage,fuzzing,stateful",
        "--workers",
        "2",
    ]);
    ask.args(["--request-timeout", "20", "--suppress-health-check", "all"]);
    // A password that is changed ends the session that all later requests need.
    ask.args(["--exclude-operation-id", "change_password"]);
    if let Some(token) = token {
        ask.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    run(ask.env("NO_COLOR", "1"))
}

/// Things that are there, some of them the asker's own: with ids made up by chance, nothing but 404
/// would be seen.
struct Known {
    product: String,
    variant: String,
    cart: String,
    order: String,
}

impl Known {
    fn make(address: SocketAddr, token: Option<&str>) -> Result<Self> {
        let list = "/v1/products?currency=EUR&sort=price&in_stock=true&price_min=1&limit=1";
        let product = process::field(&get(address, list)?.1, "id")?.to_owned();
        let (_, view) = get(address, &format!("/v1/products/{product}"))?;
        let variants = view.split("\"variants\":").nth(1).context("variants")?;
        let variant = process::field(variants, "id")?.to_owned();
        let cart = || -> Result<String> {
            let (status, cart) = post(address, "/v1/carts", token, &process::full_cart(&variant))?;
            ensure!(status == 201, "creating a cart answered {status}: {cart}");
            Ok(process::field(&cart, "id")?.to_owned())
        };
        let (kept, sold) = (cart()?, cart()?);
        let order = format!(r#"{{"cart_id":"{sold}"}}"#);
        let (status, order) = post(address, "/v1/orders", token, &order)?;
        ensure!(status == 201, "placing an order answered {status}: {order}");
        let order = process::field(&order, "id")?.to_owned();
        Ok(Self {
            product,
            variant,
            cart: kept,
            order,
        })
    }

    fn configuration(&self) -> String {
        let mut text = String::new();
        for (pattern, name, id) in [
            ("/v1/products/{id}", "id", &self.product),
            ("/v1/inventory/{variant_id}", "variant_id", &self.variant),
            ("/v1/carts/{id}", "id", &self.cart),
            ("/v1/orders/{id}", "id", &self.order),
        ] {
            let pattern = pattern.replace('{', "\\\\{").replace('}', "\\\\}");
            text.push_str(&format!(
                "[[operations]]\ninclude-path-regex = \"^{pattern}\"\nparameters = {{ {name} = \"{id}\" }}\n\n"
            ));
        }
        text
    }
}

fn customer(address: SocketAddr) -> Result<String> {
    let who = format!(r#""email":"ada@example.com","password":"{PASSWORD}""#);
    let (status, body) = post(
        address,
        "/v1/customers",
        None,
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
    let (status, body) = post(address, path, None, &format!("{{{who}}}"))?;
    ensure!(status == 200, "logging in answered {status}: {body}");
    let token = body
        .split("\"access_token\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    Ok(token.context("an access token")?.to_owned())
}
