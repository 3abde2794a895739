//! What comes before the first request: headers of the PROXY protocol, alone and before TLS.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use wire::front::{Front, Proxies};
use wire::network::Networks;
use wire::tls::Tls;

use crate::authority::{Authority, shake_on};
use crate::stage::Stage;
use crate::tls::{says, settings};

const WHO: &str = "GET /who HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
const LINE: &str = "PROXY TCP4 203.0.113.5 192.0.2.1 56324 443\r\n";

fn proxies(trusted: &str) -> Option<Proxies> {
    let trusted: Networks = std::iter::once(trusted.parse().expect("a network")).collect();
    let timeout = Duration::from_secs(5);
    Some(Proxies { trusted, timeout })
}

async fn stage(trusted: &str, tls: Option<Tls>) -> Stage {
    let proxies = proxies(trusted);
    Stage::behind(Front { proxies, tls }, wire::server::Settings::default()).await
}

#[tokio::test]
async fn a_trusted_balancer_tells_who_has_connected() {
    let stage = stage("127.0.0.0/8", None).await;
    let answer = stage.says(format!("{LINE}{WHO}").as_bytes()).await;
    assert!(answer.ends_with("203.0.113.5:56324 false"), "{answer}");
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend([203, 0, 113, 5, 192, 0, 2, 1, 0xdc, 0x04, 0x01, 0xbb]);
    // Byte by byte, too.
    let mut client = stage.client().await;
    for byte in header.iter().chain(WHO.as_bytes()) {
        client.say([*byte]).await;
    }
    let answer = client.rest().await;
    assert!(answer.ends_with("203.0.113.5:56324 false"), "{answer}");
    // It looks whether we live.
    let local = [b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", WHO.as_bytes()].concat();
    let answer = stage.says(&local).await;
    assert!(answer.contains("127.0.0.1:"), "{answer}");
}

#[tokio::test]
async fn nobody_else_is_served() {
    let open = stage("127.0.0.0/8", None).await;
    assert_eq!(open.says(WHO.as_bytes()).await, "", "no header");
    assert_eq!(
        open.says(b"PROXY TCP4 a b c d\r\n").await,
        "",
        "a broken one"
    );
    let closed = stage("192.0.2.0/24", None).await;
    assert_eq!(
        closed.says(format!("{LINE}{WHO}").as_bytes()).await,
        "",
        "a stranger's"
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_header_is_not_waited_for() {
    let stage = stage("127.0.0.0/8", None).await;
    for begun in ["", "PROXY TCP4 203.0"] {
        let mut client = stage.client().await;
        client.say(begun).await;
        assert_eq!(client.rest_within(Duration::from_secs(6)).await, "");
    }
}

#[tokio::test]
async fn tls_comes_behind_the_header() {
    let authority = Authority::new();
    let files = authority.files("server", &authority.sign(&["localhost"]));
    let tls = Tls::load(settings(vec![files])).expect("loads");
    let stage = stage("127.0.0.0/8", Some(tls)).await;
    let mut stream = TcpStream::connect(stage.address).await.expect("connects");
    stream.write_all(LINE.as_bytes()).await.expect("writes");
    let config = Arc::new(authority.client());
    let mut stream = shake_on(&config, stream, "localhost")
        .await
        .expect("shakes hands");
    let answer = says(&mut stream, WHO.as_bytes()).await.expect("answers");
    assert!(answer.ends_with("203.0.113.5:56324 true"), "{answer}");
}
