//! Servers that come, go and fail.

use serde_json::Value;
use testkit::Backend;

use crate::bridge::Bridge;

pub(crate) fn table(servers: &[&Backend], more: &str) -> String {
    let urls: Vec<String> = servers
        .iter()
        .map(|server| format!("{:?}", server.url()))
        .collect();
    let urls = urls.join(", ");
    format!(
        r#"
        [gateway.upstream.all]
        servers = [{urls}]
        {more}
        [[gateway.route]]
        name = "all"
        path = "/all/{{*rest}}"
        upstream = "all"
        "#
    )
}

pub(crate) async fn state(bridge: &Bridge, server: &Backend) -> Value {
    let all = bridge.admin().get("/gateway/upstreams").await.expect(200);
    let servers = all["all"].as_array().expect("servers").clone();
    let mine = servers
        .into_iter()
        .find(|known| known["url"] == server.url());
    mine.expect("the server")
}

/// How often the metrics say that a try of the upstream has ended like that.
pub(crate) async fn told(bridge: &Bridge, outcome: &str) -> usize {
    let metrics = bridge.admin().get("/metrics").await;
    let metrics = String::from_utf8_lossy(&metrics.bytes).into_owned();
    let labels = format!("{{upstream=\"all\",outcome=\"{outcome}\"}} ");
    let line = metrics.lines().find(|line| line.contains(&labels));
    let count = line.and_then(|line| line.rsplit(' ').next());
    count
        .and_then(|count| count.parse().ok())
        .expect("a counter")
}

#[tokio::test]
async fn a_server_that_speaks_http2_hears_the_same() {
    let backend = Backend::start("one").await;
    let authority = backend.address().to_string();
    for (keep, host) in [(false, authority.as_str()), (true, "shop.example")] {
        for protocol in ["http2 = true", ""] {
            let table = table(&[&backend], protocol) + &format!("keep_host = {keep}\n");
            let bridge = Bridge::open(&table).await;
            let asked = bridge
                .client()
                .get("/all/x?y=1")
                .header("host", "shop.example");
            let seen = asked.await.expect(200);
            let target = seen["target"].as_str().expect("a target");
            let told = match protocol {
                "" => seen["headers"]["host"].as_str().expect("a host"),
                _ => target
                    .strip_prefix("http://")
                    .and_then(|target| target.split('/').next())
                    .expect("an authority"),
            };
            assert_eq!(told, host, "{protocol:?}, kept: {keep}");
            assert!(target.ends_with("/all/x?y=1"), "{target}");
            assert_eq!(seen["headers"]["x-forwarded-host"], "shop.example");
        }
    }
}

#[tokio::test]
async fn a_host_that_is_none_is_the_fault_of_no_server() {
    let backend = Backend::start("one").await;
    for protocol in ["http2 = true", ""] {
        let table = table(&[&backend], protocol) + "keep_host = true\n";
        let bridge = Bridge::open(&table).await;
        for host in ["a:b:c", "%zz", "[", ""] {
            for _ in 0..5 {
                let asked = bridge.client().get("/all/x").header("host", host);
                asked.await.problem(400, "request.malformed");
            }
        }
        assert_eq!(state(&bridge, &backend).await["ejected"], false);
    }
    assert_eq!(backend.requests(), 0);
}

#[tokio::test]
async fn work_is_spread() {
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let bridge = Bridge::open(&table(&[&a, &b], "")).await;
    for _ in 0..10 {
        let asked = (0..20).map(|_| bridge.client().get("/all/x").into_future());
        for answer in futures_util::future::join_all(asked).await {
            answer.expect(200);
        }
    }
    assert!(
        a.requests() > 20 && b.requests() > 20,
        "{} {}",
        a.requests(),
        b.requests()
    );
}

#[tokio::test]
async fn no_request_fails_while_servers_come_and_go() {
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let bridge = Bridge::open(&table(&[&a, &b], "")).await;
    let mut gone = Some(b);
    let address = gone.as_ref().map(Backend::address).expect("there");
    for round in 0..200 {
        match round % 40 {
            10 => gone = None,
            30 => gone = Some(Backend::start_at("b", address).await),
            _ => {}
        }
        let post = bridge
            .client()
            .post("/all/x", serde_json::json!({}))
            .key(format!("round-{round}-of-many"));
        post.await.expect(200);
        bridge.client().get("/all/x").await.expect(200);
    }
    drop(gone);
}

