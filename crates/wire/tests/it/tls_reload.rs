//! Certificates that are replaced while connections run.

use std::sync::Arc;
use std::time::Duration;

use rustls::HandshakeKind;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::time_provider::TimeProvider;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;
use wire::tls::{Authorities, ClientAuth, Settings, Tls, Use};

use crate::authority::{Authority, Signed, remove, shake};
use crate::stage::Stage;
use crate::tls::{says, settings, stage};

const GET: &[u8] = b"GET /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

struct Renewing {
    authority: Authority,
    tls: Tls,
    stage: Stage,
}

impl Renewing {
    async fn start(signed: &Signed) -> Self {
        let authority = Authority::new();
        let files = authority.files("server", signed);
        let tls = Tls::load(settings(vec![files])).expect("loads");
        let stage = stage(&tls).await;
        Self {
            authority,
            tls,
            stage,
        }
    }

    fn certificate(&self, signed: &Signed) {
        self.authority.write("server.pem", &signed.certificate_pem);
    }

    fn key(&self, signed: &Signed) {
        self.authority.write("server.key", &signed.key_pem);
    }

    /// The certificate that a new client gets.
    async fn shown(&self, trusted: &Authority) -> CertificateDer<'static> {
        let config = Arc::new(trusted.client());
        let stream = shake(&config, self.stage.address, "localhost")
            .await
            .expect("shakes hands");
        stream.get_ref().1.peer_certificates().expect("one")[0].clone()
    }
}

const WRONG: &str = "-----BEGIN X509 CRL-----\naGVsbG8=\n-----END X509 CRL-----\n";

