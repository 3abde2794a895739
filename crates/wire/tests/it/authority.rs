//! An authority that lives for one test, and what it signs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    IsCa, KeyIdMethod, KeyPair, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use wire::tls::{Authorities, Files};

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate with its key.
pub(crate) struct Signed {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "The Authority");
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let folder = TempDir::new().expect("a folder");
        Self { issuer, folder }
    }

    /// Signs a certificate for `names`.
    pub(crate) fn sign(&self, names: &[&str]) -> Signed {
        self.sign_changed(names, |_| {})
    }

    pub(crate) fn sign_changed(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Signed {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        Signed {
            certificate: certificate.der().clone(),
            key: PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        }
    }

    /// A client that has a name of each kind.
    pub(crate) fn sign_client(&self) -> Signed {
        self.sign_changed(&["client.example", "192.0.2.7"], |params| {
            let uri = "spiffe://example/billing".try_into().expect("ASCII");
            params.subject_alt_names.push(SanType::URI(uri));
            params.distinguished_name = rcgen::DistinguishedName::new();
            params
                .distinguished_name
                .push(DnType::OrganizationName, "Example");
            params
                .distinguished_name
                .push(DnType::CommonName, "billing");
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file as careful programs do: whole, in the place of the old one.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let (new, path) = (self.path("new"), self.path(name));
        std::fs::write(&new, text).expect("writes");
        std::fs::rename(new, &path).expect("renames");
        path
    }

    /// Writes the files of a certificate.
    pub(crate) fn files(&self, name: &str, signed: &Signed) -> Files {
        Files {
            certificate: self.write(&format!("{name}.pem"), &signed.certificate_pem),
            key: self.write(&format!("{name}.key"), &signed.key_pem),
        }
    }

    pub(crate) fn own_file(&self) -> PathBuf {
        self.write("authority.pem", &self.issuer.pem())
    }

    /// Whose certificates are good.
    pub(crate) fn trusted(&self) -> Authorities {
        Authorities {
            certificates: self.own_file(),
            revoked: None,
        }
    }

    /// Writes what is revoked: the certificates with these serial numbers.
    pub(crate) fn revoke(&self, serials: &[u64]) -> PathBuf {
        let (this_update, next_update) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 2, 1));
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: this_update,
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update,
            next_update,
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.issuer).expect("signed");
        self.write("revoked.pem", &list.pem().expect("PEM"))
    }

    /// Who trusts this authority.
    pub(crate) fn client(&self) -> ClientConfig {
        self.client_with(rustls::ALL_VERSIONS, None)
    }

    pub(crate) fn client_with(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
        identity: Option<Signed>,
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots);
        match identity {
            None => builder.with_no_client_auth(),
            Some(signed) => {
                let chain = vec![signed.certificate];
                builder
                    .with_client_auth_cert(chain, signed.key)
                    .expect("a pair")
            }
        }
    }
}

/// Shakes hands as a client.
pub(crate) async fn shake(
    config: &Arc<ClientConfig>,
    address: std::net::SocketAddr,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    shake_on(config, stream, name).await
}

pub(crate) async fn shake_on(
    config: &Arc<ClientConfig>,
    stream: TcpStream,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    tokio_rustls::TlsConnector::from(config.clone())
        .connect(name, stream)
        .await
}

/// Removes a file.
pub(crate) fn remove(path: &Path) {
    std::fs::remove_file(path).expect("removes");
}