#[tokio::test]
async fn what_could_be_done_twice_is_not_sent_again() {
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    a.answers_with(503);
    b.answers_with(503);
    let bridge = Bridge::open(&table(&[&a, &b], "")).await;
    let tried = |before: usize| a.requests() + b.requests() - before;
    let answer = bridge.client().post("/all/x", serde_json::json!({})).await;
    assert_eq!((answer.status, tried(0)), (503, 1));
    let answer = bridge.client().get("/all/x").await;
    assert_eq!(
        (answer.status, tried(1)),
        (503, 2),
        "the other one was asked, and no more"
    );
    let keyed = bridge
        .client()
        .post("/all/x", serde_json::json!({}))
        .key("a key of sixteen");
    assert_eq!((keyed.await.status, tried(3)), (503, 2));
}

#[tokio::test]
async fn a_server_that_fails_is_left_out_and_comes_back() {
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let more = "ejection = { failures = 3, for = \"1ms\" }\nretry_budget = \"100%\"";
    let bridge = Bridge::open(&table(&[&a, &b], more)).await;
    a.answers_with(502);
    for _ in 0..60 {
        bridge.client().get("/all/x").await.expect(200);
    }
    assert!(a.requests() < 30, "{}", a.requests());
    a.answers_with(200);
    let before = a.requests();
    for _ in 0..200 {
        bridge.client().get("/all/x").await.expect(200);
        if a.requests() > before + 5 {
            break;
        }
    }
    assert_eq!(state(&bridge, &a).await["ejected"], false);
    let tries = told(&bridge, "answered").await + told(&bridge, "failed").await;
    assert_eq!(tries, a.requests() + b.requests());
    assert!(told(&bridge, "ejected").await > 0 && told(&bridge, "repeated").await > 0);
    assert_eq!(told(&bridge, "refused").await, 0);
}

#[tokio::test]
async fn nobody_is_there() {
    let a = Backend::start("a").await;
    let bridge = Bridge::open(&table(&[&a], "ejection = { failures = 2, for = \"1m\" }")).await;
    drop(a);
    for _ in 0..4 {
        let answer = bridge.client().get("/all/x").await;
        assert_eq!(answer.header("retry-after"), Some("1"));
        answer.problem(503, "server.unavailable");
    }
}

#[tokio::test]
async fn checks_take_a_server_out_before_anybody_gets_there() {
    for protocol in ["", "http2 = true\n"] {
        checked(protocol).await;
    }
}

async fn checked(protocol: &str) {
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let health = "health = { path = \"/health\", interval = \"1ms\", healthy = 1, unhealthy = 1 }";
    let bridge = Bridge::open(&table(&[&a, &b], &format!("{protocol}{health}"))).await;
    a.answers_with(500);
    while state(&bridge, &a).await["healthy"] == true {
        tokio::task::yield_now().await;
    }
    a.answers_with(200);
    let before = b.requests();
    while state(&bridge, &a).await["healthy"] == false {
        bridge.client().get("/all/x").await.expect(200);
    }
    assert!(b.requests() > before);
}

#[tokio::test]
async fn servers_are_read_from_a_file_that_changes() {
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("servers.txt");
    std::fs::write(&file, format!("# one\n{}\n", a.url())).expect("written");
    let bridge = Bridge::open(&format!(
        r#"
        [gateway.upstream.all]
        file = {file:?}
        refresh = "1ms"
        [[gateway.route]]
        name = "all"
        path = "/all"
        upstream = "all"
        "#
    ))
    .await;
    let server = async || {
        let answer = bridge.client().get("/all").await;
        answer.body["server"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    while server().await != "a" {}
    std::fs::write(&file, b.url()).expect("written");
    while server().await != "b" {}
    std::fs::write(&file, "").expect("written");
    assert_eq!(server().await, "b", "an empty list is no list");
}
