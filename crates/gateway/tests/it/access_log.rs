//! Lines in the log for requests.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::Backend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tracing_subscriber::EnvFilter;

use crate::bridge::Bridge;
use crate::streams::Line;
use crate::upstreams;

/// What this process tells of requests.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().expect("nobody panics here");
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Listens to every thread; all tests of this program share it.
    fn listen() -> Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        let start = || {
            let log = Self::default();
            let writer = log.clone();
            let started = tracing_subscriber::fmt()
                .with_env_filter(EnvFilter::new("gateway::access_log=info"))
                .with_writer(move || writer.clone())
                .json()
                .flatten_event(true)
                .try_init();
            started.expect("nobody else listens");
            log
        };
        LOG.get_or_init(start).clone()
    }

    fn text(&self) -> String {
        let log = self.0.lock().expect("nobody panics here");
        String::from_utf8(log.clone()).expect("a text")
    }

    /// The lines of a trace.
    fn lines(&self, trace: u128) -> Vec<Value> {
        let id = trace_id(trace);
        let text = self.text();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        lines
            .filter(|line: &Value| line["trace_id"] == id)
            .collect()
    }

    /// The lines of a client.
    fn of_client(&self, client: Ipv4Addr) -> Vec<Value> {
        let client = client.to_string();
        let text = self.text();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        lines
            .filter(|line: &Value| line["client"] == client)
            .collect()
    }

    /// The only line of a trace; it may be written a moment after the client has the answer.
    async fn line(&self, trace: u128) -> Value {
        let told = async {
            loop {
                match self.lines(trace).as_slice() {
                    [] => tokio::task::yield_now().await,
                    [line] => return line.clone(),
                    more => panic!("{more:?}"),
                }
            }
        };
        let told = tokio::time::timeout(Duration::from_secs(20), told).await;
        told.expect("a line")
    }
}

fn trace_id(trace: u128) -> String {
    format!("{trace:032x}")
}

/// As a client tells it.
fn parent(trace: u128) -> String {
    format!("00-{}-00f067aa0ba902b7-01", trace_id(trace))
}

/// A trace that nobody else has; the last 56 bits decide about it.
fn trace(test: u128, lot: u128) -> u128 {
    (test << 64) | lot
}

/// `/one/...` leads to the servers; `log` is the section of the table.
async fn bridge(servers: &[&str], log: &str, route: &str) -> Bridge {
    let servers = json!(servers).to_string();
    Bridge::open(&format!(
        r#"
        {log}
        [gateway.upstream.one]
        servers = {servers}
        ejection = {{ failures = 0 }}
        retry_budget = "100%"
        [[gateway.route]]
        name = "to-one"
        path = "/one/{{*rest}}"
        upstream = "one"
        {route}
        "#
    ))
    .await
}

#[tokio::test]
async fn a_line_tells_who_has_asked_for_what_and_who_has_answered() {
    let log = Log::listen();
    let backend = Backend::start("one").await;
    backend.tells("cache-control", "max-age=60");
    let bridge = bridge(&[&backend.url()], "[gateway.access_log]", "cache = {}").await;
    let asked = bridge.client().with_token("a-bearer-token");
    let url = "/one/a?password=hidden";
    let answer = asked
        .post(url, "12345678")
        .header("traceparent", parent(trace(1, 1)));
    let answer = answer.header("x-request-id", "mine-7").await;
    let size = answer.bytes.len();
    answer.expect(200);
    let line = log.line(trace(1, 1)).await;
    for (field, told) in [
        ("target", json!("gateway::access_log")),
        ("level", json!("INFO")),
        ("request_id", json!("mine-7")),
        ("route", json!("to-one")),
        ("method", json!("POST")),
        ("path", json!("/one/a")),
        ("status", json!(200)),
        ("bytes_in", json!(10)),
        ("bytes_out", json!(size)),
        ("upstream", json!("one")),
        ("server", json!(backend.url())),
        ("attempts", json!(1)),
        ("cache", json!("fwd=method")),
        ("client", json!("127.0.0.1")),
    ] {
        assert_eq!(line[field], told, "{field} in {line}");
    }
    assert!(
        line["micros"].as_u64() <= line["micros_in_all"].as_u64(),
        "{line}"
    );
    for secret in ["hidden", "a-bearer-token", "12345678"] {
        assert!(!log.text().contains(secret), "{secret}");
    }
    assert!(
        line.get("part").is_none() && line.get("broken_off").is_none(),
        "{line}"
    );
}

