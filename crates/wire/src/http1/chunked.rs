//! The chunked transfer coding (RFC 9112, section 7.1), read byte by byte where it is not data.

use bytes::{Buf, Bytes};
use http::HeaderMap;

use super::Malformed;
use super::lines::Lines;

/// Bytes of a line that tells a chunk's size; extensions are passed over, and have been used to
/// keep parsers busy.
const LINE: usize = 256;
/// Bytes and fields of trailers.
const TRAILERS: usize = 8192;
const TRAILER_FIELDS: usize = 32;

/// Where the decoder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunked {
    /// Before the size of a chunk.
    Size,
    /// So many bytes before the end of a chunk.
    Data(u64),
    /// Before the CR LF after a chunk's data.
    DataEnd,
    /// After the last chunk.
    Trailers,
    /// Behind everything.
    Done,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
    NeedsMore,
}

impl Chunked {
    /// Takes what it can from the start of `buffer`.
    pub(super) fn decode(&mut self, buffer: &mut Bytes) -> Result<Piece, Malformed> {
        loop {
            match *self {
                Self::Size => match line(buffer, LINE)? {
                    None => return Ok(Piece::NeedsMore),
                    Some(line) => {
                        *self = match size(&line)? {
                            0 => Self::Trailers,
                            size => Self::Data(size),
                        };
                    }
                },
                Self::Data(left) => {
                    if buffer.is_empty() {
                        return Ok(Piece::NeedsMore);
                    }
                    let here = usize::try_from(left)
                        .unwrap_or(usize::MAX)
                        .min(buffer.len());
                    let left = left - here as u64;
                    *self = if left == 0 {
                        Self::DataEnd
                    } else {
                        Self::Data(left)
                    };
                    return Ok(Piece::Data(buffer.split_to(here)));
                }
                Self::DataEnd => match buffer.get(..2) {
                    None => return Ok(Piece::NeedsMore),
                    Some(b"\r\n") => {
                        buffer.advance(2);
                        *self = Self::Size;
                    }
                    Some(_) => return Err(Malformed::Syntax("the end of a chunk")),
                },
                Self::Trailers => return self.trailers(buffer),
                Self::Done => return Ok(Piece::End),
            }
        }
    }

    fn trailers(&mut self, buffer: &mut Bytes) -> Result<Piece, Malformed> {
        if buffer.starts_with(b"\r\n") {
            buffer.advance(2);
            *self = Self::Done;
            return Ok(Piece::End);
        }
        let mut lines = Lines::new();
        lines.find(buffer)?;
        let Some(length) = lines.length() else {
            let small = buffer.len() <= TRAILERS;
            return small.then_some(Piece::NeedsMore).ok_or(Malformed::TooLarge);
        };
        if length > TRAILERS || lines.count() > TRAILER_FIELDS {
            return Err(Malformed::TooLarge);
        }
        let (trailers, _) = lines.fields(buffer, 0, 0)?;
        buffer.advance(length);
        *self = Self::Done;
        Ok(Piece::Trailers(trailers))
    }
}

/// The next line without its end, if it is there.
fn line(buffer: &mut Bytes, limit: usize) -> Result<Option<Bytes>, Malformed> {
    match memchr::memchr(b'\n', buffer) {
        Some(end) if end <= limit && end > 0 && buffer[end - 1] == b'\r' => {
            let mut line = buffer.split_to(end + 1);
            line.truncate(end - 1);
            Ok(Some(line))
        }
        Some(_) => Err(Malformed::Syntax("the line of a chunk's size")),
        None if buffer.len() > limit => Err(Malformed::TooLarge),
        None => Ok(None),
    }
}

/// Hexadecimal digits, at most 16, and then nothing or an extension.
fn size(line: &[u8]) -> Result<u64, Malformed> {
    const BAD: Malformed = Malformed::Syntax("the size of a chunk");
    let digits = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let rest = line[digits..].trim_ascii_start();
    if !(1..=16).contains(&digits) || !(rest.is_empty() || rest[0] == b';') {
        return Err(BAD);
    }
    if line[digits..]
        .iter()
        .any(|byte| byte.is_ascii_control() && *byte != b'\t')
    {
        return Err(BAD);
    }
    let text = std::str::from_utf8(&line[..digits]).map_err(|_| BAD)?;
    u64::from_str_radix(text, 16).map_err(|_| BAD)
}
