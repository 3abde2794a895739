//! What a proxy itself says of a request.

use http::{HeaderMap, HeaderName};

use crate::fields::remove_if;
use crate::http1::{Malformed, fields};

/// Fields that go out before those of a request. They are written into its head at once: in its map, each
/// would take an allocation, a hash and a place before that.
pub trait Added: Sync {
    /// Writes them.
    fn write(&self, fields: &mut Fields<'_>);
    /// Whether a field of the request is not sent, as nobody but the proxy may say it: a server may believe
    /// the first of two, or the last. All that are written are such.
    fn replaces(&self, name: &HeaderName) -> bool;
}

/// Nothing.
impl Added for () {
    fn write(&self, _: &mut Fields<'_>) {}

    fn replaces(&self, _: &HeaderName) -> bool {
        false
    }
}

/// The end of a head, where fields can be added.
#[derive(Debug)]
pub struct Fields<'a> {
    head: &'a mut Vec<u8>,
    start: usize,
    count: usize,
}

impl<'a> Fields<'a> {
    /// Behind `head`, which has no empty line yet.
    pub fn new(head: &'a mut Vec<u8>) -> Self {
        let start = head.len();
        Self {
            head,
            start,
            count: 0,
        }
    }

    /// Adds a field, whose value `write` appends: text without the end of a line.
    pub fn add(&mut self, name: &HeaderName, write: impl FnOnce(&mut Vec<u8>)) {
        self.head.extend_from_slice(name.as_str().as_bytes());
        self.head.extend_from_slice(b": ");
        write(self.head);
        self.head.extend_from_slice(b"\r\n");
        self.count += 1;
    }
}

impl Drop for Fields<'_> {
    /// If any of them has ended its line, none is sent: it would be the next field, or the body.
    fn drop(&mut self) {
        if ends(&self.head[self.start..]) != 2 * self.count {
            self.head.truncate(self.start);
        }
    }
}

/// How many bytes are ends of lines, or half of one. In parts that a sum of bytes is enough for: the
/// compiler makes instructions of that which look at many at once.
fn ends(bytes: &[u8]) -> usize {
    let of = |part: &[u8]| -> u8 {
        let ends = part
            .iter()
            .map(|byte| u8::from(matches!(byte, b'\r' | b'\n')));
        ends.sum()
    };
    bytes.chunks(128).map(|part| usize::from(of(part))).sum()
}

/// The same in a map, for a protocol that does not write lines.
pub(super) fn insert(added: &dyn Added, headers: &mut HeaderMap) -> Result<(), Malformed> {
    remove_if(headers, |name| added.replaces(name));
    let mut text = Vec::new();
    added.write(&mut Fields::new(&mut text));
    text.extend_from_slice(b"\r\n");
    headers.extend(fields(text)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::header::VIA;

    use super::*;

    #[test]
    fn nothing_that_is_added_ends_its_line() {
        let with = |second: &str| {
            let mut head = b"GET / HTTP/1.1\r\n".to_vec();
            let mut fields = Fields::new(&mut head);
            for value in ["1.1 one", second] {
                fields.add(&VIA, |text| text.extend_from_slice(value.as_bytes()));
            }
            drop(fields);
            String::from_utf8(head).expect("text")
        };
        let both = "GET / HTTP/1.1\r\nvia: 1.1 one\r\nvia: 1.1 two\r\n";
        assert_eq!(with("1.1 two"), both);
        for wrong in ["1.1 two\r\nhost: x", "1.1 two\n", "\r"] {
            assert_eq!(with(wrong), "GET / HTTP/1.1\r\n", "{wrong:?}");
        }
    }
}
