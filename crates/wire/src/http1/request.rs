//! Heads of requests.

use std::ops::Range;

use bytes::Bytes;
use http::header::{EXPECT, HOST, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Uri, Version};

use super::lines::{is_modern, take_head};
use super::{Framing, Malformed, Noted, Once, Parsed, is_host};

/// Fields that a route adds or replaces, the host for one: a map that grows is hashed again.
const ROOM: usize = 2;

/// The head of a request.
#[derive(Debug)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// The target in origin form; the authority is in `host`.
    pub uri: Uri,
    /// 1.0 or 1.1.
    pub version: Version,
    /// The fields.
    pub headers: HeaderMap,
    /// How the body ends.
    pub framing: Framing,
    /// Whether the connection may be used again.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    /// The protocol that the client would change to, if it may.
    pub upgrade: Option<HeaderValue>,
}

/// Parses the head at the start of `buffer`, which is at most `limit` bytes long, and takes it out.
pub fn parse_request(buffer: &mut Bytes, limit: usize) -> Result<Parsed<RequestHead>, Malformed> {
    match take_head(buffer, limit, ROOM, First::parse)? {
        Some((first, headers, noted)) => first.with(headers, &noted),
        None => Ok(Parsed::Partial),
    }
}

/// The first line.
struct First {
    method: Method,
    target: Bytes,
    /// HTTP/1.1, not 1.0.
    modern: bool,
}

impl First {
    /// Method, target and version, with one space between them (RFC 9112, section 3).
    fn parse(bytes: &Bytes, line: Range<usize>) -> Result<Self, Malformed> {
        const BAD: Malformed = Malformed::Syntax("the first line");
        let text = &bytes[line.clone()];
        let method = text.iter().position(|byte| *byte == b' ').ok_or(BAD)?;
        let rest = &text[method + 1..];
        // What is no ASCII is left to who parses the target.
        let ends = |byte: &u8| matches!(byte, 0..=b' ' | b'#' | 0x7f);
        let target = rest.iter().position(ends).ok_or(BAD)?;
        if rest[target] != b' ' {
            return Err(Malformed::Syntax("the target"));
        }
        let modern = is_modern(&rest[target + 1..])?;
        let start = line.start + method + 1;
        Ok(Self {
            method: Method::from_bytes(&text[..method])
                .map_err(|_| Malformed::Syntax("the method"))?,
            target: bytes.slice(start..start + target),
            modern,
        })
    }

    fn with(self, mut headers: HeaderMap, noted: &Noted) -> Result<Parsed<RequestHead>, Malformed> {
        let Self {
            method,
            target,
            modern,
        } = self;
        let framing = noted.framing()?.unwrap_or(Framing::Length(0));
        if framing == Framing::Chunked && !modern {
            return Err(Malformed::Syntax("a transfer coding in HTTP/1.0"));
        }
        let (uri, authority) = target_of(&method, target)?;
        match authority {
            // The target's own authority counts (RFC 9112, section 3.2.2).
            Some(authority) => drop(headers.insert(HOST, authority)),
            None => one_host(noted.host, modern)?,
        }
        let upgrade = if noted.upgrades && modern {
            let protocol = headers.get(UPGRADE);
            protocol.filter(|protocol| is_websocket(protocol)).cloned()
        } else {
            None
        };
        let expects = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
        let expects = noted.expect && modern && headers.get(EXPECT).is_some_and(expects);
        Ok(Parsed::Head(RequestHead {
            method,
            uri,
            version: if modern {
                Version::HTTP_11
            } else {
                Version::HTTP_10
            },
            framing,
            keep_alive: noted.keep_alive(modern),
            expects_continue: expects,
            upgrade,
            headers,
        }))
    }
}

/// Whether a connection may become one of this protocol: what is behind a WebSocket are its messages, where
/// `h2c` would be requests that nobody looks at (and is obsolete: RFC 9113, section 3.1).
pub fn is_websocket(protocol: &HeaderValue) -> bool {
    protocol.as_bytes().eq_ignore_ascii_case(b"websocket")
}

/// The target in origin form, and the authority if it named one.
fn target_of(method: &Method, target: Bytes) -> Result<(Uri, Option<HeaderValue>), Malformed> {
    const BAD: Malformed = Malformed::Syntax("the target");
    if method == Method::CONNECT {
        return Err(BAD);
    }
    if target.first() == Some(&b'/') {
        let path = PathAndQuery::from_maybe_shared(target).map_err(|_| BAD)?;
        return Ok((Uri::from(path), None));
    }
    let uri = Uri::from_maybe_shared(target).map_err(|_| BAD)?;
    if uri.path() == "*" && uri.authority().is_none() && method == Method::OPTIONS {
        return Ok((uri, None));
    }
    let authority = uri
        .authority()
        .filter(|_| uri.scheme_str().is_some())
        .ok_or(BAD)?;
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| BAD)?;
    if !is_host(authority.as_str().as_bytes()) {
        return Err(BAD);
    }
    let origin = Uri::from(rooted(uri.path_and_query()).ok_or(BAD)?);
    Ok((origin, Some(host)))
}

/// The path and the query as they are sent on: where there is no path it is `/` (RFC 9112, section
/// 3.2.1), also before a query.
pub(crate) fn rooted(target: Option<&PathAndQuery>) -> Option<PathAndQuery> {
    match target {
        None => Some(PathAndQuery::from_static("/")),
        Some(target) if target.as_str().starts_with('?') => format!("/{target}").parse().ok(),
        Some(target) => Some(target.clone()),
    }
}

/// HTTP/1.1 demands a host, and two of them are one for each parser on the way.
fn one_host(host: Once<()>, demanded: bool) -> Result<(), Malformed> {
    match host {
        Once::Said(()) => Ok(()),
        Once::Absent if !demanded => Ok(()),
        Once::Absent => Err(Malformed::Syntax("there is no host")),
        Once::Wrong => Err(Malformed::Syntax("the host is none, or there are two")),
    }
}
