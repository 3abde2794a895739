//! Thousands of tables, one after the other, while requests are answered: none fails, and nothing is
//! left of those that were. A program of its own, as it looks at its memory.
//!
//! `RELOADS=10000 cargo test -p rialto-gateway --test reload` makes it ten thousand.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gateway::{Config, Gateway, Services};
use http::Request;
use http_body_util::BodyExt;
use kernel::{Problem, Sources};
use platform::auth::{Authenticator, JwkSet, KeySource};
use platform::config::Layers;
use platform::http::{HttpContext, HttpSettings};
use platform::metrics::Metrics;
use testkit::Backend;
use tower::ServiceExt;
use wire::Body;
use wire::server::Connection;

/// After so many all is there that is made once.
const WARM: usize = 500;
/// So many at least.
const RELOADS: usize = 2_000;

/// Nobody has a token here.
struct NoKeys;

impl KeySource for NoKeys {
    fn keys(&self) -> Pin<Box<dyn Future<Output = Result<JwkSet, Problem>> + Send + '_>> {
        Box::pin(std::future::ready(Ok(JwkSet::default())))
    }
}

fn context() -> HttpContext {
    let (sources, metrics) = (Sources::system(), Metrics::new());
    let source = Box::new(NoKeys);
    let issuer = String::from("test");
    HttpContext {
        settings: Arc::new(HttpSettings {
            deadline: Duration::from_secs(20),
            header_timeout: Duration::from_secs(20),
            header_limit: 4096,
            uri_limit: 200,
            body_limit: 1000,
            body_rate: 1000,
            json_depth: 8,
            slow: Duration::from_secs(20),
            connections: 100,
            connections_per_address: 0,
        }),
        authenticator: Authenticator::new(source, sources.clone(), issuer, 10, &metrics),
        sources,
        metrics,
    }
}

/// Something of everything; each number makes another table.
fn table(url: &str, number: usize) -> String {
    let port = 1 + number % 60_000;
    // Room for both who ask; who waits for a place may wait too long on a busy machine.
    let most = port + 1;
    format!(
        r#"
        [gateway.access_log]
        sample = 0
        [gateway.upstream.stays]
        servers = ["{url}"]
        [gateway.upstream.changes]
        servers = ["http://127.0.0.1:{port}"]
        concurrency = {{ adaptive = true }}
        [[gateway.route]]
        name = "asked"
        path = "/asked/{{id}}"
        upstream = "stays"
        concurrency = {{ max = {most}, queue = 1 }}
        body_limit = "1 KiB"
        limit = [{{ name = "many", per = "address", rate = "1000000/1s" }}]
        [gateway.route.request]
        headers = {{ set = {{ x-number = "{number}-{{{{ request.captures.id }}}}" }} }}
        [[gateway.route]]
        name = "kept"
        path = "/kept/{{*rest}}"
        hosts = ["h{number}.example"]
        upstreams = {{ stays = 9, changes = 1 }}
        cache = {{ query_only = ["page"] }}
        "#
    )
}

/// Bytes of memory that the program has.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = pages
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("a number") * 4096
}

/// Asks until it is over; how many answers there were.
async fn ask(gateway: Gateway, over: Arc<AtomicBool>) -> usize {
    let connection = Connection {
        peer: ([127, 0, 0, 1], 1).into(),
        encrypted: false,
    };
    let mut answers = 0;
    while !over.load(Ordering::Relaxed) {
        let request = Request::get("/asked/7").header("host", "shop.example");
        let request = request.body(Body::empty()).expect("valid");
        let service = gateway.service(&connection);
        let answer = service.oneshot(request).await.expect("never fails");
        assert_eq!(answer.status(), 200, "after {answers} answers");
        let seen = answer
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        let seen = String::from_utf8_lossy(&seen).into_owned();
        assert!(seen.contains("\"x-number\""), "{seen}");
        answers += 1;
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_tables_fail_no_request_and_leave_nothing_behind() {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are configured by their runner"
    )]
    let reloads = std::env::var("RELOADS").ok();
    let reloads = reloads.and_then(|text| text.parse().ok());
    let reloads = reloads.unwrap_or(RELOADS).max(RELOADS);
    let backend = Backend::start("one").await;
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("routes.toml");
    let write = |number| std::fs::write(&file, table(&backend.url(), number)).expect("written");
    write(0);
    let mut layers = Layers::defaults();
    layers.flag("gateway.routes", &file.display().to_string());
    let config = Config::read(&mut layers.section("gateway"));
    let built = Gateway::build(&config, Services::default(), String::from("{}"), &context());
    let gateway = built.expect("a good table");
    let over = Arc::new(AtomicBool::new(false));
    #[expect(clippy::disallowed_methods, reason = "awaited below")]
    let asking = [(); 2].map(|()| tokio::spawn(ask(gateway.clone(), over.clone())));

    let (begun, mut warm) = (Instant::now(), 0);
    for number in 1..=reloads {
        write(number);
        gateway.reload().expect("a good table");
        if number == WARM {
            warm = resident();
        }
        // The load runs on the same threads.
        tokio::task::yield_now().await;
    }
    let (took, end) = (begun.elapsed(), resident());
    over.store(true, Ordering::Relaxed);
    let mut answers = 0;
    for asking in asking {
        answers += asking.await.expect("no request has failed");
    }
    let told = format!(
        "{reloads} tables and {answers} answers in {took:?}; {} KiB after {WARM}, {} KiB in the end",
        warm >> 10,
        end >> 10
    );
    assert!(answers > 0, "{told}");
    // If each left 4 KiB behind, of the 28 that it has, this would be more.
    assert!(end < warm + warm / 4, "{told}");
}
