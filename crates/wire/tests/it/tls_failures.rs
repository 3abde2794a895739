//! Why handshakes fail.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wire::front::{Front, Refused};
use wire::tls::{ClientAuth, Reason, Settings, Tls};

use crate::authority::{Authority, shake_on};
use crate::tls::settings;

/// Why a server refuses a client that does this.
async fn reason<F: Future>(settings: Settings, client: impl FnOnce(TcpStream) -> F) -> Reason {
    let tls = Tls::load(settings).expect("loads");
    let front = Front {
        tls: Some(tls),
        ..Front::default()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let client = async {
        let stream = TcpStream::connect(address).await.expect("connects");
        client(stream).await
    };
    let server = async {
        let (stream, peer) = listener.accept().await.expect("accepts");
        front.pass(stream, peer).await
    };
    let (_held, passed) = tokio::join!(client, server);
    match passed {
        Err(Refused::Tls(error)) => error.reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_reason_is_told() {
    let authority = Authority::new();
    let files = authority.files("server", &authority.sign(&["localhost"]));
    let plain = || settings(vec![files.clone()]);
    let patient = Settings {
        handshake_timeout: Duration::from_millis(50),
        ..plain()
    };
    let silent = reason(patient.clone(), async |stream| stream).await;
    assert_eq!(silent, Reason::Timeout);
    let half = reason(patient, async |mut stream: TcpStream| {
        stream.write_all(b"\x16\x03\x01\x02").await.expect("writes");
        stream
    });
    assert_eq!(half.await, Reason::Timeout);
    let gone = reason(plain(), async |stream| drop(stream)).await;
    assert_eq!(gone, Reason::Closed);
    for (bytes, told) in [
        (&b"SSH-2.0-x\r\n"[..], Reason::NotTls),
        (b"\x00\x01", Reason::NotTls),
        (b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", Reason::Protocol),
    ] {
        let said = reason(plain(), async |mut stream: TcpStream| {
            stream.write_all(bytes).await.expect("writes");
            stream
        });
        assert_eq!(said.await, told, "{bytes:?}");
    }
    let busy = Settings {
        handshakes: 0,
        handshake_timeout: Duration::from_millis(50),
        ..plain()
    };
    let waits = reason(busy, async |mut stream: TcpStream| {
        stream.write_all(b"\x16").await.expect("writes");
        stream
    });
    assert_eq!(waits.await, Reason::Busy);
}

#[tokio::test]
async fn what_is_wrong_with_certificates_is_told() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let files = authority.files("server", &authority.sign(&["localhost"]));
    let plain = settings(vec![files]);
    let mutual = Settings {
        client_auth: ClientAuth::Required(authority.trusted()),
        ..plain.clone()
    };
    let shakes = async |settings: Settings, config: rustls::ClientConfig| {
        let config = Arc::new(config);
        let client = async |stream: TcpStream| {
            let mut stream = shake_on(&config, stream, "localhost").await.ok()?;
            // With TLS 1.3 a client learns only now whether it was refused.
            stream.read_u8().await.ok()
        };
        reason(settings, client).await
    };
    assert_eq!(shakes(plain, stranger.client()).await, Reason::Alert);
    let nobody = authority.client();
    assert_eq!(shakes(mutual.clone(), nobody).await, Reason::NoCertificate);
    let own = stranger.sign(&["ada.example"]);
    let config = authority.client_with(rustls::ALL_VERSIONS, Some(own));
    assert_eq!(shakes(mutual, config).await, Reason::BadCertificate);
}
