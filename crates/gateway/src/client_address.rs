//! Who the client is, behind proxies that are trusted: a walk over the hops that forwarded the
//! request, from the nearest one back, for as long as the one that names the next is trusted.
//!
//! Pure. Which field the proxies write must be said ([`Forwarding`]): a proxy that writes one of
//! them passes the other on as the client has sent it. Whatever is not believed goes no further,
//! and [`announce`] writes anew what the services behind are told.

use std::io::Write as _;
use std::net::IpAddr;

use http::header::{FORWARDED, HOST};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use platform::http::{Origin, Scheme};
use wire::client::Fields;
use wire::fields::remove_if;
use wire::http1::is_host as is_rfc_host;
use wire::network::Networks;
use wire::server::Connection;

use self::forwarded::{Element, Elements};

mod forwarded;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const ORIGINAL_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// All fields that begin so tell of hops.
const PREFIX: &str = "x-forwarded-";
/// Fields by which proxies of all kinds name the client or its certificate.
const OTHERS: [&str; 9] = [
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "client-cert",
    "client-cert-chain",
    "x-original-host",
];
/// Hops that are looked at; more is no chain of proxies.
const HOPS: usize = 32;

/// Which fields the proxies in front write, and the services behind read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Forwarding {
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// `Forwarded` that a trusted proxy has passed on, and nobody can read: a client that leaves a quote
/// open hides what the proxy has written behind it, and would be taken for the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the field Forwarded is malformed (RFC 7239, section 4)")]
pub(crate) struct Unreadable;

/// Takes all that tells of hops out of the `headers` of a request for `host`, and finds out where it comes
/// from.
pub(crate) fn take(
    headers: &mut HeaderMap,
    host: Option<HeaderValue>,
    connection: &Connection,
    trusted: &Networks,
    forwarding: Forwarding,
) -> Result<Origin, Unreadable> {
    let mut origin = Origin::direct(connection.peer.ip().to_canonical());
    origin.host = host;
    if connection.encrypted {
        origin.scheme = Scheme::Https;
    }
    if trusted.contain(origin.client) {
        match forwarding {
            Forwarding::XForwarded => Walk(&mut origin).lists(headers, trusted),
            Forwarding::Forwarded => Walk(&mut origin).elements(headers, trusted)?,
        }
    }
    remove(headers);
    Ok(origin)
}

/// The walk from hop to hop.
struct Walk<'a>(&'a mut Origin);

impl Walk<'_> {
    /// Walks `X-Forwarded-For`. Scheme and host are told once or, by proxies that append, once for
    /// each hop: the nearest one's are those of a hop that is trusted for sure.
    fn lists(&mut self, headers: &HeaderMap, trusted: &Networks) {
        for hop in from_the_right(headers, &FOR).take(HOPS) {
            if !self.step(forwarded::node(hop), trusted) {
                break;
            }
        }
        let scheme = from_the_right(headers, &PROTO).next();
        self.seen_by_hop(scheme, from_the_right(headers, &ORIGINAL_HOST).next());
    }

    /// Walks `Forwarded`: each element has what one hop has seen, so scheme and host are those
    /// that the outermost trusted hop saw.
    fn elements(&mut self, headers: &HeaderMap, trusted: &Networks) -> Result<(), Unreadable> {
        let lines = headers.get_all(FORWARDED).iter();
        let elements = lines.flat_map(|line| Elements::of(line.as_bytes()));
        let elements: Vec<Element> = elements.collect::<Result<_, _>>()?;
        for element in elements.into_iter().rev().take(HOPS) {
            self.seen_by_hop(element.proto.as_deref(), element.host.as_deref());
            let node = element.node.as_deref().and_then(forwarded::node);
            if !self.step(node, trusted) {
                break;
            }
        }
        Ok(())
    }

    /// The hop that is the client so far, and trusted, names who is before it. Whether to go on.
    fn step(&mut self, named: Option<IpAddr>, trusted: &Networks) -> bool {
        let Some(before) = named else {
            return false;
        };
        self.0.via.insert(0, self.0.client);
        self.0.client = before;
        trusted.contain(before)
    }

    fn seen_by_hop(&mut self, scheme: Option<&str>, host: Option<&str>) {
        match scheme {
            Some(scheme) if scheme.eq_ignore_ascii_case("https") => self.0.scheme = Scheme::Https,
            Some(scheme) if scheme.eq_ignore_ascii_case("http") => self.0.scheme = Scheme::Http,
            _ => {}
        }
        let host = host.filter(|host| names_host(host));
        if let Some(host) = host.and_then(|host| HeaderValue::from_str(host).ok()) {
            self.0.host = Some(host);
        }
    }
}

