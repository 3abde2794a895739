//! What a hit costs, apart from the connection and with it: run them with
//! `cargo test --release -p rialto-gateway --test cache -- --ignored --nocapture NAME`.

use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use futures_util::FutureExt;
use tower::Service;

use crate::support::{Cached, World, answer, get, request};

const HITS: u32 = 1_000_000;

/// A cache before an upstream that answers with 4 KiB and the fields that are usual.
fn world() -> World {
    let world = World::new();
    let body = "x".repeat(4096);
    world.upstream.answers(move |_, _| {
        let fields = [
            ("cache-control", "public, max-age=3600"),
            ("content-type", "application/json"),
            ("etag", "\"0123456789abcdef\""),
            ("last-modified", "Tue, 14 Nov 2023 20:33:20 GMT"),
            ("vary", "accept-encoding"),
            ("surrogate-key", "product-1 shop"),
            ("x-content-type-options", "nosniff"),
        ];
        answer(200, &fields, &body)
    });
    world
}

#[tokio::test]
#[ignore = "measures; see the head of this file"]
async fn what_a_hit_costs() {
    let world = world();
    let mut cache = world.plain();
    let fields = [("accept-encoding", "gzip"), ("user-agent", "measure/1")];
    crate::support::get_with(&cache, "/v1/products/1?expand=prices", &fields).await;
    get(&cache, "/other").await;
    let mut took = [0; 2];
    for (hits, took) in [false, true].into_iter().zip(&mut took) {
        let began = Instant::now();
        for _ in 0..HITS {
            let request = request("GET", "/v1/products/1?expand=prices", &fields);
            if hits {
                let response = cache.call(black_box(request)).now_or_never();
                black_box(
                    response
                        .expect("a hit is there at once")
                        .expect("never fails"),
                );
            } else {
                black_box(request);
            }
        }
        *took = began.elapsed().as_nanos() / u128::from(HITS);
    }
    let [bare, whole] = took;
    let told = format!(
        "a hit: {} ns (making the request: {bare} ns)\n",
        whole - bare
    );
    std::io::stderr().write_all(told.as_bytes()).expect("told");
}

/// Serves hits on 127.0.0.1:18080 for half a minute, for a load generator; tells of its CPU time.
#[tokio::test]
#[ignore = "measures; see the head of this file"]
async fn what_a_hit_costs_on_a_connection() {
    let world = world();
    let cache = world.plain();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:18080")
        .await
        .expect("free");
    let connections = tokio_util::task::TaskTracker::new();
    let serving = async {
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream, cache.clone()));
        }
    };
    let half_a_minute = std::time::Duration::from_secs(30);
    tokio::time::timeout(half_a_minute, serving)
        .await
        .expect_err("it goes on");
    let [hits, misses, ..] = world.counted();
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .expect("fields")
        .split(' ')
        .collect();
    let told = format!(
        "{hits} hits, {misses} misses; ticks: {} + {}\n",
        fields[12], fields[13]
    );
    std::io::stderr().write_all(told.as_bytes()).expect("told");
}

async fn serve(stream: tokio::net::TcpStream, cache: Cached) {
    stream.set_nodelay(true).expect("a socket");
    let settings = std::sync::Arc::new(wire::server::Settings::default());
    let drain = platform::tasks::Shutdown::new().token();
    let protocol = wire::server::Protocol::Unknown;
    let stream = wire::Stream::tcp(stream);
    wire::server::serve(stream, protocol, cache, settings, drain).await;
}
