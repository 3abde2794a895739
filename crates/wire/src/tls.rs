//! TLS at a listener, by rustls: certificates that are chosen by the name that the client asks for
//! and replaced while it runs, and certificates of clients.
//!
//! A [`Tls`] is loaded once, and lives as long as its listener. [`Tls::reload`] reads its files
//! again and [`Tls::watch`] does so whenever they change; what does not load is refused, and what
//! it was to replace stays. Connections that are open keep what they have agreed on.

mod certificate;
mod failure;
mod load;
mod names;
mod watch;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use rustls::ServerConfig;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

pub use self::certificate::{ClientCertificate, Name, Presented};
pub use self::failure::{HandshakeError, Reason};
use self::load::Loaded;
pub use self::load::{LoadError, LoadErrors, Unusable, Use};
use self::watch::Stamps;
use crate::server::Protocol;
use crate::stream::Stream;

/// How a record of a handshake begins (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;
/// The answer to a request in the clear.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\n\
    connection: close\r\n\r\nThis port speaks HTTPS: ask again with https://.\n";

/// The files of one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificate and what leads from it to its root, in PEM, the certificate first.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

/// Whether clients show certificates, and which are good.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// They are not asked.
    #[default]
    Off,
    /// They may.
    Optional(Authorities),
    /// Who shows none is not served.
    Required(Authorities),
}

/// Who signs the certificates of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities {
    /// Their certificates, in PEM.
    pub certificates: PathBuf,
    /// What they have revoked (RFC 5280, section 5), in PEM: then a list of each authority on the way
    /// from a certificate to its root is needed.
    pub revoked: Option<PathBuf>,
}

impl Authorities {
    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.certificates].into_iter().chain(&self.revoked)
    }
}

impl ClientAuth {
    fn authorities(&self) -> Option<&Authorities> {
        match self {
            Self::Off => None,
            Self::Optional(authorities) | Self::Required(authorities) => Some(authorities),
        }
    }
}

/// What TLS is made of.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The certificates; the first one is for clients that ask for a name which none of them has.
    pub certificates: Vec<Files>,
    /// Whether clients show certificates.
    pub client_auth: ClientAuth,
    /// How long a client may take to begin, to wait for a place, and to shake hands.
    pub handshake_timeout: Duration,
    /// Handshakes that may be under way at once; more wait for one to end.
    pub handshakes: usize,
}

/// The TLS of a listener. Cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    settings: Settings,
    clock: Arc<dyn TimeProvider>,
    current: RwLock<Current>,
    /// What the files looked like when they were last read; held while they are.
    read: Mutex<Stamps>,
    handshakes: Semaphore,
}

#[derive(Clone)]
struct Current {
    loaded: Arc<Loaded>,
    config: Arc<ServerConfig>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.0.settings).finish()
    }
}

/// A certificate that is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InUse {
    /// Where it came from.
    pub file: PathBuf,
    /// The names that it is for.
    pub names: Vec<String>,
    /// When it expires, in seconds since 1970.
    pub expires: u64,
}

/// What an authority has revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    /// Where it came from.
    pub file: PathBuf,
    /// The authority.
    pub issuer: String,
    /// When the next one is there at the latest, in seconds since 1970, if the authority says so.
    pub due: Option<u64>,
}

/// A connection whose handshake has succeeded.
#[derive(Debug)]
pub struct Accepted {
    /// What is said on it.
    pub stream: Stream,
    /// What was agreed on.
    pub protocol: Protocol,
    /// Who the client has proved to be.
    pub certificate: Option<ClientCertificate>,
}

impl Tls {
    /// Reads the files; every one that cannot be used is told.
    pub fn load(settings: Settings) -> Result<Self, LoadErrors> {
        Self::load_by(settings, Arc::new(DefaultTimeProvider))
    }

    /// Like [`load`](Self::load), with a clock that says what has expired.
    pub fn load_by(settings: Settings, clock: Arc<dyn TimeProvider>) -> Result<Self, LoadErrors> {
        let stamps = Stamps::of(&settings);
        let (loaded, errors) = Loaded::read(&settings, &*clock, None);
        let loaded = loaded.filter(|_| errors.is_empty());
        let loaded = Arc::new(loaded.ok_or(LoadErrors(errors))?);
        let config = loaded.config(clock.clone());
        Ok(Self(Arc::new(Shared {
            handshakes: Semaphore::new(settings.handshakes),
            settings,
            clock,
            current: RwLock::new(Current { loaded, config }),
            read: Mutex::new(stamps),
        })))
    }

    /// Reads the files again. What can be used is used for every handshake that begins from now
    /// on; what cannot is told, and what it was to replace stays. Reads from the disk: a thread
    /// that serves connections should let another one do it.
    pub fn reload(&self) -> Result<(), LoadErrors> {
        let mut read = self.0.read.lock();
        // What changes while it is read will be read again.
        *read = Stamps::of(&self.0.settings);
        let before = self.0.current.read().loaded.clone();
        let (loaded, errors) = Loaded::read(&self.0.settings, &*self.0.clock, Some(&before));
        if let Some(loaded) = loaded.map(Arc::new) {
            // With another key for tickets: who has lost the right to come does not come back on
            // a ticket.
            let config = loaded.config(self.0.clock.clone());
            *self.0.current.write() = Current { loaded, config };
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(LoadErrors(errors))
        }
    }

    /// The certificates that are in use, the default one first.
    pub fn in_use(&self) -> Vec<InUse> {
        self.0.current.read().loaded.in_use()
    }

    /// The revocation lists that are in use though the next one should be there.
    pub fn overdue(&self) -> Vec<RevocationList> {
        self.0.current.read().loaded.overdue(&*self.0.clock)
    }

    /// Shakes hands with a client. Its first byte, a place among the handshakes and the handshake
    /// have their time each: who waits for a place while others waste theirs still has its own.
    pub async fn accept(&self, mut stream: Stream) -> Result<Accepted, HandshakeError> {
        let patience = self.0.settings.handshake_timeout;
        // Who says nothing takes nobody's place.
        let first = within(patience, stream.first_byte()).await?;
        match first {
            Some(HANDSHAKE) => {}
            Some(first) if first.is_ascii_uppercase() => {
                within(patience, tell_of_https(stream)).await?;
                return Err(HandshakeError::not_tls("not encrypted"));
            }
            Some(_) => return Err(HandshakeError::not_tls("not TLS")),
            None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
        let place = async { self.0.handshakes.acquire().await.map_err(io::Error::other) };
        let _place = within(patience, place)
            .await
            .map_err(HandshakeError::busy)?;
        let config = self.0.current.read().config.clone();
        let shaking = tokio_rustls::TlsAcceptor::from(config).accept(stream);
        let stream = within(patience, shaking).await?;
        let (_, session) = stream.get_ref();
        // HTTP/2 over TLS is agreed on, never guessed (RFC 9113, section 3.2).
        let protocol = match session.alpn_protocol() {
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        let shown = session.peer_certificates().and_then(<[_]>::first);
        let certificate = shown.map(ClientCertificate::read);
        Ok(Accepted {
            certificate: certificate.transpose()?,
            protocol,
            stream: Stream::other(stream),
        })
    }
}

async fn within<T>(patience: Duration, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let step = tokio::time::timeout(patience, step).await;
    step.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn tell_of_https(mut stream: Stream) -> io::Result<()> {
    // What stays unread would take the answer away from the client.
    let _ = stream.read(&mut [0; 4096]).await?;
    stream.write_all(PLAIN).await?;
    stream.shutdown().await
}