#[tokio::test]
async fn the_shop_and_the_parts_of_an_answer_have_their_lines() {
    let log = Log::listen();
    let backend = Backend::start("one").await;
    let compose = r#"
        [[gateway.compose]]
        name = "both"
        path = "/both"
        part.one = { get = "/one/a" }
        part.shop = { get = "/v1/products?limit=1" }
        "#;
    let bridge = bridge(&[&backend.url()], "[gateway.access_log]", compose).await;
    let asked = bridge.client().get("/both");
    asked
        .header("traceparent", parent(trace(2, 1)))
        .await
        .expect(200);
    let whole = log.lines(trace(2, 1));
    let told = |route: &str| {
        whole
            .iter()
            .find(|line| line["route"] == route)
            .expect("a line")
    };
    assert_eq!(told("to-one")["part"], true);
    assert_eq!(told("shop")["part"], true);
    assert_eq!(told("shop")["client"], "127.0.0.1");
    assert!(told("both").get("part").is_none());

    let ada = bridge.shop.customer("ada").await;
    let asked = ada.client.get("/v1/customers/me");
    asked
        .header("traceparent", parent(trace(2, 2)))
        .await
        .expect(200);
    let line = log.line(trace(2, 2)).await;
    assert_eq!(line["subject"].as_str(), ada.customer_id.as_deref());
    assert_eq!(
        (&line["route"], &line["path"]),
        (&json!("shop"), &json!("/v1/customers/me"))
    );
}

#[tokio::test]
async fn what_fails_or_is_slow_is_told_whatever_its_trace() {
    let log = Log::listen();
    let backend = Backend::start("one").await;
    // Nobody listens there any more.
    let gone = Backend::start("gone").await.url();
    let quiet = "[gateway.access_log]\nsample = 0\nslow = \"1h\"";
    let bridge = bridge(&[&backend.url(), &gone], quiet, "deadline = \"200ms\"").await;
    let ask = |lot: u128| {
        let asked = bridge.client().get("/one/a");
        asked.header("traceparent", parent(trace(3, lot)))
    };
    // The one that answers is asked first by half of them.
    for lot in 0..40 {
        ask(lot).await.expect(200);
    }
    let told: Vec<Value> = (0..40).flat_map(|lot| log.lines(trace(3, lot))).collect();
    assert!(
        (1..40).contains(&told.len()),
        "only what has failed: {told:?}"
    );
    for line in told {
        assert_eq!(
            (&line["attempts"], &line["status"]),
            (&json!(2), &json!(200))
        );
        assert_eq!(line["server"], backend.url());
        assert!(line.get("bytes_in").is_none(), "nobody counts");
    }
    backend.falls_silent();
    ask(100).await.problem(504, "server.deadline_exceeded");
    assert_eq!(log.line(trace(3, 100)).await["status"], 504);
    backend.speaks_again();

    let before = std::fs::read_to_string(bridge.file("routes.toml")).expect("read");
    bridge.write(&before.replace("1h", "0s"));
    assert_eq!(bridge.admin().post("/gateway/reload", ()).await.status, 204);
    ask(200).await.expect(200);
    assert_eq!(log.lines(trace(3, 200)).len(), 1, "everything is slow now");
}

