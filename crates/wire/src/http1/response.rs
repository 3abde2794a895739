//! Heads of responses.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use super::lines::{is_modern, is_text, take_head};
use super::{Framing, Malformed, Noted, Parsed};

/// Fields that a proxy adds: the id of the request, for one.
const ADDED: usize = 2;

/// The head of a response.
#[derive(Debug)]
pub struct ResponseHead {
    /// The status.
    pub status: StatusCode,
    /// The fields.
    pub headers: HeaderMap,
    /// How the body ends.
    pub framing: Framing,
    /// Whether the connection may be used again.
    pub keep_alive: bool,
}

/// Parses the head at the start of `buffer`, which is at most `limit` bytes long and answers a
/// request of `method`, and takes it out.
pub fn parse_response(
    buffer: &mut Bytes,
    limit: usize,
    method: &Method,
) -> Result<Parsed<ResponseHead>, Malformed> {
    let first = |bytes: &Bytes, line: Range<usize>| status_line(&bytes[line]);
    let Some(((status, modern), headers, noted)) = take_head(buffer, limit, ADDED, first)? else {
        return Ok(Parsed::Partial);
    };
    let framing = body_of(status, method, &noted)?;
    let keep_alive = noted.keep_alive(modern);
    Ok(Parsed::Head(ResponseHead {
        status,
        headers,
        keep_alive: keep_alive && framing != Framing::UntilClose,
        framing,
    }))
}

/// The status, and whether it is one of HTTP/1.1. What is said of it, if anything, must be text
/// (RFC 9112, section 4).
fn status_line(line: &[u8]) -> Result<(StatusCode, bool), Malformed> {
    const BAD: Malformed = Malformed::Syntax("the status");
    let (version, rest) = line.split_at_checked(8).ok_or(BAD)?;
    let modern = is_modern(version)?;
    let (b" ", rest) = rest.split_at_checked(1).ok_or(BAD)? else {
        return Err(BAD);
    };
    let (status, reason) = rest.split_at_checked(3).ok_or(BAD)?;
    if !(reason.is_empty() || reason[0] == b' ') || !is_text(reason) {
        return Err(BAD);
    }
    let status = StatusCode::from_bytes(status).map_err(|_| BAD)?;
    Ok((status, modern))
}

/// RFC 9112, section 6.3.
fn body_of(status: StatusCode, method: &Method, noted: &Noted) -> Result<Framing, Malformed> {
    let bodiless = status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
        || method == Method::HEAD;
    // Looked at in any case: what is ambiguous is not passed on.
    let said = noted.framing()?;
    Ok(if bodiless {
        Framing::Length(0)
    } else {
        said.unwrap_or(Framing::UntilClose)
    })
}
