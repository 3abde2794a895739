//! The release program, as users get it: how large it is, how soon it is ready, what it needs when
//! idle, that a purchase goes through in one process and split, and that it ends cleanly.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{
    self, Beside, Running, comes, command, field, free_address, get, post, remove_folder, run,
};

const PROGRAM: &str = "target/release/rialto";
const BUILD: &str = "cargo build --release --package rialto --locked";
const BUILD_LOG: &str = "target/release-build.log";
const FOLDER: &str = "target/budget";
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Begins to build the program while other steps run, since its last part, the optimisation of the
/// whole, keeps one core busy for minutes. Debug and release builds have a lock each, so nobody waits
/// for it but `check`, which is the last step.
///
/// Tests that watch the time do not notice: at the lowest priority it has the cores to itself only
/// while nothing else wants them, and gives them back at once.
pub(super) fn build_beside() -> Result<Beside> {
    Beside::start(BUILD, Duration::from_secs(3600), Path::new(BUILD_LOG))
}

pub(super) fn check() -> Result<()> {
    // If it is being built, this waits for the lock, and then finds nothing to do; what has failed is
    // tried again, and tells why.
    run(&mut command(BUILD))?;
    let size = std::fs::metadata(PROGRAM)?.len();
    println!("the program has {} KiB", size / KIB);
    ensure!(
        size < 41 * MIB,
        "the program has {size} bytes, more than 41 MiB"
    );

    remove_folder(Path::new(FOLDER))?;
    std::fs::create_dir_all(FOLDER)?;
    // The first start migrates and fills the catalogue; the second one shows what a start takes.
    Shop::start(&[])?.stop()?;
    let shop = Shop::start(&[])?;
    println!("ready after {} ms", shop.ready_after.as_millis());
    ensure!(
        shop.ready_after < Duration::from_millis(300),
        "ready after {:?}",
        shop.ready_after
    );
    // What the start has needed is given back within seconds.
    let little = || shop.resident().is_ok_and(|resident| resident < 60 * MIB);
    comes(Duration::from_secs(5), little);
    let resident = shop.resident()?;
    println!("{} MiB resident", resident / MIB);
    ensure!(
        resident < 60 * MIB,
        "{resident} bytes are resident, more than 60 MiB"
    );
    buy(shop.address)?;
    shop.stop()?;

    let split = Split::start()?;
    buy(split.gateway)?;
    println!("a purchase in one process, and one in {}", ROLES.len());
    split.stop()
}

/// A demo shop in one process.
struct Shop {
    process: Running,
    address: SocketAddr,
    ready_after: Duration,
}

impl Shop {
    fn start(settings: &[String]) -> Result<Self> {
        let (address, admin) = (free_address()?, free_address()?);
        let mut serve = Command::new(PROGRAM);
        serve.args([
            "serve",
            "--demo",
            "--set",
            &format!("database.url=sqlite:{FOLDER}/shop"),
        ]);
        serve.args(["--set", &format!("gateway.listen={address}")]);
        serve.args(["--set", &format!("admin.listen={admin}")]);
        for setting in settings {
            serve.args(["--set", setting]);
        }
        let log = std::fs::File::create(format!("{FOLDER}/server.log"))?;
        let mut process = Running::start(serve.stdout(Stdio::null()).stderr(log))?;
        let ready = || get(admin, "/health/ready").is_ok_and(|(status, _)| status == 200);
        let ready_after = process.until(Duration::from_secs(60), ready)?;
        Ok(Self {
            process,
            address,
            ready_after,
        })
    }

    fn resident(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .context("VmRSS")?;
        let kib: u64 = line
            .split_whitespace()
            .nth(1)
            .context("a number")?
            .parse()?;
        Ok(kib * 1024)
    }

    fn stop(self) -> Result<()> {
        self.process.stop(Duration::from_secs(25))
    }
}

const ROLES: [&str; 7] = [
    "user",
    "product",
    "cart",
    "order",
    "feed",
    "notification",
    "gateway",
];

/// The same shop, each role in a process of its own, as in `config/split`.
struct Split {
    processes: Vec<Running>,
    gateway: SocketAddr,
}

impl Split {
    fn start() -> Result<Self> {
        let gateway = free_address()?;
        let mut peers = Vec::new();
        for role in ROLES {
            peers.push((role, free_address()?));
        }
        let mut processes = Vec::new();
        for (role, internal) in &peers {
            let admin = free_address()?;
            let mut serve = Command::new(PROGRAM);
            serve.args(["serve", "--role", role, "--config"]);
            serve.arg(format!("config/split/{role}.toml"));
            let mut set = |setting: String| {
                serve.args(["--set", &setting]);
            };
            set(format!("database.url=sqlite:{FOLDER}/shop"));
            set(format!("internal.key={}", "k".repeat(32)));
            set(format!("admin.listen={admin}"));
            if *role == "gateway" {
                set(format!("gateway.listen={gateway}"));
            } else {
                set(format!("internal.listen={internal}"));
            }
            for (peer, address) in peers.iter().filter(|(peer, _)| *peer != "gateway") {
                set(format!("peers.{peer}=[\"http://{address}\"]"));
            }
            let log = std::fs::File::create(format!("{FOLDER}/{role}.log"))?;
            let mut process = Running::start(serve.stdout(Stdio::null()).stderr(log))?;
            let ready = || get(admin, "/health/ready").is_ok_and(|(status, _)| status == 200);
            process
                .until(Duration::from_secs(20), ready)
                .with_context(|| format!("{role}; see {FOLDER}/{role}.log"))?;
            processes.push(process);
        }
        Ok(Self { processes, gateway })
    }

    /// The gateway first, and whom others need last.
    fn stop(self) -> Result<()> {
        let mut stopped = self.processes.into_iter().rev();
        stopped.try_for_each(|process| process.stop(Duration::from_secs(25)))
    }
}

/// Somebody buys the cheapest thing that is in stock.
fn buy(address: SocketAddr) -> Result<()> {
    let (status, list) = get(
        address,
        "/v1/products?currency=EUR&sort=price&in_stock=true&price_min=1&limit=1",
    )?;
    ensure!(
        status == 200,
        "the list of products answered {status}: {list}"
    );
    let (_, product) = get(address, &format!("/v1/products/{}", field(&list, "id")?))?;
    let variants = product.split("\"variants\":").nth(1).context("variants")?;
    let variant = field(variants, "id")?;
    let (status, cart) = post(address, "/v1/carts", None, &process::full_cart(variant))?;
    ensure!(status == 201, "creating a cart answered {status}: {cart}");
    let order = format!(r#"{{"cart_id":"{}"}}"#, field(&cart, "id")?);
    let (status, order) = post(address, "/v1/orders", None, &order)?;
    ensure!(
        status == 201 && order.contains(r#""state":"placed""#),
        "{status}: {order}"
    );
    Ok(())
}