#[tokio::test]
async fn all_requests_of_a_trace_are_told_or_none() {
    let log = Log::listen();
    let backend = Backend::start("one").await;
    let half = "[gateway.access_log]\nsample = 0.5";
    let bridge = bridge(&[&backend.url()], half, "").await;
    for lot in 0..32 {
        let trace = trace(4, lot << 51);
        for _ in 0..3 {
            let asked = bridge.client().get("/one/a");
            asked.header("traceparent", parent(trace)).await.expect(200);
        }
        let expected = if lot < 16 { 0 } else { 3 };
        assert_eq!(log.lines(trace).len(), expected, "{lot}");
    }
}

#[tokio::test]
async fn who_is_refused_at_the_door_is_told_too() {
    let log = Log::listen();
    let bridge = bridge(&["http://127.0.0.1:1"], "[gateway.access_log]", "").await;
    let asked = bridge.client().get("/one/%00");
    asked
        .header("traceparent", parent(trace(5, 1)))
        .await
        .problem(400, "gateway.bad_path");
    let line = log.line(trace(5, 1)).await;
    assert_eq!(
        (&line["status"], &line["path"]),
        (&json!(400), &json!("/one/%00"))
    );
    assert!(
        line.get("route").is_none() && line.get("attempts").is_none(),
        "{line}"
    );
}

/// Says `head` from an address of this machine that no other test has, and hears the status.
async fn says(bridge: &Bridge, from: Ipv4Addr, head: &str) -> u16 {
    let address = bridge.client().base()["http://".len()..].parse();
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((from, 0).into()).expect("bound");
    let mut line = socket.connect(address.expect("an address")).await;
    let line = line.as_mut().expect("connects");
    line.write_all(head.as_bytes()).await.expect("written");
    let mut begun = [0; 12];
    line.read_exact(&mut begun).await.expect("an answer");
    let status = begun[9..].iter().map(|digit| u16::from(digit - b'0'));
    status.fold(0, |status, digit| 10 * status + digit)
}

#[tokio::test]
async fn what_never_becomes_a_request_has_its_line() {
    let log = Log::listen();
    let sizes = [("http.uri_limit", String::from("2048"))];
    let sizes = [
        &sizes[..],
        &[("http.header_limit", String::from("8KiB"))],
        &[("gateway.trusted", String::from("[\"127.0.6.9\"]"))],
    ]
    .concat();
    let table = "[gateway.access_log]";
    let bridge = Bridge::open_with(table, &[], &sizes).await;

    // A head that can be read, with a target that is too long.
    let (client, id) = (Ipv4Addr::new(127, 0, 6, 1), trace(6, 1));
    let target = format!("/{}?password=hidden", "a".repeat(3000));
    let rest = format!("host: shop\r\ntraceparent: {}\r\n\r\n", parent(id));
    let head = format!("PUT {target} HTTP/1.1\r\nx-request-id: mine-8\r\n{rest}");
    assert_eq!(says(&bridge, client, &head).await, 414);
    let [line] = log.lines(id).try_into().expect("one line");
    for (field, told) in [
        ("status", json!(414)),
        ("client", json!("127.0.6.1")),
        ("method", json!("PUT")),
        ("path", json!(format!("/{}", "a".repeat(1023)))),
        ("request_id", json!("mine-8")),
        ("target", json!("gateway::access_log")),
    ] {
        assert_eq!(line[field], told, "{field} in {line}");
    }
    assert!(line["micros"].is_u64(), "{line}");

    // One whose fields are; a proxy that is trusted names the client.
    let (proxy, id) = (Ipv4Addr::new(127, 0, 6, 9), trace(6, 2));
    let large = format!("x-large: {}\r\nx-forwarded-for: 10.1.2.3", "a".repeat(9000));
    let rest = format!("host: shop\r\ntraceparent: {}\r\n\r\n", parent(id));
    let head = format!("GET /large HTTP/1.1\r\n{large}\r\n{rest}");
    assert_eq!(says(&bridge, proxy, &head).await, 431);
    let [line] = log.lines(id).try_into().expect("one line");
    let told = (&line["status"], &line["path"], &line["client"]);
    assert_eq!(told, (&json!(431), &json!("/large"), &json!("10.1.2.3")));

    // Heads of which nothing is known but who has sent them.
    let endless = format!("GET / HTTP/1.1\r\nx-large: {}", "a".repeat(20_000));
    let heads = [
        (endless.as_str(), 431),
        ("GET / HTTP/1.1\r\n :\r\n\r\n", 400),
        ("GET / HTTP/3.0\r\n\r\n", 505),
    ];
    for (last, (head, status)) in (11..).zip(heads) {
        let client = Ipv4Addr::new(127, 0, 6, last);
        assert_eq!(says(&bridge, client, head).await, status);
        let [line] = log.of_client(client).try_into().expect("one line");
        assert_eq!(line["status"], status, "{line}");
        for unknown in ["trace_id", "method", "path", "micros"] {
            assert!(line.get(unknown).is_none(), "{unknown} in {line}");
        }
    }
    assert!(!log.text().contains("hidden"));
}

