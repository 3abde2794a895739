//! What stands between a socket and its first request: who it comes from, if a balancer tells, and
//! TLS. It runs where the connection is served, not where it was accepted.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::network::Networks;
use crate::proxy_protocol;
use crate::server::{Connection, Protocol};
use crate::stream::Stream;
use crate::tls::{Accepted, ClientCertificate, HandshakeError, Tls};

/// What a connection passes. The default is nothing: HTTP in the clear. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Front {
    /// Who must begin with a header of the PROXY protocol; nobody else is served then.
    pub proxies: Option<Proxies>,
    /// TLS, where it is spoken.
    pub tls: Option<Tls>,
}

/// The balancers in front.
#[derive(Debug, Clone)]
pub struct Proxies {
    /// Where they are.
    pub trusted: Networks,
    /// How long the header may take.
    pub timeout: Duration,
}

/// A connection that has passed.
#[derive(Debug)]
pub struct Passed {
    /// What is said on it.
    pub stream: Stream,
    /// The protocol that is spoken, if it was agreed on.
    pub protocol: Protocol,
    /// What is known of it.
    pub connection: Connection,
    /// Who the client has proved to be.
    pub certificate: Option<ClientCertificate>,
}

/// Why a connection has not passed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// What should say who the client is.
    #[error("the PROXY protocol: {0}")]
    Proxy(#[source] io::Error),
    /// TLS.
    #[error("TLS: {0}")]
    Tls(#[from] HandshakeError),
}

impl Front {
    /// Lets a connection through, or says why not. Every wait has its deadline.
    pub async fn pass(&self, stream: TcpStream, peer: SocketAddr) -> Result<Passed, Refused> {
        let mut stream = Stream::tcp(stream);
        let mut connection = Connection {
            peer,
            encrypted: self.tls.is_some(),
        };
        if let Some(proxies) = &self.proxies {
            let source;
            // Boxed, as TLS below: what a connection needs for a moment it would hold until its end.
            let accepted = Box::pin(proxies.accept(stream, peer)).await;
            (stream, source) = accepted.map_err(Refused::Proxy)?;
            connection.peer = source.unwrap_or(peer);
        }
        let Some(tls) = &self.tls else {
            return Ok(Passed {
                stream,
                protocol: Protocol::Unknown,
                connection,
                certificate: None,
            });
        };
        let Accepted {
            stream,
            protocol,
            certificate,
        } = Box::pin(tls.accept(stream)).await?;
        Ok(Passed {
            stream,
            protocol,
            connection,
            certificate,
        })
    }
}

impl Proxies {
    async fn accept(
        &self,
        stream: Stream,
        peer: SocketAddr,
    ) -> io::Result<(Stream, Option<SocketAddr>)> {
        if !self.trusted.contain(peer.ip()) {
            let stranger = "not from a network that is trusted to speak the PROXY protocol";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, stranger));
        }
        let reading = tokio::time::timeout(self.timeout, proxy_protocol::accept(stream));
        reading
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}
