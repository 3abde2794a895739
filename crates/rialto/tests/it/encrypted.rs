//! A whole server behind TLS, a balancer and a redirect.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use platform::config::Layers;
use platform::tasks::Shutdown;
use rialto::{Handle, Hooks, Listeners, PartEnded, Role, Server, Settings};
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;

struct Running {
    addresses: Vec<(&'static str, SocketAddr)>,
    handle: Handle,
    shutdown: Shutdown,
    run: JoinHandle<Result<(), PartEnded>>,
    trusting: Arc<rustls::ClientConfig>,
    folder: tempfile::TempDir,
}

/// A new certificate, in the place of the one before; who trusts it.
fn renew(folder: &Path) -> Arc<rustls::ClientConfig> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("made");
    std::fs::write(folder.join("shop.pem"), made.cert.pem()).expect("writes");
    std::fs::write(folder.join("shop.key"), made.signing_key.serialize_pem()).expect("writes");
    Arc::new(trusting(made.cert.der().clone()).with_no_client_auth())
}

/// A client that trusts this server.
fn trusting(server: CertificateDer<'static>) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(server).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
}

impl Running {
    async fn start(flags: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let trusting = renew(folder.path());
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (certificate, key) = (path("shop.pem"), path("shop.key"));
        let pair = format!("[{{ certificate = \"{certificate}\", key = \"{key}\" }}]");
        let mut layers = Layers::defaults();
        layers.flag("gateway.tls.certificates", &pair);
        layers.flag("database.url", &format!("sqlite:{}", path("data")));
        for key in ["gateway.listen", "admin.listen", "gateway.redirect_listen"] {
            layers.flag(key, "127.0.0.1:0");
        }
        for (key, value) in flags {
            layers.flag(key, value);
        }
        let settings = Settings::read(&layers, &Role::all()).expect("valid");
        let listeners = Listeners::bind(&settings, &Role::all()).expect("free ports");
        let (roles, hooks) = (Role::all(), Hooks::default());
        let building = Server::build(settings, &roles, listeners, &hooks);
        let server = Box::pin(building).await.expect("starts");
        let shutdown = Shutdown::new();
        let (addresses, handle) = (server.addresses(), server.handle());
        #[expect(clippy::disallowed_methods, reason = "`stop` waits for it")]
        let run = tokio::spawn(Box::pin(server.run(shutdown.clone())));
        Self {
            addresses,
            handle,
            run,
            shutdown,
            trusting,
            folder,
        }
    }

    fn address(&self, key: &str) -> SocketAddr {
        let found = self.addresses.iter().find(|(name, _)| *name == key);
        found.expect("is open").1
    }

    /// A connection with HTTPS, after `before` in the clear; none if there is no common ground.
    async fn connect(&self, before: &str) -> Option<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address("gateway.listen")).await;
        let mut stream = stream.expect("connects");
        stream.write_all(before.as_bytes()).await.expect("writes");
        let connector = tokio_rustls::TlsConnector::from(self.trusting.clone());
        let name = ServerName::try_from("localhost").expect("a name");
        connector.connect(name, stream).await.ok()
    }

    /// Asks by HTTPS, after `before` in the clear; nothing if there is no common ground.
    async fn get(&self, before: &str, fields: &str) -> Option<String> {
        self.get_from("/v1/products", before, fields).await
    }

    async fn get_from(&self, path: &str, before: &str, fields: &str) -> Option<String> {
        let mut stream = self.connect(before).await?;
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{fields}connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        Some(answer)
    }

    /// Tells who operates it that a certificate shall not count.
    async fn revoke(&self, body: &str) {
        let admin = TcpStream::connect(self.address("admin.listen")).await;
        let mut admin = admin.expect("connects");
        let request = format!(
            "POST /gateway/revoke HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        admin.write_all(request.as_bytes()).await.expect("writes");
        let mut answer = String::new();
        admin.read_to_string(&mut answer).await.expect("reads");
        assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    }

    async fn stop(self) {
        self.shutdown.begin();
        self.run
            .await
            .expect("runs")
            .expect("nothing ended too early");
    }
}

