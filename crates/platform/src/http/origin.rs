//! Where a request comes from.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::OptionalFromRequestParts;
use http::HeaderValue;
use http::request::Parts;

use crate::context::RequestContext;

/// The scheme that the client has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Encrypted.
    Https,
}

impl Scheme {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Where a request comes from, as far as it can be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The client: the nearest hop that is not trusted, or the last that is known.
    pub client: IpAddr,
    /// The trusted hops between the client and here, the nearest one last; empty if the client is
    /// connected itself.
    pub via: Vec<IpAddr>,
    /// How the client has sent it.
    pub scheme: Scheme,
    /// The host that the client has asked for.
    pub host: Option<HeaderValue>,
}

impl Origin {
    /// A client that is connected itself, in the clear.
    pub const fn direct(client: IpAddr) -> Self {
        Self {
            client,
            via: Vec::new(),
            scheme: Scheme::Http,
            host: None,
        }
    }
}

/// The address that the request came from, behind trusted proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// That of the request which is answered now, if it is known.
    pub fn current() -> Option<Self> {
        RequestContext::with_current(|context| {
            let origin = context?.origin()?;
            Some(Self(origin.client))
        })
    }

    /// What counts as one client: an address of IPv4, and of IPv6 the network of 64 bits, all
    /// addresses of which its owner can use.
    pub fn network(self) -> IpAddr {
        match self.0.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            }
        }
    }
}

/// Taken as an option: calls that came past the gateway carry no address.
impl<S: Sync> OptionalFromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(Self::current())
    }
}