/// Tells the service behind where the request comes from: the client and the hops that are
/// believed, and nothing that is not. The request must have come through [`take`].
pub(crate) fn announce(fields: &mut Fields<'_>, origin: &Origin, forwarding: Forwarding) {
    let hops = || {
        std::iter::once(&origin.client)
            .chain(&origin.via)
            .enumerate()
    };
    match forwarding {
        Forwarding::XForwarded => {
            fields.add(&FOR, |text| {
                for (index, hop) in hops() {
                    text.extend_from_slice(if index == 0 { b"" } else { b", " });
                    push_address(text, *hop);
                }
            });
            let scheme = origin.scheme.as_str().as_bytes();
            fields.add(&PROTO, |text| text.extend_from_slice(scheme));
            if let Some(host) = &origin.host {
                fields.add(&ORIGINAL_HOST, |text| {
                    text.extend_from_slice(host.as_bytes())
                });
            }
        }
        Forwarding::Forwarded => fields.add(&FORWARDED, |text| {
            for (index, hop) in hops() {
                text.extend_from_slice(if index == 0 { b"for=" } else { b", for=" });
                text.extend_from_slice(if hop.is_ipv6() { b"\"[" } else { b"" });
                push_address(text, *hop);
                text.extend_from_slice(if hop.is_ipv6() { b"]\"" } else { b"" });
                if index == 0 {
                    let _ = write!(text, ";proto={}", origin.scheme.as_str());
                    // A host has no quotes and no backslashes.
                    let host = origin.host.as_ref().and_then(|host| host.to_str().ok());
                    if let Some(host) = host.filter(|host| names_host(host)) {
                        let _ = write!(text, ";host=\"{host}\"");
                    }
                }
            }
        }),
    }
}

/// Whether [`announce`] says it, or would if there were something to say: nobody else may.
pub(crate) fn is_announced(name: &HeaderName) -> bool {
    [FOR, PROTO, ORIGINAL_HOST, FORWARDED].contains(name)
}

/// Whether it names the client.
pub(crate) fn is_of_client(name: &HeaderName) -> bool {
    [FOR, FORWARDED].contains(name)
}

/// Every request has an address in its text: that of IPv4 is not worth a formatter.
fn push_address(text: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            let (mut digits, mut length) = ([b'.'; 15], 0);
            for (index, part) in address.octets().into_iter().enumerate() {
                length += usize::from(index > 0);
                for (place, from) in [(100, 100), (10, 10), (1, 0)] {
                    if part >= from {
                        digits[length] = b'0' + part / place % 10;
                        length += 1;
                    }
                }
            }
            text.extend_from_slice(&digits[..length]);
        }
        IpAddr::V6(address) => {
            let _ = write!(text, "{address}");
        }
    }
}

/// The fields that nobody behind may believe.
fn remove(headers: &mut HeaderMap) {
    remove_if(headers, is_of_hops);
}

/// Whether it tells of hops, or of who is before them.
pub(crate) fn is_of_hops(name: &HeaderName) -> bool {
    name.as_str().starts_with(PREFIX) || OTHERS.contains(&name.as_str())
}

/// The elements of a list field that may be spread over several lines, the last one first.
fn from_the_right<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    // An unreadable line is one hop that cannot be read.
    let lines = headers.get_all(name).iter().rev();
    lines
        .flat_map(|line| line.to_str().unwrap_or("?").rsplit(','))
        .map(str::trim)
}

/// The host that a request is for.
pub(crate) fn asked_host<B>(request: &Request<B>) -> Option<HeaderValue> {
    match request.uri().authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => request.headers().get(HOST).cloned(),
    }
}

/// A host and nothing that could be read as something else: no user information, no quotes.
pub(crate) fn is_host(value: &HeaderValue) -> bool {
    value.to_str().is_ok_and(names_host)
}

fn names_host(text: &str) -> bool {
    !text.contains(['@', '"', '\\'])
        && text.parse::<Authority>().is_ok()
        && is_rfc_host(text.as_bytes())
}

#[cfg(test)]
mod tests;