#[tokio::test]
async fn the_shop_speaks_https_and_leads_there() {
    let mut shop = Running::start(&[("gateway.redirect_port", "8443")]).await;
    let answer = shop.get("", "").await.expect("speaks");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let mut plain = TcpStream::connect(shop.address("gateway.redirect_listen"))
        .await
        .expect("connects");
    let request =
        b"GET /v1/products?limit=1 HTTP/1.1\r\nhost: shop.example:80\r\nconnection: close\r\n\r\n";
    plain.write_all(request).await.expect("writes");
    let mut answer = String::new();
    plain.read_to_string(&mut answer).await.expect("reads");
    assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
    let location = "location: https://shop.example:8443/v1/products?limit=1\r\n";
    assert!(answer.contains(location), "{answer}");
    // A new certificate, without a new start.
    let before = shop.handle.certificates();
    shop.trusting = renew(shop.folder.path());
    assert!(shop.get("", "").await.is_none(), "not read yet");
    shop.handle.reload_certificates().expect("a good pair");
    assert!(
        shop.get("", "")
            .await
            .expect("speaks")
            .starts_with("HTTP/1.1 200 ")
    );
    assert_eq!(before[0].names, ["localhost"]);
    shop.stop().await;
}

/// The limit is of addresses: it shows whom the gateway takes for the client.
#[tokio::test]
async fn the_client_is_who_the_balancer_says() {
    let shop = Running::start(&[
        ("gateway.proxy_protocol", "required"),
        ("gateway.trusted", "[\"127.0.0.0/8\", \"203.0.113.0/24\"]"),
        ("gateway.rate_limit", "1"),
        ("gateway.rate_window", "1h"),
        ("gateway.rate_burst", "0"),
    ])
    .await;
    let ask = async |peer: &str, forwarded: &str| {
        let line = format!("PROXY TCP4 {peer} 192.0.2.1 1 443\r\n");
        let fields = format!("x-forwarded-for: {forwarded}\r\n");
        let answer = shop.get(&line, &fields).await.expect("speaks");
        answer[9..12].to_owned()
    };
    assert_eq!(ask("198.51.100.1", "192.0.2.1").await, "200");
    assert_eq!(
        ask("198.51.100.1", "192.0.2.2").await,
        "429",
        "a stranger's word"
    );
    assert_eq!(ask("198.51.100.2", "192.0.2.2").await, "200");
    assert_eq!(ask("203.0.113.1", "6.6.6.6, 192.0.2.3").await, "200");
    assert_eq!(
        ask("203.0.113.2", "7.7.7.7, 192.0.2.3").await,
        "429",
        "the same client"
    );
    assert_eq!(ask("203.0.113.2", "192.0.2.4").await, "200");
    shop.stop().await;
}

/// Sends a request on a connection that stays, and returns the first bytes of the answer; none if
/// it was hung up on.
async fn ask(stream: &mut TlsStream<TcpStream>) -> Option<String> {
    let request = b"GET /v1/products?limit=1 HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(request).await.ok()?;
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).await.ok()?;
    Some(String::from_utf8_lossy(&begin).into_owned())
}

#[tokio::test]
async fn a_balancer_may_bring_the_connections_of_many() {
    let limit = ("gateway.connections_per_address", "1");
    let trusted = ("gateway.trusted", "[\"127.0.0.0/8\"]");
    let shop = Running::start(&[limit, trusted]).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = shop.connect("").await.expect("connects");
        assert_eq!(ask(&mut stream).await.as_deref(), Some("HTTP/1.1 200"));
        open.push(stream);
    }
    shop.stop().await;
}

#[tokio::test]
async fn whom_a_balancer_names_may_have_so_many_connections() {
    let shop = Running::start(&[
        ("gateway.connections_per_address", "1"),
        ("gateway.trusted", "[\"127.0.0.0/8\"]"),
        ("gateway.proxy_protocol", "required"),
    ])
    .await;
    let connect = async |peer: &str| {
        let line = format!("PROXY TCP4 {peer} 192.0.2.1 1 443\r\n");
        let mut stream = shop.connect(&line).await?;
        let answer = ask(&mut stream).await?;
        Some((stream, answer))
    };
    let first = connect("198.51.100.1").await.expect("the first");
    assert!(connect("198.51.100.1").await.is_none(), "hung up on");
    let other = connect("198.51.100.2").await.expect("somebody else");
    drop((first, other));
    shop.stop().await;
}