#[tokio::test]
async fn what_never_becomes_a_request_is_told_by_the_sample_only() {
    let log = Log::listen();
    // Everything is slow, but clients can have this as often as they like.
    let none = "[gateway.access_log]\nsample = 0\nslow = \"0s\"";
    let sizes = [("http.uri_limit", String::from("2048"))];
    let bridge = Bridge::open_with(none, &[], &sizes).await;
    let client = Ipv4Addr::new(127, 0, 7, 1);
    let long = format!("GET /{} HTTP/1.1\r\nhost: shop\r\n\r\n", "a".repeat(3000));
    let heads = [
        (long.as_str(), 414),
        ("GET / HTTP/1.1\r\n :\r\n\r\n", 400),
        ("GET / HTTP/3.0\r\n\r\n", 505),
    ];
    for (head, status) in heads {
        assert_eq!(says(&bridge, client, head).await, status);
    }
    assert_eq!(log.of_client(client), [Value::Null; 0]);

    // The table that is in force decides.
    bridge.write("[gateway.access_log]");
    assert_eq!(bridge.admin().post("/gateway/reload", ()).await.status, 204);
    for (head, status) in heads {
        assert_eq!(says(&bridge, client, head).await, status);
    }
    assert_eq!(log.of_client(client).len(), heads.len());
    bridge.write("");
    assert_eq!(bridge.admin().post("/gateway/reload", ()).await.status, 204);
    for (head, status) in heads {
        assert_eq!(says(&bridge, client, head).await, status);
    }
    assert_eq!(log.of_client(client).len(), heads.len());
}

#[tokio::test]
async fn who_is_late_with_a_body_is_told_of_as_late() {
    let log = Log::listen();
    let backend = Backend::start("one").await;
    let table = upstreams::table(&[&backend], "") + "[gateway.access_log]";
    let settings = [
        ("http.deadline", String::from("300ms")),
        ("http.body_rate", String::from("0B")),
    ];
    let bridge = Bridge::open_with(&table, &[], &settings).await;
    let mut line = Line::to(&bridge).await;
    let (mine, length) = (parent(trace(9, 1)), "content-length: 3");
    line.say(&format!(
        "POST /all/a HTTP/1.1\r\nhost: shop\r\ntraceparent: {mine}\r\n{length}\r\n\r\na"
    ))
    .await;
    // The server has its time anew from here on; the request has not.
    bridge.client().get("/all/b").await.expect(200);
    line.say("b").await;
    let head = line.hear("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    assert_eq!(log.line(trace(9, 1)).await["status"], 408);
}

#[tokio::test]
async fn a_share_that_is_none_is_told_with_its_line() {
    let bridge = bridge(&["http://127.0.0.1:1"], "", "").await;
    bridge.write("[gateway.access_log]\nsample = 20\n");
    let refused = bridge.admin().post("/gateway/reload", ()).await;
    let text = String::from_utf8_lossy(&refused.bytes).into_owned();
    assert!(
        text.contains("routes.toml:2: expected a share from 0 to 1"),
        "{text}"
    );
}
