//! What a proxy itself says of a request.

use http::{HeaderMap, HeaderName};

use crate::http1::{Malformed, fields};

/// Fields that go out behind those of a request. They are written into its head at once: in its map, each
/// would take an allocation, a hash and a place before that.
pub trait Added: Sync {
    /// Writes them. None of them may be among those of the request.
    fn write(&self, fields: &mut Fields<'_>);
}

/// Nothing.
impl Added for () {
    fn write(&self, _: &mut Fields<'_>) {}
}

/// The end of a head, where fields can be added.
#[derive(Debug)]
pub struct Fields<'a>(&'a mut Vec<u8>);

impl<'a> Fields<'a> {
    /// Behind `head`, which has no empty line yet.
    pub fn new(head: &'a mut Vec<u8>) -> Self {
        Self(head)
    }

    /// Adds a field, whose value `write` appends. One that would end its line is not sent.
    pub fn add(&mut self, name: &HeaderName, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.0.len();
        self.0.extend_from_slice(name.as_str().as_bytes());
        self.0.extend_from_slice(b": ");
        write(self.0);
        if memchr::memchr2(b'\r', b'\n', &self.0[start..]).is_some() {
            self.0.truncate(start);
            return;
        }
        self.0.extend_from_slice(b"\r\n");
    }
}

/// The same as a map, for a protocol that does not write lines.
pub(super) fn map(added: &dyn Added) -> Result<HeaderMap, Malformed> {
    let mut text = Vec::new();
    added.write(&mut Fields::new(&mut text));
    text.extend_from_slice(b"\r\n");
    fields(text)
}

#[cfg(test)]
mod tests {
    use http::header::VIA;

    use super::*;

    #[test]
    fn nothing_that_is_added_ends_the_line() {
        let mut head = b"GET / HTTP/1.1\r\n".to_vec();
        let mut fields = Fields::new(&mut head);
        for value in ["1.1 one", "1.1 two\r\nhost: x", "1.1 two\n", "1.1 three"] {
            fields.add(&VIA, |text| text.extend_from_slice(value.as_bytes()));
        }
        let expected = "GET / HTTP/1.1\r\nvia: 1.1 one\r\nvia: 1.1 three\r\n";
        assert_eq!(String::from_utf8_lossy(&head), expected);
    }
}