#[tokio::test]
async fn handshakes_that_fail_are_counted_by_their_reason() {
    let shop = Running::start(&[]).await;
    let mut plain = TcpStream::connect(shop.address("gateway.listen"))
        .await
        .expect("connects");
    plain
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .await
        .expect("writes");
    let mut answer = String::new();
    plain.read_to_string(&mut answer).await.expect("reads");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let counted = async {
        loop {
            let mut admin = TcpStream::connect(shop.address("admin.listen"))
                .await
                .expect("connects");
            let request = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
            admin.write_all(request).await.expect("writes");
            let mut metrics = String::new();
            admin.read_to_string(&mut metrics).await.expect("reads");
            let line = "rialto_tls_handshakes_failed_total{reason=\"not_tls\"} 1";
            if metrics.contains(line) {
                return;
            }
        }
    };
    let patience = std::time::Duration::from_secs(10);
    let counted = tokio::time::timeout(patience, counted).await;
    counted.expect("counted soon after");
    shop.stop().await;
}

/// An authority for clients.
struct Authority(rcgen::CertifiedIssuer<'static, rcgen::KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        Self(rcgen::CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    /// A client that trusts the server in `folder`, and shows a certificate with these names.
    fn client(&self, folder: &Path, dns: &str, uri: &str) -> Arc<rustls::ClientConfig> {
        let mut params = rcgen::CertificateParams::new(vec![dns.to_owned()]).expect("a name");
        let uri = rcgen::SanType::URI(uri.try_into().expect("ASCII"));
        params.subject_alt_names.push(uri);
        let key = rcgen::KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.0).expect("signed");
        let server = CertificateDer::from_pem_file(folder.join("shop.pem"));
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = trusting(server.expect("there"));
        let config = config.with_client_auth_cert(vec![signed.der().clone()], key);
        Arc::new(config.expect("a pair"))
    }
}

/// A table whose route is for machines of one kind.
fn table_of_machines(url: &str) -> String {
    format!(
        r#"
        [gateway.upstream.one]
        servers = ["{url}"]
        [gateway.certificates.machines]
        called_by = "uri"
        allow = ["spiffe://example/*"]
        roles = ["machine"]
        [[gateway.route]]
        name = "one"
        path = "/one/{{*rest}}"
        upstream = "one"
        [gateway.route.auth]
        by = ["machines"]
        roles = ["machine"]
        claims = {{ dns = "billing.example" }}
        forward = {{ subject = "x-client", claims.sha256 = "x-client-sha256" }}
        "#
    )
}

#[tokio::test]
async fn clients_are_known_by_their_certificates() {
    let (backend, authority) = (testkit::Backend::start("one").await, Authority::new());
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("clients.pem"), authority.0.pem()).expect("writes");
    std::fs::write(path("routes.toml"), table_of_machines(&backend.url())).expect("writes");
    let (authorities, routes) = (path("clients.pem"), path("routes.toml"));
    let mut shop = Running::start(&[
        ("gateway.tls.client_auth", "optional"),
        ("gateway.tls.client_ca", &authorities),
        ("gateway.routes", &routes),
    ])
    .await;
    // A token is the upstream's affair here, and who the client is it cannot say itself.
    let fields = "authorization: Bearer x\r\nx-client: root\r\n";
    let answer = shop.get_from("/one/a", "", fields).await.expect("speaks");
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    for (dns, uri, status) in [
        ("billing.example", "spiffe://elsewhere/billing", 403),
        ("other.example", "spiffe://example/billing", 403),
        ("billing.example", "spiffe://example/billing", 200),
    ] {
        shop.trusting = authority.client(shop.folder.path(), dns, uri);
        let answer = shop.get_from("/one/a", "", fields).await.expect("speaks");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{uri}: {answer}"
        );
        let told = r#""x-client":"spiffe://example/billing""#;
        assert_eq!(answer.contains(told), status == 200, "{answer}");
        assert_eq!(
            answer.contains("x-client-sha256"),
            status == 200,
            "{answer}"
        );
    }
    // What was revoked does not count, though the connection would last.
    shop.revoke(r#"{"source":"machines","subject":"spiffe://example/billing","until":"2100-01-01T00:00:00Z"}"#)
        .await;
    let answer = shop.get_from("/one/a", "", fields).await.expect("speaks");
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.contains("the certificate was revoked"), "{answer}");
    shop.stop().await;
}
