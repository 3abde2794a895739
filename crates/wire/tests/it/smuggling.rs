//! Requests that two parsers could read differently are refused: a test for each known trick. What
//! is refused ends the connection, so that nothing behind it is taken for a request.

use crate::stage::Stage;

/// A request that somebody would smuggle behind another one.
const SMUGGLED: &str = "GET /admin HTTP/1.1\r\nhost: x\r\n\r\n";

async fn refused(what: &str, head: &str, status: u16) {
    let stage = Stage::open().await;
    let answer = stage.says(format!("{head}{SMUGGLED}").as_bytes()).await;
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {status} ")),
        "{what}: {answer}"
    );
    assert!(
        !answer.contains("/admin"),
        "{what}: the smuggled request was answered: {answer}"
    );
    assert!(answer.contains("connection: close"), "{what}: {answer}");
}

#[tokio::test]
async fn lengths_and_codings_that_contradict_each_other() {
    for (what, fields) in [
        ("CL.TE", "content-length: 6\r\ntransfer-encoding: chunked"),
        ("TE.CL", "transfer-encoding: chunked\r\ncontent-length: 6"),
        ("CL.CL, different", "content-length: 6\r\ncontent-length: 5"),
        ("CL.CL, equal", "content-length: 6\r\ncontent-length: 6"),
        ("a list of lengths", "content-length: 6, 6"),
        ("a length with a sign", "content-length: +6"),
        ("a negative length", "content-length: -6"),
        ("a hexadecimal length", "content-length: 0x6"),
        ("a length with a space in it", "content-length: 6 6"),
        ("an empty length", "content-length: "),
        (
            "a length that overflows",
            "content-length: 18446744073709551622",
        ),
    ] {
        refused(
            what,
            &format!("POST / HTTP/1.1\r\nhost: x\r\n{fields}\r\n\r\n0\r\n\r\n"),
            400,
        )
        .await;
    }
}

#[tokio::test]
async fn options_of_the_connection_with_what_is_no_space() {
    for value in ["close\r", "\r", "keep-alive\u{c}", "close, \r"] {
        let head = format!("GET / HTTP/1.1\r\nhost: x\r\nconnection: {value}\r\n\r\n");
        refused(&format!("{value:?}"), &head, 400).await;
    }
}

#[tokio::test]
async fn codings_that_only_some_know() {
    for coding in [
        "xchunked",
        "chunked, identity",
        "identity",
        "gzip, chunked",
        "chunked;q=1",
        "\"chunked\"",
        "chunked\r\ntransfer-encoding: identity",
        "chunked\r\ntransfer-encoding: chunked",
    ] {
        let head =
            format!("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: {coding}\r\n\r\n0\r\n\r\n");
        refused(coding, &head, 501).await;
    }
    let old = "POST / HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    refused("a coding in HTTP/1.0", old, 400).await;
}

#[tokio::test]
async fn lines_and_names_that_are_not_whole() {
    for (what, head) in [
        (
            "LF alone",
            "POST / HTTP/1.1\nhost: x\ncontent-length: 0\n\n",
        ),
        (
            "LF alone in one place",
            "POST / HTTP/1.1\r\nhost: x\r\nx: y\ncontent-length: 30\r\n\r\n",
        ),
        (
            "CR alone",
            "POST / HTTP/1.1\r\nhost: x\r\nx: y\rcontent-length: 30\r\n\r\n",
        ),
        (
            "a space before the colon",
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length : 30\r\n\r\n",
        ),
        (
            "a tab before the colon",
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length\t: 30\r\n\r\n",
        ),
        (
            "a folded line",
            "POST / HTTP/1.1\r\nhost: x\r\nx: y\r\n content-length: 30\r\n\r\n",
        ),
        (
            "a space before the first field",
            "POST / HTTP/1.1\r\n host: x\r\nhost: x\r\n\r\n",
        ),
        (
            "a name with a null",
            "POST / HTTP/1.1\r\nhost: x\r\nx\0y: z\r\n\r\n",
        ),
        (
            "a value with a null",
            "POST / HTTP/1.1\r\nhost: x\r\nx: y\0z\r\n\r\n",
        ),
        ("no name", "POST / HTTP/1.1\r\nhost: x\r\n: y\r\n\r\n"),
        ("no colon", "POST / HTTP/1.1\r\nhost: x\r\nxyz\r\n\r\n"),
        (
            "two spaces in the first line",
            "POST  / HTTP/1.1\r\nhost: x\r\n\r\n",
        ),
        (
            "words in the first line",
            "GET / HTTP/1.1 HTTP/1.1\r\nhost: x\r\n\r\n",
        ),
    ] {
        refused(what, head, 400).await;
    }
    refused("another version", "GET / HTTP/1.2\r\nhost: x\r\n\r\n", 505).await;
    refused("another version", "GET / HTTP/3.0\r\nhost: x\r\n\r\n", 505).await;
}

