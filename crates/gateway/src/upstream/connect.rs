//! Opening connections to a server.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Scheme;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use wire::Stream;
use wire::client::Connect;

use crate::table::{self, server};

/// Where a server is, and how to get there.
pub(crate) struct Dial {
    pub(crate) authority: String,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    timeout: Duration,
}

impl std::fmt::Debug for Dial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dial({})", self.authority)
    }
}

impl Dial {
    pub(crate) fn new(url: &str, definition: &table::Upstream) -> Result<Self, String> {
        let uri = server(url)?;
        let encrypted = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default();
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let tls = if encrypted {
            let mut config = platform::tls::client().map_err(|error| error.to_string())?;
            let protocol: &[u8] = if definition.http2 { b"h2" } else { b"http/1.1" };
            config.alpn_protocols = vec![protocol.to_vec()];
            let name = ServerName::try_from(host.clone()).map_err(|error| error.to_string())?;
            Some((TlsConnector::from(Arc::new(config)), name))
        } else {
            None
        };
        Ok(Self {
            authority: uri.authority().map(ToString::to_string).unwrap_or_default(),
            host,
            port: uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 }),
            tls,
            timeout: definition.connect_timeout,
        })
    }

    /// What the server is spoken to with.
    pub(crate) fn scheme(&self) -> Scheme {
        match self.tls {
            Some(_) => Scheme::HTTPS,
            None => Scheme::HTTP,
        }
    }

    async fn dial(&self) -> io::Result<Stream> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        tcp.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Stream::tcp(tcp)),
            Some((connector, name)) => {
                let tls = connector.connect(name.clone(), tcp).await?;
                Ok(Stream::other(tls))
            }
        }
    }
}

impl Connect for Dial {
    fn connect(&self) -> Pin<Box<dyn Future<Output = io::Result<Stream>> + Send + '_>> {
        Box::pin(async {
            let opened = tokio::time::timeout(self.timeout, self.dial()).await;
            opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        })
    }
}
