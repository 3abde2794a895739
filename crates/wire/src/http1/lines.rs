//! The lines of a head (RFC 9112, sections 2 and 5). Every one of them ends with CR LF: a front that
//! takes LF alone sees one field where the next one sees two, and lets a second request through.
//!
//! Found first and looked into then, when it is clear that the head is whole: so its fields are put
//! where they stay at once, and each byte of them is judged once, by the types that hold them.

use std::ops::Range;

use bytes::{Buf, Bytes};
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, CONNECTION,
    CONTENT_LENGTH, CONTENT_TYPE, COOKIE, DATE, ETAG, HOST, SERVER, USER_AGENT, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{FIELDS, Malformed, Noted, Tells, without_space};

/// The fields, and the line before them.
const MOST: usize = FIELDS + 1;

/// Where the lines of a head are.
pub(super) struct Lines {
    /// Behind the CR LF of each.
    ends: [u32; MOST],
    count: usize,
    /// Behind the empty line, if that has come.
    whole: Option<usize>,
}

impl Lines {
    /// None yet.
    pub(super) const fn new() -> Self {
        Self {
            ends: [0; MOST],
            count: 0,
            whole: None,
        }
    }

    /// Finds them at the start of `bytes`, up to the empty line. What comes behind the last end of a
    /// line must be able to become one: who speaks another protocol hears so at once.
    ///
    /// In place, as they would be copied from one result to the next otherwise.
    pub(super) fn find(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            if end == start || bytes[end - 1] != b'\r' {
                return Err(Malformed::Syntax("a line ends with LF alone"));
            }
            if end == start + 1 {
                self.whole = Some(end + 1);
                return Ok(());
            }
            start = end + 1;
            let (Some(place), Ok(start)) = (self.ends.get_mut(self.count), start.try_into()) else {
                return Err(Malformed::TooLarge);
            };
            *place = start;
            self.count += 1;
        }
        let begun = &bytes[start..];
        if is_text(begun.strip_suffix(b"\r").unwrap_or(begun)) {
            Ok(())
        } else {
            Err(Malformed::Syntax("a control character"))
        }
    }

    /// Bytes of the head with its empty line; `None` if that has not come yet.
    pub(super) fn length(&self) -> Option<usize> {
        self.whole
    }

    /// The fields in the lines from the one with this index on, whose values share `bytes`; with room
    /// for `more` of them.
    pub(super) fn fields(
        &self,
        bytes: &Bytes,
        from: usize,
        more: usize,
    ) -> Result<(HeaderMap, Noted), Malformed> {
        const NAME: Malformed = Malformed::Syntax("the name of a field");
        const VALUE: Malformed = Malformed::Syntax("the value of a field");
        let mut headers = HeaderMap::with_capacity(self.count - from + more);
        let mut noted = Noted::default();
        for line in (from..self.count).filter_map(|index| self.range(index)) {
            let colon = memchr::memchr(b':', &bytes[line.clone()]).ok_or(NAME)? + line.start;
            // No space is allowed before the colon, nor at the start of a line (RFC 9112, sections 5.1
            // and 5.2): no name has one.
            let (name, tells) = name(&bytes[line.start..colon]).ok_or(NAME)?;
            let value = without_space(&bytes[colon + 1..line.end]);
            if !noted.note(tells, value) {
                continue;
            }
            let value = bytes.slice_ref(value);
            let value = HeaderValue::from_maybe_shared(value).map_err(|_| VALUE)?;
            headers
                .try_append(name, value)
                .map_err(|_| Malformed::TooLarge)?;
        }
        Ok((headers, noted))
    }

    /// How many there are before the empty one.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    fn range(&self, index: usize) -> Option<Range<usize>> {
        let ends = &self.ends[..self.count];
        let start = index.checked_sub(1).map_or(0, |before| ends[before]);
        let end = *ends.get(index)?;
        // Without CR LF, which was there.
        Some(start as usize..end as usize - 2)
    }
}

/// The name of a field, and what the field tells of the message. Names that most heads have, as most write
/// them, need not be parsed; they are told apart by their length first.
fn name(text: &[u8]) -> Option<(HeaderName, Tells)> {
    let name = match (text.len(), text) {
        (4, b"host" | b"Host") => return Some((HOST, Tells::Host)),
        (4, b"date" | b"Date") => DATE,
        (4, b"etag" | b"ETag") => ETAG,
        (4, b"vary" | b"Vary") => VARY,
        (6, b"accept" | b"Accept") => ACCEPT,
        (6, b"cookie" | b"Cookie") => COOKIE,
        (6, b"server" | b"Server") => SERVER,
        (10, b"connection" | b"Connection") => return Some((CONNECTION, Tells::Connection)),
        (10, b"user-agent" | b"User-Agent") => USER_AGENT,
        (12, b"content-type" | b"Content-Type") => CONTENT_TYPE,
        (13, b"authorization" | b"Authorization") => AUTHORIZATION,
        (13, b"cache-control" | b"Cache-Control") => CACHE_CONTROL,
        (14, b"content-length" | b"Content-Length") => {
            return Some((CONTENT_LENGTH, Tells::Length));
        }
        (15, b"accept-encoding" | b"Accept-Encoding") => ACCEPT_ENCODING,
        (15, b"accept-language" | b"Accept-Language") => ACCEPT_LANGUAGE,
        _ => {
            let name = HeaderName::from_bytes(text).ok()?;
            let tells = Tells::by(&name);
            return Some((name, tells));
        }
    };
    Some((name, Tells::Nothing))
}

/// Takes the head out of the start of `buffer`, if it is whole: what `first` makes of its first line, and
/// its fields, in a map with room for `more`. It has at most `limit` bytes, and so has what is no head yet.
pub(super) fn take_head<T>(
    buffer: &mut Bytes,
    limit: usize,
    more: usize,
    first: impl FnOnce(&Bytes, Range<usize>) -> Result<T, Malformed>,
) -> Result<Option<(T, HeaderMap, Noted)>, Malformed> {
    // Some peers end a body with a line of its own (RFC 9112, section 2.2).
    while buffer.starts_with(b"\r\n") {
        buffer.advance(2);
    }
    let mut lines = Lines::new();
    lines.find(buffer)?;
    // Also of what is no head yet: who speaks another protocol hears so at once.
    let first = lines.range(0).map(|line| first(buffer, line)).transpose()?;
    let (first, length) = match (first, lines.length()) {
        (_, length) if length.unwrap_or(buffer.len()) > limit => return Err(Malformed::TooLarge),
        (Some(first), Some(length)) => (first, length),
        _ => return Ok(None),
    };
    let (headers, noted) = lines.fields(buffer, 1, more)?;
    buffer.advance(length);
    Ok(Some((first, headers, noted)))
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

/// Whether there is no control character in it but tabs.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..))
}

#[cfg(test)]
mod tests;
