//! TLS, as clients meet it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use wire::front::Front;
use wire::tls::{ClientAuth, Files, Settings, Tls};

use crate::authority::{Authority, shake};
use crate::stage::{Client, Stage};

const WHO: &[u8] = b"GET /who HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

pub(crate) fn settings(certificates: Vec<Files>) -> Settings {
    Settings {
        certificates,
        client_auth: ClientAuth::Off,
        handshake_timeout: Duration::from_secs(5),
        handshakes: 100,
    }
}

pub(crate) async fn stage(tls: &Tls) -> Stage {
    let front = Front {
        tls: Some(tls.clone()),
        ..Front::default()
    };
    Stage::behind(front, wire::server::Settings::default()).await
}

/// A server whose certificate is for `localhost`.
async fn plain_stage(authority: &Authority, change: impl FnOnce(&mut Settings)) -> Stage {
    let files = authority.files("server", &authority.sign(&["localhost"]));
    let mut settings = settings(vec![files]);
    change(&mut settings);
    stage(&Tls::load(settings).expect("loads")).await
}

pub(crate) async fn says(stream: &mut TlsStream<TcpStream>, bytes: &[u8]) -> io::Result<String> {
    stream.write_all(bytes).await?;
    let mut all = String::new();
    stream.read_to_string(&mut all).await?;
    Ok(all)
}

/// The whole conversation; with TLS 1.3 a client learns only then that it was refused.
async fn who(config: ClientConfig, stage: &Stage) -> io::Result<String> {
    let config = Arc::new(config);
    says(&mut shake(&config, stage.address, "localhost").await?, WHO).await
}

#[tokio::test]
async fn both_versions_are_spoken_and_requests_know_that_they_are_encrypted() {
    let authority = Authority::new();
    let stage = plain_stage(&authority, |_| {}).await;
    for (version, name) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let config = Arc::new(authority.client_with(&[version], None));
        let mut stream = shake(&config, stage.address, "localhost")
            .await
            .expect("shakes hands");
        assert_eq!(stream.get_ref().1.protocol_version(), Some(name));
        let answer = says(&mut stream, WHO).await.expect("closes as agreed");
        assert!(answer.ends_with(" true"), "{answer}");
        assert!(answer.contains("127.0.0.1:"), "{answer}");
    }
}

#[tokio::test]
async fn a_long_answer_is_whole_through_tls() {
    let authority = Authority::new();
    let stage = plain_stage(&authority, |_| {}).await;
    let config = Arc::new(authority.client());
    let mut stream = shake(&config, stage.address, "localhost")
        .await
        .expect("shakes hands");
    let request = b"GET /long HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answer = says(&mut stream, request).await.expect("closes as agreed");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    assert!(body.len() == 1 << 20 && body.bytes().all(|byte| byte == b'x'));
}

#[tokio::test]
async fn the_protocol_is_agreed_on() {
    let authority = Authority::new();
    let stage = plain_stage(&authority, |_| {}).await;
    let mut config = authority.client();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = shake(&Arc::new(config), stage.address, "localhost")
        .await
        .expect("shakes hands");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.expect("speaks HTTP/2");
    tokio::spawn(connection);
    let request = Request::get("https://localhost/who").body(Empty::<bytes::Bytes>::new());
    let response = sender
        .send_request(request.expect("valid"))
        .await
        .expect("answers");
    let body = response
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    assert!(body.ends_with(b" true"));

    let mut config = authority.client();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    assert!(
        who(config, &stage)
            .await
            .expect("answers")
            .ends_with(" true")
    );
    let mut config = authority.client();
    config.alpn_protocols = vec![b"spdy/3".to_vec()];
    assert!(who(config, &stage).await.is_err(), "nothing in common");
}

#[tokio::test]
async fn a_client_gets_the_certificate_of_the_name_that_it_asks_for() {
    let authority = Authority::new();
    let names: [&[&str]; 3] = [
        &["shop.example"],
        &["api.example", "*.api.example"],
        &["Special.API.example"],
    ];
    let signed = names.map(|names| authority.sign(names));
    let files = ["shop", "api", "special"].iter().zip(&signed);
    let files = files
        .map(|(name, signed)| authority.files(name, signed))
        .collect();
    let tls = Tls::load(settings(files)).expect("loads");
    let stage = stage(&tls).await;
    // Takes every certificate, to see which it gets.
    let mut config = authority.client();
    config
        .dangerous()
        .set_certificate_verifier(Arc::new(Anything));
    let config = Arc::new(config);
    for (asked, index) in [
        ("shop.example", 0),
        ("api.example", 1),
        ("v1.api.example", 1),
        ("V1.Api.Example", 1),
        ("special.api.example", 2),
        ("a.b.api.example", 0),
        ("other.example", 0),
        ("127.0.0.1", 0),
    ] {
        let stream = shake(&config, stage.address, asked)
            .await
            .expect("shakes hands");
        let shown = stream.get_ref().1.peer_certificates().expect("one");
        assert_eq!(shown[0], signed[index].certificate, "for {asked}");
    }
    let used = tls.in_use();
    assert_eq!(used[2].names, ["special.api.example"]);
    assert!(used[0].file.ends_with("shop.pem"));
}

