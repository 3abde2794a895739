//! What certificates say.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use rustls::pki_types::CertificateDer;
use tower::Service;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::time::Time;

use crate::body::Body;
use crate::server::Answers;

/// A name that a certificate is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// A host, in lower case.
    Dns(String),
    /// An address.
    Ip(IpAddr),
    /// A URI, as SPIFFE has them.
    Uri(String),
    /// A mail address.
    Email(String),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) | Self::Uri(name) | Self::Email(name) => f.write_str(name),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

/// The certificate that a client has shown, and proved to own, and that one of those has signed
/// who are trusted with that. In the extensions of each request of such a connection. Cheap to
/// clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate(Arc<Shown>);

#[derive(Debug, PartialEq, Eq)]
struct Shown {
    subject: String,
    names: Vec<Name>,
    fingerprint: [u8; 32],
    /// From when, and until when it counts, in seconds since 1970.
    period: (i64, i64),
    der: Bytes,
}

impl ClientCertificate {
    pub(super) fn read(der: &CertificateDer<'_>) -> io::Result<Self> {
        let certificate = Certificate::from_der(der)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let digest = ring::digest::digest(&ring::digest::SHA256, der);
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest.as_ref());
        let validity = &certificate.tbs_certificate.validity;
        let period = (seconds(&validity.not_before), seconds(&validity.not_after));
        Ok(Self(Arc::new(Shown {
            subject: certificate.tbs_certificate.subject.to_string(),
            names: names(&certificate),
            fingerprint,
            period,
            der: Bytes::copy_from_slice(der),
        })))
    }

    /// Who it is for, as RFC 4514 writes it: `CN=billing,O=Example`.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The names that it is for.
    pub fn names(&self) -> &[Name] {
        &self.0.names
    }

    /// The SHA-256 of the whole certificate.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.0.fingerprint
    }

    /// Since when it counts, in seconds since 1970.
    pub fn issued(&self) -> i64 {
        self.0.period.0
    }

    /// Until when it counts, in seconds since 1970.
    pub fn expires(&self) -> i64 {
        self.0.period.1
    }

    /// The certificate itself.
    pub fn der(&self) -> &Bytes {
        &self.0.der
    }
}

fn seconds(time: &Time) -> i64 {
    let seconds = time.to_unix_duration().as_secs();
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// The names that a certificate is for, of the kinds that we know.
pub(super) fn names(certificate: &Certificate) -> Vec<Name> {
    let names = certificate.tbs_certificate.get::<SubjectAltName>();
    let names = names.ok().flatten().map(|(_, names)| names.0);
    let names = names.unwrap_or_default();
    names.iter().filter_map(name).collect()
}

fn name(name: &GeneralName) -> Option<Name> {
    match name {
        GeneralName::DnsName(name) => Some(Name::Dns(name.as_str().to_ascii_lowercase())),
        GeneralName::UniformResourceIdentifier(uri) => Some(Name::Uri(uri.as_str().to_owned())),
        GeneralName::Rfc822Name(address) => Some(Name::Email(address.as_str().to_owned())),
        GeneralName::IpAddress(address) => match *address.as_bytes() {
            [a, b, c, d] => Some(Name::Ip([a, b, c, d].into())),
            ref long => <[u8; 16]>::try_from(long)
                .ok()
                .map(|ip| Name::Ip(ip.into())),
        },
        _ => None,
    }
}

/// A service whose requests are told whose certificate their connection has shown.
#[derive(Debug, Clone)]
pub struct Presented<A> {
    answers: A,
    certificate: Option<ClientCertificate>,
}

impl<A> Presented<A> {
    /// `answers` to the requests of one connection.
    pub fn new(answers: A, certificate: Option<ClientCertificate>) -> Self {
        Self {
            answers,
            certificate,
        }
    }
}

impl<A: Answers> Service<Request<Body>> for Presented<A> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = A::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.answers.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> A::Future {
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        self.answers.call(request)
    }
}