#[tokio::test]
async fn a_new_pair_counts_for_new_connections_and_open_ones_go_on() {
    let root = Authority::new();
    let [old, new] = [root.sign(&["localhost"]), root.sign(&["localhost"])];
    let renewing = Renewing::start(&old).await;
    let config = Arc::new(root.client());
    let mut open = shake(&config, renewing.stage.address, "localhost")
        .await
        .expect("shakes");
    open.write_all(b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("writes");
    let mut answer = [0; 12];
    open.read_exact(&mut answer).await.expect("answers");

    renewing.certificate(&new);
    renewing.key(&new);
    assert_eq!(
        renewing.shown(&root).await,
        old.certificate,
        "nobody has said so"
    );
    renewing.tls.reload().expect("a good pair");
    assert_eq!(renewing.shown(&root).await, new.certificate);
    let rest = says(&mut open, GET).await.expect("goes on");
    assert!(rest.ends_with("GET /a of x: "), "{rest}");
    // What was agreed on under the old certificate is not resumed under the new one.
    let again = shake(&config, renewing.stage.address, "localhost")
        .await
        .expect("shakes");
    assert_eq!(
        again.get_ref().1.handshake_kind(),
        Some(HandshakeKind::Full)
    );
}

/// Each step writes a certificate and a key, and finds this wrong with this file.
async fn refused(renewing: &Renewing, root: &Authority, stays: &Signed, step: [&str; 4]) {
    let [certificate, key, file, problem] = step;
    renewing.authority.write("server.pem", certificate);
    renewing.authority.write("server.key", key);
    let error = renewing.tls.reload().expect_err("refused").to_string();
    assert!(error.contains(file) && error.contains(problem), "{error}");
    assert_eq!(renewing.shown(root).await, stays.certificate, "{problem}");
}

#[tokio::test]
async fn what_does_not_load_is_refused_by_name_and_the_old_one_stays() {
    const NO_BASE64: &str = "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
    const NO_DER: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let root = Authority::new();
    let [old, new] = [root.sign(&["localhost"]), root.sign(&["localhost"])];
    let expired = root.sign_changed(&["localhost"], |params| {
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    let early = root.sign_changed(&["localhost"], |params| {
        params.not_before = rcgen::date_time_ymd(4000, 1, 1);
    });
    let renewing = Renewing::start(&old).await;
    let (pem, key) = (&*new.certificate_pem, &*new.key_pem);
    let (late_pem, late_key) = (&*expired.certificate_pem, &*expired.key_pem);
    let (early_pem, early_key) = (&*early.certificate_pem, &*early.key_pem);
    for step in [
        [
            pem,
            &old.key_pem,
            "server.key",
            "does not belong to the certificate",
        ],
        [late_pem, late_key, "server.pem", "expired at 2020-01-01"],
        [
            early_pem,
            early_key,
            "server.pem",
            "is not valid before 4000-01-01",
        ],
        ["garbage", key, "server.pem", "no certificate"],
        [NO_BASE64, key, "server.pem", "is malformed"],
        [NO_DER, key, "server.pem", "is malformed"],
        [pem, pem, "server.key", "holds no private key"],
    ] {
        refused(&renewing, &root, &old, step).await;
    }
    remove(&renewing.authority.path("server.key"));
    let error = renewing.tls.reload().expect_err("refused").to_string();
    assert!(error.contains("server.key: cannot be read"), "{error}");
    renewing.key(&new);
    renewing.tls.reload().expect("a good pair");
    assert_eq!(renewing.shown(&root).await, new.certificate);
}

#[tokio::test]
async fn one_broken_pair_does_not_keep_the_others_from_being_renewed() {
    let root = Authority::new();
    let [one, two, new] = [&["localhost"], &["two.example"], &["localhost"]].map(|n| root.sign(n));
    let files = vec![root.files("one", &one), root.files("two", &two)];
    let tls = Tls::load(settings(files)).expect("loads");
    root.files("one", &new);
    root.write("two.pem", "garbage");
    let errors = tls.reload().expect_err("one is broken");
    assert_eq!(errors.0.len(), 1);
    assert!(errors.0[0].file.ends_with("two.pem"));
    let stage = stage(&tls).await;
    let config = Arc::new(root.client());
    for (name, expected) in [("localhost", &new), ("two.example", &two)] {
        let stream = shake(&config, stage.address, name)
            .await
            .expect("shakes hands");
        let shown = stream.get_ref().1.peer_certificates().expect("one");
        assert_eq!(shown[0], expected.certificate);
    }
}

#[tokio::test]
async fn whoever_may_no_longer_come_does_not_come_back_on_a_ticket() {
    let [root, other] = [Authority::new(), Authority::new()];
    let server = root.sign(&["localhost"]);
    let tls = Tls::load(Settings {
        client_auth: ClientAuth::Required(root.trusted()),
        ..settings(vec![root.files("server", &server)])
    });
    let tls = tls.expect("loads");
    let stage = stage(&tls).await;
    let config = Arc::new(root.client_with(rustls::ALL_VERSIONS, Some(root.sign_client())));
    let mut stream = shake(&config, stage.address, "localhost")
        .await
        .expect("shakes hands");
    says(&mut stream, GET).await.expect("is served");
    // From now on another authority signs clients.
    let file = std::fs::read_to_string(other.own_file()).expect("reads");
    root.write("authority.pem", &file);
    tls.reload().expect("a good authority");
    let refused = match shake(&config, stage.address, "localhost").await {
        Ok(mut stream) => says(&mut stream, GET).await.is_err(),
        Err(_) => true,
    };
    assert!(refused);
}

/// A clock that says so many seconds since 1970.
#[derive(Debug)]
struct At(u64);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0)))
    }
}

#[test]
fn a_list_whose_next_one_is_due_is_told() {
    let root = Authority::new();
    let settings = Settings {
        client_auth: ClientAuth::Required(Authorities {
            revoked: Some(root.revoke(&[])),
            ..root.trusted()
        }),
        ..settings(vec![root.files("server", &root.sign(&["localhost"]))])
    };
    // The first of February 2020.
    let due = 1_580_515_200;
    for (now, late) in [(due, vec![]), (due + 1, vec![Some(due)])] {
        let tls = Tls::load_by(settings.clone(), Arc::new(At(now))).expect("loads");
        let overdue = tls.overdue().into_iter();
        assert_eq!(overdue.map(|list| list.due).collect::<Vec<_>>(), late);
        // What cannot be read changes nothing of that.
        root.write("revoked.pem", "garbage");
        tls.reload().expect_err("no list");
        assert_eq!(tls.overdue().len(), late.len());
        root.revoke(&[]);
    }
}

