//! Certificates and keys from files: read, checked, and told what is wrong with them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ProducesTickets, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, ServerConfig};
use x509_cert::Certificate;
use x509_cert::crl::CertificateList;
use x509_cert::der::Decode;

use super::certificate::{Name, names};
use super::names::ByName;
use super::{Authorities, ClientAuth, Files, InUse, RevocationList, Settings};

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", file.display())]
pub struct LoadError {
    /// Which.
    pub file: PathBuf,
    /// What it is for.
    pub used: Use,
    /// Why.
    #[source]
    pub why: Unusable,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A certificate of ours, or its key.
    Certificate,
    /// Who signs clients.
    Authorities,
    /// What they have revoked.
    Revoked,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// It is no PEM, or what is in it is no certificate or key.
    #[error("is malformed: {0}")]
    Malformed(String),
    /// There is no certificate in it.
    #[error("holds no certificate")]
    NoCertificate,
    /// There is no private key in it.
    #[error("holds no private key")]
    NoKey,
    /// The key is of a kind that is not supported.
    #[error("holds a key that cannot be used: {0}")]
    Key(rustls::Error),
    /// The certificate is for another key.
    #[error("holds a key that does not belong to the certificate in {}", .0.display())]
    Mismatch(PathBuf),
    /// Its time is over.
    #[error("holds a certificate that expired at {0}")]
    Expired(String),
    /// Its time has not come.
    #[error("holds a certificate that is not valid before {0}")]
    TooEarly(String),
    /// Nobody can ask for it.
    #[error("holds a certificate without a DNS name, and is not the first one")]
    Nameless,
    /// The authority cannot be used.
    #[error("holds a certificate that cannot be an authority: {0}")]
    Authority(String),
    /// There is no list in it.
    #[error("holds no revocation list")]
    NoList,
    /// The list cannot be used.
    #[error("holds a revocation list that cannot be used: {0}")]
    List(String),
}

/// What a file with revocation lists should be.
const LIST: &str = "a PEM file with -----BEGIN X509 CRL-----, one for each authority, is needed";

impl LoadError {
    /// What to do.
    pub fn remedy(&self) -> &'static str {
        match self.why {
            Unusable::NoList | Unusable::List(_) => LIST,
            Unusable::Malformed(_) if self.used == Use::Revoked => LIST,
            Unusable::Unreadable(_) => "correct the path, or let this user read the file",
            Unusable::Malformed(_) | Unusable::NoCertificate => {
                "a PEM file with -----BEGIN CERTIFICATE-----, the server's own first, is needed"
            }
            Unusable::NoKey | Unusable::Key(_) => {
                "an unencrypted PEM key is needed: ECDSA P-256 or P-384, Ed25519, or RSA from 2048 bits"
            }
            Unusable::Mismatch(_) => "name the key that the certificate was made for",
            Unusable::Expired(_) => "renew the certificate",
            Unusable::TooEarly(_) => "look at the clock of this machine, or wait",
            Unusable::Nameless => "put it first, to be the default, or add a subjectAltName to it",
            Unusable::Authority(_) => "name the certificates of the authorities that sign clients",
        }
    }
}

/// All files that cannot be used.
#[derive(Debug)]
pub struct LoadErrors(pub Vec<LoadError>);

impl fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join("; "))
    }
}

impl std::error::Error for LoadErrors {}

/// What was read, and can be used.
pub(super) struct Loaded {
    certificates: Vec<Pair>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
    revoked: Vec<RevocationList>,
    /// Without random bytes there are none.
    tickets: Option<Arc<dyn ProducesTickets>>,
}

#[derive(Clone)]
struct Pair {
    file: PathBuf,
    key: Arc<CertifiedKey>,
    names: Vec<String>,
    expires: u64,
}

