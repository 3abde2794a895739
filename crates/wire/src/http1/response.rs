//! Heads of responses.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use httparse::Status;

use super::request::syntax;
use super::{FIELDS, Framing, Malformed, Noted, Parsed, framing, header_map, only_whole_line_ends};

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
    let bytes = std::mem::take(buffer);
    let mut fields = [MaybeUninit::uninit(); FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut parsed, &bytes, &mut fields) {
        Ok(Status::Complete(length)) if length <= limit => {
            only_whole_line_ends(&bytes[..length])?;
            let status = StatusCode::from_u16(parsed.code.unwrap_or_default())
                .map_err(|_| Malformed::Syntax("the status"))?;
            let (headers, noted) = header_map(&bytes, parsed.headers, ADDED)?;
            *buffer = bytes.slice(length..);
            let modern = parsed.version == Some(1);
            let framing = body_of(status, method, &headers, &noted)?;
            let keep_alive = noted.keep_alive(&headers, modern);
            Ok(Parsed::Head(ResponseHead {
                status,
                headers,
                keep_alive: keep_alive && framing != Framing::UntilClose,
                framing,
            }))
        }
        Ok(Status::Partial) if bytes.len() <= limit => {
            *buffer = bytes;
            Ok(Parsed::Partial)
        }
        Ok(_) => Err(Malformed::TooLarge),
        Err(error) => Err(syntax(error)),
    }
}

/// RFC 9112, section 6.3.
fn body_of(
    status: StatusCode,
    method: &Method,
    headers: &HeaderMap,
    noted: &Noted,
) -> Result<Framing, Malformed> {
    let bodiless = status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
        || method == Method::HEAD;
    // Looked at in any case: what is ambiguous is not passed on.
    let said = framing(headers, noted)?;
    Ok(if bodiless {
        Framing::Length(0)
    } else {
        said.unwrap_or(Framing::UntilClose)
    })
}
