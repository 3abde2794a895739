//! Heads of requests.

use std::mem::MaybeUninit;

use bytes::{Buf, Bytes};
use http::header::{CONNECTION, EXPECT, HOST, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Uri, Version};
use httparse::Status;

use super::{
    FIELDS, Framing, Malformed, Noted, Parsed, framing, header_map, lists, only_whole_line_ends,
};

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
    // Empty lines before a request are passed over (RFC 9112, section 2.2).
    while buffer.starts_with(b"\r\n") {
        buffer.advance(2);
    }
    // The values of the fields will share what is parsed.
    let bytes = std::mem::take(buffer);
    let mut fields = [MaybeUninit::uninit(); FIELDS];
    let mut parsed = httparse::Request::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_request_with_uninit_headers(&mut parsed, &bytes, &mut fields) {
        Ok(Status::Complete(length)) if length <= limit => {
            let method = parsed.method.unwrap_or_default();
            let target = parsed.path.unwrap_or_default().as_bytes();
            let first = First {
                method: Method::from_bytes(method.as_bytes())
                    .map_err(|_| Malformed::Syntax("the method"))?,
                target: bytes.slice_ref(target),
                modern: parsed.version == Some(1),
            };
            only_whole_line_ends(&bytes[..length])?;
            let (headers, noted) = header_map(&bytes, parsed.headers, ADDED)?;
            *buffer = bytes.slice(length..);
            first.with(headers, &noted)
        }
        Ok(Status::Partial) if bytes.len() <= limit => {
            *buffer = bytes;
            Ok(Parsed::Partial)
        }
        Ok(_) => Err(Malformed::TooLarge),
        Err(error) => Err(syntax(error)),
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

pub(super) fn syntax(error: httparse::Error) -> Malformed {
    match error {
        httparse::Error::TooManyHeaders => Malformed::TooLarge,
        httparse::Error::Version => Malformed::Version,
        httparse::Error::HeaderName => Malformed::Syntax("the name of a field"),
        httparse::Error::HeaderValue => Malformed::Syntax("the value of a field"),
        httparse::Error::NewLine => Malformed::Syntax("the end of a line"),
        httparse::Error::Token | httparse::Error::Status => Malformed::Syntax("the first line"),
    }
}