#[tokio::test]
async fn who_comes_back_shakes_hands_quickly() {
    let authority = Authority::new();
    let stage = plain_stage(&authority, |_| {}).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = Arc::new(authority.client_with(&[version], None));
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut stream = shake(&config, stage.address, "localhost")
                .await
                .expect("shakes");
            assert!(says(&mut stream, WHO).await.is_ok());
            assert_eq!(
                stream.get_ref().1.handshake_kind(),
                Some(kind),
                "{version:?}"
            );
        }
    }
}

#[tokio::test]
async fn clients_show_certificates_if_they_are_asked() {
    let authority = Authority::new();
    let trusted = authority.trusted();
    let versions = rustls::ALL_VERSIONS;
    let off = plain_stage(&authority, |_| {}).await;
    let optional =
        |settings: &mut Settings| settings.client_auth = ClientAuth::Optional(trusted.clone());
    let optional = plain_stage(&authority, optional).await;
    let required =
        |settings: &mut Settings| settings.client_auth = ClientAuth::Required(trusted.clone());
    let required = plain_stage(&authority, required).await;

    let known = || authority.client_with(versions, Some(authority.sign_client()));
    let stranger = || authority.client_with(versions, Some(Authority::new().sign_client()));
    let expired = || {
        let signed = authority.sign_changed(&["late"], |params| {
            params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        });
        authority.client_with(versions, Some(signed))
    };
    for (stage, client, served, known) in [
        (&off, authority.client(), true, false),
        (&off, known(), true, false),
        (&optional, authority.client(), true, false),
        (&optional, known(), true, true),
        (&optional, stranger(), false, false),
        (&required, authority.client(), false, false),
        (&required, known(), true, true),
        (&required, stranger(), false, false),
        (&required, expired(), false, false),
    ] {
        let answer = who(client, stage).await;
        assert_eq!(answer.is_ok(), served, "{answer:?}");
        assert_eq!(answer.is_ok_and(|answer| answer.contains("billing")), known);
    }
}

#[tokio::test]
async fn requests_know_whose_certificate_was_shown() {
    let authority = Authority::new();
    let trusted = authority.trusted();
    let required = |settings: &mut Settings| settings.client_auth = ClientAuth::Required(trusted);
    let stage = plain_stage(&authority, required).await;
    let signed = authority.sign_client();
    let digest = ring::digest::digest(&ring::digest::SHA256, &signed.certificate);
    let print: String = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let config = authority.client_with(rustls::ALL_VERSIONS, Some(signed));
    let expected = format!(
        " CN=billing,O=Example [client.example 192.0.2.7 spiffe://example/billing] {print}"
    );
    let config = Arc::new(config);
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let mut stream = shake(&config, stage.address, "localhost")
            .await
            .expect("shakes hands");
        let answer = says(&mut stream, WHO).await.expect("answers");
        assert!(answer.ends_with(&expected), "{answer}");
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(kind));
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_slow_to_shake_hands_is_not_waited_for() {
    let authority = Authority::new();
    let stage = plain_stage(&authority, |_| {}).await;
    let mut silent = stage.client().await;
    assert_eq!(silent.rest_within(Duration::from_secs(6)).await, "");
    let mut slow = stage.client().await;
    slow.say(b"\x16\x03\x01\x02\x00\x01").await;
    assert_eq!(slow.rest_within(Duration::from_secs(6)).await, "");
    // Shakes hands, and says nothing more: in neither protocol.
    for protocol in ["h2", "http/1.1"] {
        let mut config = authority.client();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let mut stream = shake(&Arc::new(config), stage.address, "localhost")
            .await
            .expect("shakes hands");
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(11), stream.read_to_end(&mut rest));
        let _ = ended.await.expect("ends with the time for the first head");
    }
}

#[tokio::test(start_paused = true)]
async fn handshakes_at_once_are_bounded_and_silence_takes_no_place() {
    let authority = Authority::new();
    let stage = plain_stage(&authority, |settings| settings.handshakes = 2).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(stage.client().await);
    }
    assert!(who(authority.client(), &stage).await.is_ok());
    let mut slow = [stage.client().await, stage.client().await];
    for client in &mut slow {
        client.say(b"\x16\x03\x01").await;
    }
    let begun = tokio::time::Instant::now();
    assert!(who(authority.client(), &stage).await.is_ok());
    let waited = begun.elapsed();
    assert!(
        (Duration::from_secs(4)..Duration::from_secs(6)).contains(&waited),
        "the third waited until a place was free: {waited:?}"
    );
}

#[tokio::test]
async fn who_speaks_in_the_clear_is_told_so() {
    let authority = Authority::new();
    let stage = plain_stage(&authority, |_| {}).await;
    let mut plain: Client = stage.client().await;
    plain.say("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = plain.rest().await;
    assert!(
        answer.starts_with("HTTP/1.1 400 ") && answer.contains("https://"),
        "{answer}"
    );
    let mut garbage = stage.client().await;
    garbage.say(b"\x00\x01\x02").await;
    assert_eq!(garbage.rest().await, "");
}

/// Believes every certificate.
#[derive(Debug)]
struct Anything;

impl rustls::client::danger::ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        let provider = rustls::crypto::ring::default_provider();
        provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
