//! HTTP/1.1 messages (RFC 9112): heads are parsed and written, bodies decoded, strictly. What two
//! parsers could read differently is refused: every known way to smuggle a request lives from that.

mod chunked;
mod decoder;
mod host;
mod lines;
mod request;
mod response;
pub(crate) mod write;

pub(crate) use self::decoder::{Decoded, Decoder};
pub use self::host::is_host;
pub(crate) use self::request::rooted;
pub use self::request::{RequestHead, is_websocket, parse_request};
pub use self::response::{ResponseHead, parse_response};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName};

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

/// What a head says of its connection and its body. It is noted when the fields are taken in: looking for
/// each of them then would cost more than parsing the head.
#[derive(Debug, Default)]
struct Noted {
    length: Once<u64>,
    /// Whether that is `chunked`.
    coding: Once<()>,
    closes: bool,
    keeps_alive: bool,
    upgrades: bool,
    expect: bool,
    /// Whether it is one.
    host: Once<()>,
}

/// What a field says that may be there once only: two parsers take different ones of two.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Once<T> {
    #[default]
    Absent,
    Said(T),
    /// Something else, or more than once.
    Wrong,
}

impl<T> Once<T> {
    fn say(&mut self, said: Option<T>) {
        *self = match (&self, said) {
            (Self::Absent, Some(said)) => Self::Said(said),
            _ => Self::Wrong,
        };
    }
}

/// What a field tells of its message, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tells {
    Nothing,
    Host,
    Length,
    Coding,
    Connection,
    Expect,
}

impl Tells {
    fn by(name: &HeaderName) -> Self {
        match *name {
            HOST => Self::Host,
            CONTENT_LENGTH => Self::Length,
            TRANSFER_ENCODING => Self::Coding,
            CONNECTION => Self::Connection,
            EXPECT => Self::Expect,
            _ => Self::Nothing,
        }
    }
}

impl Noted {
    /// Notes a field; whether it is of use to anybody else.
    fn note(&mut self, tells: Tells, value: &[u8]) -> bool {
        match tells {
            Tells::Nothing => {}
            Tells::Host => {
                self.host.say(is_host(value).then_some(()));
            }
            // A list of equal lengths is allowed by RFC 9110, 8.6, and only ever seen in attacks.
            Tells::Length => self.length.say(digits(value)),
            Tells::Coding => {
                let chunked = value.eq_ignore_ascii_case(b"chunked");
                self.coding.say(chunked.then_some(()));
            }
            Tells::Connection => return self.note_connection(value),
            Tells::Expect => self.expect = true,
        }
        true
    }

    /// Most say no more than whether the connection goes on, which is nobody else's affair.
    fn note_connection(&mut self, value: &[u8]) -> bool {
        if value == b"keep-alive" {
            self.keeps_alive = true;
            return false;
        }
        let mut more = false;
        for option in value.split(|byte| *byte == b',').map(without_space) {
            if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keeps_alive = true;
            } else if option.eq_ignore_ascii_case(b"close") {
                self.closes = true;
            } else {
                self.upgrades |= option.eq_ignore_ascii_case(b"upgrade");
                more |= !option.is_empty();
            }
        }
        more
    }

    /// Whether the connection may be used again after the message.
    fn keep_alive(&self, modern: bool) -> bool {
        !self.closes && (modern || self.keeps_alive)
    }

    /// What is said of the body; `None` if nothing is.
    fn framing(&self) -> Result<Option<Framing>, Malformed> {
        match (self.length, self.coding) {
            (Once::Absent, Once::Absent) => Ok(None),
            (Once::Said(length), Once::Absent) => Ok(Some(Framing::Length(length))),
            (Once::Wrong, Once::Absent) => Err(Malformed::Syntax("the length is not one number")),
            (Once::Absent, Once::Said(())) => Ok(Some(Framing::Chunked)),
            (Once::Absent, Once::Wrong) => Err(Malformed::Coding),
            _ => Err(Malformed::Syntax("both a length and a transfer coding")),
        }
    }
}

/// A value, or an element of a list, without the space around it (RFC 9110, section 5.6.3): not without the
/// CR that others take for space, and no value may have.
fn without_space(mut text: &[u8]) -> &[u8] {
    // Nearly every value has one space before it.
    if let [b' ', value @ ..] = text
        && let [b'!'..=b'~', .., b'!'..=b'~'] | [b'!'..=b'~'] = value
    {
        return value;
    }
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
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
