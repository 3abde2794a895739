//! Heads of requests.

use std::ops::Range;

use bytes::{Buf, Bytes};
use http::header::{CONNECTION, EXPECT, HOST, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Uri, Version};

use super::lines::{Lines, skip_empty_lines};
use super::{Framing, Malformed, Noted, Parsed, framing, lists};

/// Fields that a proxy adds: where the client is, how and what it has asked for, a trace, an id; and
/// room for replacing one. A map that grows is hashed again.
const ADDED: usize = 6;

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
    /// The protocol that the client would change to.
    pub upgrade: Option<HeaderValue>,
}

/// Parses the head at the start of `buffer`, which is at most `limit` bytes long, and takes it out.
pub fn parse_request(buffer: &mut Bytes, limit: usize) -> Result<Parsed<RequestHead>, Malformed> {
    skip_empty_lines(buffer);
    let mut lines = Lines::new();
    lines.find(buffer)?;
    // Also of what is no head yet: who speaks another protocol hears so at once.
    let first = lines.first().map(|line| First::parse(buffer, line));
    let first = first.transpose()?;
    let (Some(first), Some(length)) = (first, lines.length()) else {
        return partial(buffer, limit);
    };
    if length > limit {
        return Err(Malformed::TooLarge);
    }
    let (headers, noted) = lines.fields(buffer, 1, ADDED)?;
    buffer.advance(length);
    first.with(headers, &noted)
}

/// What has come of a head must not be larger than it may be in the end.
pub(super) fn partial<T>(bytes: &[u8], limit: usize) -> Result<Parsed<T>, Malformed> {
    if bytes.len() > limit {
        return Err(Malformed::TooLarge);
    }
    Ok(Parsed::Partial)
}

/// Whether a message is one of HTTP/1.1, not 1.0.
pub(super) fn is_modern(version: &[u8]) -> Result<bool, Malformed> {
    match version {
        b"HTTP/1.1" => Ok(true),
        b"HTTP/1.0" => Ok(false),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Err(Malformed::Version),
        _ => Err(Malformed::Syntax("the first line")),
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
        let method = memchr::memchr(b' ', text).ok_or(BAD)?;
        let (start, rest) = (method + 1, &text[method + 1..]);
        let target = memchr::memchr(b' ', rest).ok_or(BAD)?;
        let modern = is_modern(&rest[target + 1..])?;
        // What is no ASCII is left to who parses the target.
        if rest[..target]
            .iter()
            .any(|byte| matches!(byte, 0..=b' ' | 0x7f))
        {
            return Err(Malformed::Syntax("the target"));
        }
        let start = line.start + start;
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
        let framing = framing(&headers, noted)?.unwrap_or(Framing::Length(0));
        if framing == Framing::Chunked && !modern {
            return Err(Malformed::Syntax("a transfer coding in HTTP/1.0"));
        }
        let (uri, authority) = target_of(&method, target)?;
        match authority {
            // The target's own authority counts (RFC 9112, section 3.2.2).
            Some(authority) => drop(headers.insert(HOST, authority)),
            None => one_host(&headers, noted.hosts, modern)?,
        }
        let upgrades = noted.upgrade && modern && lists(&headers, &CONNECTION, "upgrade");
        let upgrade = if upgrades {
            headers.get(UPGRADE).cloned()
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
            keep_alive: noted.keep_alive(&headers, modern),
            expects_continue: expects,
            upgrade,
            headers,
        }))
    }
}

/// The target in origin form, and the authority if it named one.
fn target_of(method: &Method, target: Bytes) -> Result<(Uri, Option<HeaderValue>), Malformed> {
    const BAD: Malformed = Malformed::Syntax("the target");
    if method == Method::CONNECT || target.contains(&b'#') {
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
    if authority.as_str().contains('@') {
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
fn one_host(headers: &HeaderMap, hosts: usize, demanded: bool) -> Result<(), Malformed> {
    if hosts > 1 || (hosts == 0 && demanded) {
        return Err(Malformed::Syntax("not exactly one host"));
    }
    let plain = |host: &HeaderValue| {
        let bytes = host.as_bytes();
        bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+,;=".contains(b))
    };
    if headers.get(HOST).is_none_or(plain) {
        Ok(())
    } else {
        Err(Malformed::Syntax("the host"))
    }
}
