//! What every request gets, whatever is wrong with it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::house::{House, settings};

const JSON: (&str, &str) = ("content-type", "application/json");

/// A note whose JSON has so many bytes.
fn note(bytes: usize) -> String {
    let frame = r#"{"text": ""}"#.len();
    format!(r#"{{"text": "{}"}}"#, "x".repeat(bytes - frame))
}

/// A note nested so deeply.
fn nested(depth: usize) -> String {
    let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
    format!(r#"{{"text": "", "more": {open}{close}}}"#)
}

#[tokio::test]
async fn a_body_up_to_the_limit_is_read() {
    let house = House::open();
    let fits = house.post("/notes/7", &note(1000)).await;
    assert_eq!(
        (fits.status, &fits.body["id"]),
        (200, &serde_json::json!(7))
    );
    house
        .post("/notes/7", &note(1001))
        .await
        .problem(413, "request.too_large");
    // Without a length it is counted while it comes.
    let body = note(1500);
    let chunked = format!(
        "POST /notes/7 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
         {:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    let answer = house.raw(&chunked).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("request.too_large"), "{answer}");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_body() {
    let house = House::open();
    let mut stream = TcpStream::connect(house.address)
        .await
        .expect("a connection");
    let half = "POST /notes/7 HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 100\r\n\r\n{\"text\"";
    stream.write_all(half.as_bytes()).await.expect("sent");
    stream.shutdown().await.expect("closed");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .expect("an answer, or nothing");
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
        "{answer}"
    );
    assert_eq!(house.post("/notes/7", &note(20)).await.status, 200);
}

#[tokio::test]
async fn json_is_nested_up_to_the_limit() {
    let house = House::open();
    assert_eq!(house.post("/notes/7", &nested(8)).await.status, 200);
    house
        .post("/notes/7", &nested(9))
        .await
        .problem(400, "request.too_deep");
    // Deeper than any stack, but refused before it is read.
    house
        .post("/notes/7", &"[".repeat(900))
        .await
        .problem(400, "request.too_deep");
}

#[tokio::test]
async fn broken_json_is_told_from_json_that_does_not_fit() {
    let house = House::open();
    house
        .post("/notes/7", "")
        .await
        .problem(400, "request.malformed");
    house
        .post("/notes/7", r#"{"text": "#)
        .await
        .problem(400, "request.malformed");
    house
        .post("/notes/7", "\u{0}")
        .await
        .problem(400, "request.malformed");
    for (body, pointer) in [
        ("{}", ""),
        (r#"{"text": 7}"#, "/text"),
        (r#"{"text": "", "x": 1}"#, "/x"),
        (r#"{"text": "bad"}"#, "/text"),
    ] {
        let problem = house
            .post("/notes/7", body)
            .await
            .problem(422, "request.invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
    }
}

#[tokio::test]
async fn only_json_is_read() {
    let house = House::open();
    let body = note(20);
    for kind in [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "",
    ] {
        let answer = house
            .send(Method::POST, "/notes/7", &[("content-type", kind)], &body)
            .await;
        answer.problem(415, "request.unsupported_media_type");
    }
    let answer = house.send(Method::POST, "/notes/7", &[], &body).await;
    answer.problem(415, "request.unsupported_media_type");
    for kind in [
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/merge-patch+json",
    ] {
        let answer = house
            .send(Method::POST, "/notes/7", &[("content-type", kind)], &body)
            .await;
        assert_eq!(answer.status, 200, "{kind}");
    }
}

#[tokio::test]
async fn the_target_has_a_limit() {
    let house = House::open();
    let path = |length: usize| format!("/{}", "x".repeat(length - 1));
    house.get(&path(200)).await.problem(404, "request.no_route");
    house
        .get(&path(201))
        .await
        .problem(414, "request.uri_too_long");
    house
        .get(&format!("/x?{}", "x".repeat(200)))
        .await
        .problem(414, "request.uri_too_long");
}

#[tokio::test]
async fn the_header_section_has_a_limit() {
    let house = House::open();
    let long = "x".repeat(5000);
    let answer = house
        .send(Method::GET, "/x", &[("x-long", &long)], "")
        .await;
    answer.problem(431, "request.headers_too_large");
    // What is much too long is not even parsed.
    let much = format!(
        "GET /x HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    let answer = house.raw(&much).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
        "{answer}"
    );
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let house = House::open();
    let missing = house.get("/nowhere").await.problem(404, "request.no_route");
    assert_eq!(missing["instance"], "/nowhere");
    house
        .post("/notes/seven", &note(20))
        .await
        .problem(404, "request.no_route");
    let method = house.get("/notes/7").await;
    assert_eq!(method.header("allow"), "POST");
    method.problem(405, "request.method_not_allowed");
}

#[tokio::test]
async fn nobody_passes_without_a_token() {
    let house = House::open();
    let nobody = house.get("/secret").await;
    assert_eq!(nobody.header("www-authenticate"), "Bearer");
    nobody.problem(401, "auth.required");
    for value in ["Bearer x", "Bearer", "Basic YTpi", "Bearer a.b.c", "x"] {
        let headers = [("authorization", value)];
        let answer = house.send(Method::GET, "/secret", &headers, "").await;
        answer.problem(401, "auth.bad_token");
    }
}

#[tokio::test]
async fn a_panic_is_a_problem_and_nobody_elses() {
    let house = House::open();
    let problem = house.get("/panic").await.problem(500, "server.internal");
    assert!(!problem.to_string().contains("secret reason"));
    assert_eq!(house.post("/notes/7", &note(20)).await.status, 200);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_given_up() {
    let deadline = Duration::from_millis(50);
    let house = House::with(platform::http::HttpSettings {
        deadline,
        ..settings()
    });
    house
        .get("/wait")
        .await
        .problem(504, "server.deadline_exceeded");
    assert!(
        house.bell.given_up.load(Ordering::SeqCst),
        "the work stops as well"
    );
}

#[tokio::test]
async fn nobody_outside_sets_a_deadline() {
    let house = House::open();
    let headers = [("rialto-deadline-ms", "0")];
    let waits = house.send(Method::GET, "/wait", &headers, "");
    let rings = async {
        house.bell.arrived.notified().await;
        house.bell.rings.notify_one();
    };
    let (answer, ()) = tokio::join!(waits, rings);
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_request_id_comes_back() {
    let house = House::open();
    let id = async |sent: &str| {
        let headers = [("x-request-id", sent)];
        house.send(Method::GET, "/nowhere", &headers, "").await
    };
    assert_eq!(
        id("order-7_a.b").await.header("x-request-id"),
        "order-7_a.b"
    );
    for odd in ["a b", "\"", "a;b", &"x".repeat(65)] {
        let answer = id(odd).await;
        let own = answer.header("x-request-id").to_owned();
        assert_eq!(
            answer.problem(404, "request.no_route")["trace_id"],
            own,
            "{odd}"
        );
    }
    let fine = house.post("/notes/7", &note(20)).await;
    assert_eq!(fine.header("x-request-id").len(), 32);
}

#[tokio::test]
async fn a_trace_goes_on() {
    let house = House::open();
    let traced = async |traceparent: &str| {
        let headers = [("traceparent", traceparent)];
        let answer = house.send(Method::GET, "/nowhere", &headers, "").await;
        answer.problem(404, "request.no_route")["trace_id"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    assert_eq!(traced(&format!("00-{id}-00f067aa0ba902b7-01")).await, id);
    for odd in ["", "nonsense", &format!("00-{id}-0000000000000000-01")] {
        assert_ne!(traced(odd).await, id);
    }
}

#[tokio::test]
async fn metrics_name_the_route_and_never_the_address() {
    let house = House::open();
    house.post("/notes/4711", &note(20)).await;
    house.post("/notes/4712", "").await;
    let text = house.metrics.encode();
    let line = |status: u16| {
        format!(
            "rialto_http_answers_total{{role=\"house\",route=\"/notes/{{id}}\",\
             method=\"POST\",status=\"{status}\"}} 1"
        )
    };
    assert!(
        text.contains(&line(200)) && text.contains(&line(400)),
        "{text}"
    );
    assert!(!text.contains("471"));
}

#[tokio::test]
async fn a_drain_finishes_what_runs_and_takes_nothing_new() {
    let house = House::open();
    // Kept alive, and idle.
    assert_eq!(house.post("/notes/7", &note(20)).await.status, 200);
    let story = async {
        house.bell.arrived.notified().await;
        house.shutdown().begin();
        // The listener closes, while the request still runs.
        while TcpStream::connect(house.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        house.bell.rings.notify_one();
    };
    let (answer, ()) = tokio::join!(house.get("/wait"), story);
    assert_eq!(
        (answer.status, &answer.body["given_up"]),
        (200, &serde_json::json!(false))
    );
    let drained = house.tasks.drain(Duration::from_secs(10));
    tokio::time::timeout(Duration::from_secs(5), drained)
        .await
        .expect("nothing is left");
}

#[tokio::test]
async fn who_says_nothing_is_hung_up_on() {
    let header_timeout = Duration::from_millis(50);
    let house = House::with(platform::http::HttpSettings {
        header_timeout,
        ..settings()
    });
    // Nothing, the beginning of HTTP/2, and half a request.
    for text in ["", "PRI * HT", "GET /nowhere HTTP/1.1\r\nhost: x\r\n"] {
        let silence = house.raw(text);
        let closed = tokio::time::timeout(Duration::from_secs(5), silence).await;
        let answer = closed.expect("the connection is closed");
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 408 "),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_client_with_too_many_connections_is_hung_up_on() {
    let house = House::with(platform::http::HttpSettings {
        connections_per_address: 1,
        ..settings()
    });
    let request = "GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    // Accepted before the others: connections are accepted in the order in which they came.
    let first = TcpStream::connect(house.address).await;
    let first = first.expect("a connection");
    assert_eq!(house.raw(request).await, "", "closed without a word");
    drop(first);
    let again = async {
        while house.raw(request).await.is_empty() {
            // The server has yet to see that the first is gone.
        }
    };
    let again = tokio::time::timeout(Duration::from_secs(5), again).await;
    again.expect("there is room again");
}

#[tokio::test]
async fn the_body_of_a_get_is_of_no_interest() {
    let house = House::open();
    let answer = house
        .send(Method::GET, "/nowhere", &[JSON], &note(5000))
        .await;
    answer.problem(404, "request.no_route");
}