#[tokio::test]
async fn who_is_revoked_comes_no_more() {
    let root = Authority::new();
    let server = root.sign(&["localhost"]);
    let client = |serial: u64| {
        let signed = root.sign_changed(&["client.example"], |params| {
            params.serial_number = Some(serial.into());
        });
        Arc::new(root.client_with(rustls::ALL_VERSIONS, Some(signed)))
    };
    let [one, two] = [client(1), client(2)];
    let tls = Tls::load(Settings {
        client_auth: ClientAuth::Required(Authorities {
            revoked: Some(root.revoke(&[])),
            ..root.trusted()
        }),
        ..settings(vec![root.files("server", &server)])
    });
    let tls = tls.expect("loads");
    let stage = stage(&tls).await;
    let served = async |client: &Arc<rustls::ClientConfig>| {
        let stream = shake(client, stage.address, "localhost").await;
        match stream {
            Ok(mut stream) => says(&mut stream, GET).await.is_ok(),
            Err(_) => false,
        }
    };
    assert!(served(&one).await && served(&two).await);
    root.revoke(&[1]);
    assert!(tls.changed());
    tls.reload().expect("a good list");
    assert!(!served(&one).await && served(&two).await);
    // What is no list is refused, and what was known before counts.
    for (text, why) in [
        ("garbage", "holds no revocation list"),
        (WRONG, "that cannot be used"),
    ] {
        root.write("revoked.pem", text);
        let errors = tls.reload().expect_err("no list").0;
        assert_eq!(errors[0].used, Use::Revoked);
        assert!(errors[0].to_string().contains(why), "{}", errors[0]);
        assert!(errors[0].remedy().contains("X509 CRL"));
        assert!(!served(&one).await && served(&two).await);
    }
    // Nothing is known of certificates of an authority that has no list.
    let other = std::fs::read_to_string(Authority::new().revoke(&[])).expect("reads");
    root.write("revoked.pem", &other);
    tls.reload().expect("a list");
    assert!(!served(&one).await && !served(&two).await);
}

#[tokio::test]
async fn every_file_that_cannot_be_used_is_told_at_the_start() {
    let root = Authority::new();
    let good = root.files("good", &root.sign(&["a.example"]));
    let nameless = root.files("nameless", &root.sign(&[]));
    let mut missing = good.clone();
    missing.certificate = root.path("missing.pem");
    let loaded = Tls::load(Settings {
        client_auth: ClientAuth::Optional(Authorities {
            certificates: good.key.clone(),
            revoked: None,
        }),
        ..settings(vec![good.clone(), nameless.clone(), missing])
    });
    let errors = loaded.expect_err("three are wrong").0;
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        told[0].contains("nameless.pem: holds a certificate without a DNS name"),
        "{told:?}"
    );
    assert!(told[1].contains("missing.pem: cannot be read"), "{told:?}");
    assert!(
        told[2].contains("good.key: holds no certificate"),
        "{told:?}"
    );
    assert_eq!(errors[2].used, Use::Authorities);
    assert!(errors.iter().all(|error| !error.remedy().is_empty()));
    // As the default nobody has to ask for it.
    assert!(Tls::load(settings(vec![nameless, good])).is_ok());
}

#[tokio::test(start_paused = true)]
async fn files_that_change_are_read_again() {
    let root = Authority::new();
    let [old, new] = [root.sign(&["localhost"]), root.sign(&["localhost"])];
    let renewing = Renewing::start(&old).await;
    let stop = CancellationToken::new();
    let watching = tokio::spawn(
        renewing
            .tls
            .clone()
            .watch(Duration::from_secs(10), stop.clone()),
    );
    // The one, and a while later the other: refused in between.
    renewing.certificate(&new);
    tokio::time::sleep(Duration::from_secs(25)).await;
    assert_eq!(renewing.shown(&root).await, old.certificate);
    renewing.key(&new);
    let renewed = async {
        while renewing.shown(&root).await != new.certificate {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let renewed = tokio::time::timeout(Duration::from_secs(60), renewed).await;
    renewed.expect("it is seen");
    assert!(!renewing.tls.changed());
    stop.cancel();
    watching.await.expect("ends when it is told to");
}