impl Loaded {
    /// Reads all files. In the place of what cannot be used is what was there `before`; `None` if
    /// there was nothing.
    pub(super) fn read(
        settings: &Settings,
        clock: &dyn TimeProvider,
        before: Option<&Self>,
    ) -> (Option<Self>, Vec<LoadError>) {
        let mut errors = Vec::new();
        let mut certificates = Vec::with_capacity(settings.certificates.len());
        for (index, files) in settings.certificates.iter().enumerate() {
            let pair = Pair::read(files, clock, index == 0).map_err(|error| errors.push(error));
            let kept = || {
                before
                    .and_then(|before| before.certificates.get(index))
                    .cloned()
            };
            certificates.extend(pair.ok().or_else(kept));
        }
        let (clients, revoked) = clients(settings).unwrap_or_else(|error| {
            errors.push(error);
            before.map_or_else(Default::default, |before| {
                (before.clients.clone(), before.revoked.clone())
            })
        });
        let whole = certificates.len() == settings.certificates.len()
            && clients.is_some() == settings.client_auth.authorities().is_some();
        let loaded = whole.then(|| Self {
            certificates,
            clients,
            revoked,
            tickets: ring::Ticketer::new().ok(),
        });
        (loaded, errors)
    }

    pub(super) fn config(&self, clock: Arc<dyn TimeProvider>) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder_with_details(provider(), clock)
            .with_safe_default_protocol_versions()
            .expect("ring has suites for TLS 1.2 and 1.3");
        let builder = match &self.clients {
            Some(clients) => builder.with_client_cert_verifier(clients.clone()),
            None => builder.with_no_client_auth(),
        };
        let default = self.certificates.first().expect("one was loaded");
        let mut by_name = ByName::new(default.key.clone());
        for pair in &self.certificates {
            for name in &pair.names {
                by_name.insert(name, &pair.key);
            }
        }
        let mut config = builder.with_cert_resolver(Arc::new(by_name));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        if let Some(tickets) = &self.tickets {
            config.ticketer = tickets.clone();
        }
        Arc::new(config)
    }

    pub(super) fn in_use(&self) -> Vec<InUse> {
        let pairs = self.certificates.iter().map(|pair| InUse {
            file: pair.file.clone(),
            names: pair.names.clone(),
            expires: pair.expires,
        });
        pairs.collect()
    }

    pub(super) fn overdue(&self, clock: &dyn TimeProvider) -> Vec<RevocationList> {
        let now = seconds(clock);
        let late = |list: &&RevocationList| list.due.is_some_and(|due| due < now);
        self.revoked.iter().filter(late).cloned().collect()
    }
}

/// The time, in seconds since 1970.
fn seconds(clock: &dyn TimeProvider) -> u64 {
    clock.current_time().map_or(0, |now| now.as_secs())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

impl Pair {
    fn read(files: &Files, clock: &dyn TimeProvider, first: bool) -> Result<Self, LoadError> {
        let wrong = |file: &Path| {
            let file = file.to_owned();
            move |why| LoadError {
                file,
                used: Use::Certificate,
                why,
            }
        };
        let chain = chain(&files.certificate).map_err(wrong(&files.certificate))?;
        let (names, expires) = own(&chain[0], clock, first).map_err(wrong(&files.certificate))?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| match error {
            pem::Error::NoItemsFound => Unusable::NoKey,
            other => unreadable(other),
        });
        let key = key.map_err(wrong(&files.key))?;
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => Unusable::Mismatch(files.certificate.clone()),
            other => Unusable::Key(other),
        });
        Ok(Self {
            file: files.certificate.clone(),
            key: Arc::new(key.map_err(wrong(&files.key))?),
            names,
            expires,
        })
    }
}

/// The certificates of a file; one at least.
fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    all(file, Unusable::NoCertificate)
}

/// Everything of a kind in a PEM file; `nothing` is what is wrong with one that has none.
fn all<T: PemObject>(file: &Path, nothing: Unusable) -> Result<Vec<T>, Unusable> {
    let all = T::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable)?;
    if all.is_empty() {
        return Err(nothing);
    }
    Ok(all)
}