#[tokio::test]
async fn hosts_and_targets_that_two_would_read_differently() {
    for (what, head) in [
        ("no host", "GET / HTTP/1.1\r\n\r\n"),
        ("two hosts", "GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n"),
        (
            "two equal hosts",
            "GET / HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n",
        ),
        (
            "a host with a path",
            "GET / HTTP/1.1\r\nhost: x/admin\r\n\r\n",
        ),
        (
            "a target whose port is none",
            "GET http://x:evil/ HTTP/1.1\r\nhost: x\r\n\r\n",
        ),
        (
            "a target with more than an address in brackets",
            "GET http://[::1]x/ HTTP/1.1\r\nhost: x\r\n\r\n",
        ),
        (
            "a host with two ports",
            "GET / HTTP/1.1\r\nhost: x:80:81\r\n\r\n",
        ),
        (
            "a host with somebody in it",
            "GET / HTTP/1.1\r\nhost: a@x\r\n\r\n",
        ),
        (
            "a target with somebody in it",
            "GET http://a@x/ HTTP/1.1\r\nhost: x\r\n\r\n",
        ),
        ("a fragment", "GET /#x HTTP/1.1\r\nhost: x\r\n\r\n"),
        ("no slash", "GET admin HTTP/1.1\r\nhost: x\r\n\r\n"),
        ("CONNECT", "CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n"),
        (
            "a star that is not for OPTIONS",
            "GET * HTTP/1.1\r\nhost: x\r\n\r\n",
        ),
    ] {
        refused(what, head, 400).await;
    }
}

#[tokio::test]
async fn chunks_that_are_not_whole() {
    for (what, body) in [
        ("a size with 0x", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("a size with a sign", "+5\r\nhello\r\n0\r\n\r\n"),
        ("a size with a space before", " 5\r\nhello\r\n0\r\n\r\n"),
        ("no size", "\r\nhello\r\n0\r\n\r\n"),
        (
            "a size that overflows",
            "10000000000000005\r\nhello\r\n0\r\n\r\n",
        ),
        ("LF alone after the size", "5\nhello\r\n0\r\n\r\n"),
        ("LF alone after the data", "5\r\nhello\n0\r\n\r\n"),
        ("data that is longer", "5\r\nhello!\r\n0\r\n\r\n"),
        (
            "LF alone in an extension",
            "5;x\nGET /admin HTTP/1.1\r\nhello\r\n0\r\n\r\n",
        ),
        ("a null in an extension", "5;\0\r\nhello\r\n0\r\n\r\n"),
        (
            "LF alone in the trailers",
            "5\r\nhello\r\n0\r\nx: y\n\r\n\r\n",
        ),
    ] {
        let head = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
        refused(what, &format!("{head}{body}"), 400).await;
    }
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_not_a_request() {
    let stage = Stage::open().await;
    let length = SMUGGLED.len();
    let head = format!("POST /ignore HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    let answer = stage.says(format!("{head}{SMUGGLED}").as_bytes()).await;
    assert!(
        answer.ends_with("ignored") && !answer.contains("/admin"),
        "{answer}"
    );
    // Nor is what is left of one that is too long to be thrown away.
    let head = "POST /ignore HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";
    let answer = stage.says(format!("{head}{SMUGGLED}").as_bytes()).await;
    assert!(
        answer.contains("connection: close") && !answer.contains("/admin"),
        "{answer}"
    );
}

#[tokio::test]
async fn heads_that_are_too_large() {
    let long = "x".repeat(3000);
    for head in [
        format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: x\r\nx: {long}\r\n\r\n"),
        format!(
            "GET / HTTP/1.1\r\nhost: x\r\n{}\r\n",
            "a: b\r\n".repeat(150)
        ),
        format!("GET / HTTP/1.1\r\nx: {long}"),
    ] {
        refused("a large head", &head, 431).await;
    }
}
