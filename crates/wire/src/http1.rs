//! HTTP/1.1 messages (RFC 9112): heads are parsed and written, bodies decoded, strictly. What two
//! parsers could read differently is refused: every known way to smuggle a request lives from that.

mod chunked;
mod decoder;
mod lines;
mod request;
mod response;
pub(crate) mod write;

pub(crate) use self::decoder::{Decoded, Decoder};
pub(crate) use self::request::rooted;
pub use self::request::{RequestHead, parse_request};
pub use self::response::{ResponseHead, parse_response};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Header fields of a head that are parsed at all.
pub const FIELDS: usize = 100;

/// Why a message is not read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not what RFC 9112 describes, or ambiguous.
    #[error("{0}")]
    Syntax(&'static str),
    /// A head that is larger than the limit, or has too many fields.
    #[error("the head is too large")]
    TooLarge,
    /// A transfer coding other than `chunked`.
    #[error("the transfer coding is not known")]
    Coding,
    /// A version other than 1.0 and 1.1.
    #[error("the version is not spoken here")]
    Version,
    /// A head that did not come to its end in time.
    #[error("the head did not come in time")]
    Slow,
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// After so many bytes; 0 if there is no body.
    Length(u64),
    /// After the last chunk.
    Chunked,
    /// When the connection closes; responses only.
    UntilClose,
}

/// What is parsed so far of a buffer.
#[derive(Debug)]
pub enum Parsed<T> {
    /// A head.
    Head(T),
    /// More bytes are needed.
    Partial,
}

/// Which fields a head has of those that concern its connection and its body. They are noted when they
/// are taken in: mostly they are not there, and looking for each would cost more than parsing the head.
#[derive(Debug, Default)]
struct Noted {
    length: bool,
    coding: bool,
    connection: bool,
    upgrade: bool,
    expect: bool,
    hosts: usize,
}

impl Noted {
    fn note(&mut self, name: &HeaderName) {
        match *name {
            HOST => self.hosts += 1,
            CONTENT_LENGTH => self.length = true,
            TRANSFER_ENCODING => self.coding = true,
            CONNECTION => self.connection = true,
            UPGRADE => self.upgrade = true,
            EXPECT => self.expect = true,
            _ => {}
        }
    }

    /// Whether the connection may be used again after the message.
    fn keep_alive(&self, headers: &HeaderMap, modern: bool) -> bool {
        match (self.connection, modern) {
            (false, modern) => modern,
            (true, true) => !lists(headers, &CONNECTION, "close"),
            (true, false) => lists(headers, &CONNECTION, "keep-alive"),
        }
    }
}

/// What the fields say of the body; `None` if they say nothing.
fn framing(headers: &HeaderMap, noted: &Noted) -> Result<Option<Framing>, Malformed> {
    if !noted.length && !noted.coding {
        return Ok(None);
    }
    if noted.length && noted.coding {
        return Err(Malformed::Syntax("both a length and a transfer coding"));
    }
    if noted.coding {
        let coding = only(headers, &TRANSFER_ENCODING);
        let known = coding.is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"));
        return known
            .then_some(Some(Framing::Chunked))
            .ok_or(Malformed::Coding);
    }
    // A list of equal lengths is allowed by RFC 9110, 8.6, and only ever seen in attacks.
    let length = only(headers, &CONTENT_LENGTH).and_then(digits);
    let length = length.ok_or(Malformed::Syntax("the length is not one number"))?;
    Ok(Some(Framing::Length(length)))
}

/// The value of a field that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    first
        .filter(|_| values.next().is_none())
        .map(HeaderValue::as_bytes)
}

/// Decimal digits and nothing else: no sign, no space.
fn digits(text: &[u8]) -> Option<u64> {
    let plain = (1..=19).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    let value = |text: &[u8]| {
        text.iter()
            .fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'))
    };
    plain.then(|| value(text))
}

/// The fields in lines of their own, with an empty one behind them.
pub(crate) fn fields(lines: Vec<u8>) -> Result<HeaderMap, Malformed> {
    let (bytes, mut found) = (Bytes::from(lines), lines::Lines::new());
    found.find(&bytes)?;
    Ok(found.fields(&bytes, 0, 0)?.0)
}

/// Whether a list field has `token` among its elements.
pub(crate) fn lists(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).into_iter();
    let elements = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    elements
        .into_iter()
        .any(|element| element.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}