/// The names of our own certificate, and when it expires.
fn own(
    der: &CertificateDer<'_>,
    clock: &dyn TimeProvider,
    first: bool,
) -> Result<(Vec<String>, u64), Unusable> {
    let certificate =
        Certificate::from_der(der).map_err(|error| Unusable::Malformed(error.to_string()))?;
    let validity = certificate.tbs_certificate.validity;
    let expires = validity.not_after.to_unix_duration().as_secs();
    let now = seconds(clock);
    if now > expires {
        return Err(Unusable::Expired(validity.not_after.to_string()));
    }
    if now < validity.not_before.to_unix_duration().as_secs() {
        return Err(Unusable::TooEarly(validity.not_before.to_string()));
    }
    let names = names(&certificate)
        .into_iter()
        .filter_map(|name| match name {
            Name::Dns(name) => Some(name),
            _ => None,
        });
    let names: Vec<String> = names.collect();
    if names.is_empty() && !first {
        return Err(Unusable::Nameless);
    }
    Ok((names, expires))
}

/// Who checks clients, and by which lists of what is revoked.
type Clients = (Option<Arc<dyn ClientCertVerifier>>, Vec<RevocationList>);

fn clients(settings: &Settings) -> Result<Clients, LoadError> {
    let Some(Authorities {
        certificates,
        revoked,
    }) = settings.client_auth.authorities()
    else {
        return Ok((None, Vec::new()));
    };
    let wrong = |why| LoadError {
        file: certificates.clone(),
        used: Use::Authorities,
        why,
    };
    let mut roots = RootCertStore::empty();
    for authority in chain(certificates).map_err(wrong)? {
        let added = roots.add(authority);
        added.map_err(|error| wrong(Unusable::Authority(error.to_string())))?;
    }
    let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let mut known = Vec::new();
    if let Some(file) = revoked {
        let (lists, read) = lists(file).map_err(|why| LoadError {
            file: file.clone(),
            used: Use::Revoked,
            why,
        })?;
        verifier = verifier.with_crls(lists);
        known = read;
    }
    let verifier = match settings.client_auth {
        ClientAuth::Optional(_) => verifier.allow_unauthenticated(),
        ClientAuth::Off | ClientAuth::Required(_) => verifier,
    };
    let verifier = verifier.build();
    verifier
        .map(|verifier| (Some(verifier), known))
        .map_err(|error| wrong(Unusable::Authority(error.to_string())))
}

/// Revocation lists, and what they are.
type Lists = (
    Vec<CertificateRevocationListDer<'static>>,
    Vec<RevocationList>,
);

/// The revocation lists of a file; one at least, each of which can be read. Those whose next one is due
/// count until that is here: whoever could keep it away would else shut everybody out.
fn lists(file: &Path) -> Result<Lists, Unusable> {
    let lists: Vec<_> = all(file, Unusable::NoList)?;
    let read = lists.iter().map(|list| RevocationList::read(file, list));
    let read = read.collect::<Result<_, _>>()?;
    Ok((lists, read))
}

impl RevocationList {
    fn read(file: &Path, der: &CertificateRevocationListDer<'_>) -> Result<Self, Unusable> {
        let list = CertificateList::from_der(der);
        let list = list
            .map_err(|error| Unusable::List(error.to_string()))?
            .tbs_cert_list;
        let due = list
            .next_update
            .map(|time| time.to_unix_duration().as_secs());
        Ok(Self {
            file: file.to_owned(),
            issuer: list.issuer.to_string(),
            due,
        })
    }
}

fn unreadable(error: pem::Error) -> Unusable {
    match error {
        pem::Error::Io(error) => Unusable::Unreadable(error),
        other => Unusable::Malformed(other.to_string()),
    }
}
