//! Why a handshake has failed.

use std::fmt;
use std::io;

/// A handshake that has failed.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct HandshakeError {
    /// Why, as far as it is worth counting.
    pub reason: Reason,
    /// Why exactly.
    pub source: io::Error,
}

/// The reasons that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The client was silent, or slow.
    Timeout,
    /// The client has gone.
    Closed,
    /// Too many handshakes were under way for too long.
    Busy,
    /// The client does not speak TLS.
    NotTls,
    /// The client shows no certificate, and has to.
    NoCertificate,
    /// The client's certificate is not good.
    BadCertificate,
    /// The client says that it does not go on: it does not trust the server's certificate, for
    /// instance.
    Alert,
    /// Nothing in common, such as a version of TLS, or nothing that makes sense.
    Protocol,
    /// Anything else.
    Other,
}

impl Reason {
    /// As a label of a metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Busy => "busy",
            Self::NotTls => "not_tls",
            Self::NoCertificate => "no_certificate",
            Self::BadCertificate => "bad_certificate",
            Self::Alert => "alert",
            Self::Protocol => "protocol",
            Self::Other => "other",
        }
    }

    fn of(error: &io::Error) -> Self {
        let inner = error.get_ref();
        if let Some(error) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::of_tls(error);
        }
        match error.kind() {
            io::ErrorKind::TimedOut => Self::Timeout,
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Other,
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        use rustls::Error;
        match error {
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::InvalidCertificate(_) | Error::InvalidCertRevocationList(_) => {
                Self::BadCertificate
            }
            Error::AlertReceived(_) => Self::Alert,
            Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. }
            | Error::InvalidMessage(_)
            | Error::PeerIncompatible(_)
            | Error::PeerMisbehaved(_)
            | Error::DecryptError
            | Error::PeerSentOversizedRecord
            | Error::NoApplicationProtocol => Self::Protocol,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<io::Error> for HandshakeError {
    fn from(source: io::Error) -> Self {
        Self {
            reason: Reason::of(&source),
            source,
        }
    }
}

impl HandshakeError {
    pub(super) fn not_tls(text: &'static str) -> Self {
        Self {
            reason: Reason::NotTls,
            source: io::Error::new(io::ErrorKind::InvalidData, text),
        }
    }

    pub(super) fn busy(source: io::Error) -> Self {
        Self {
            reason: Reason::Busy,
            source,
        }
    }
}
