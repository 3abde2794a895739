//! Cuts a record off the bytes that were read so far.

/// What the first record of some bytes is.
pub(super) enum Cut {
    /// Its fields, and the length with the end of the line.
    Record(Vec<Vec<u8>>, usize),
    /// More bytes are needed.
    Unfinished { quoted: bool, fields: Vec<Vec<u8>> },
    /// Something follows a closing quote.
    Stray(Vec<Vec<u8>>),
}

/// Cuts off the first record; `last` if no bytes follow these.
pub(super) fn split(bytes: &[u8], last: bool) -> Cut {
    let (mut fields, mut at) = (Vec::new(), 0);
    loop {
        let quoted = bytes.get(at) == Some(&b'"');
        let (field, end) = if quoted {
            match quoted_field(bytes, at + 1) {
                Some(found) => found,
                None => return Cut::Unfinished { quoted, fields },
            }
        } else {
            plain_field(bytes, at)
        };
        match &bytes[end..] {
            [b',', ..] => at = end + 1,
            [b'\n', ..] => {
                fields.push(field);
                return Cut::Record(fields, end + 1);
            }
            [b'\r', b'\n', ..] => {
                fields.push(field);
                return Cut::Record(fields, end + 2);
            }
            [] | [b'\r'] if last => {
                fields.push(field);
                return Cut::Record(fields, bytes.len());
            }
            [] | [b'\r'] => {
                return Cut::Unfinished {
                    quoted: false,
                    fields,
                };
            }
            _ => return Cut::Stray(fields),
        }
        fields.push(field);
    }
}

/// A field that ends where a comma or the end of the line follows. A quote within it is a letter
/// like any other.
fn plain_field(bytes: &[u8], start: usize) -> (Vec<u8>, usize) {
    let rest = &bytes[start..];
    let end = rest.iter().position(|byte| matches!(byte, b',' | b'\n'));
    let mut field = &rest[..end.unwrap_or(rest.len())];
    if let (Some(b'\n') | None, [head @ .., b'\r']) = (end.map(|end| rest[end]), field) {
        field = head;
    }
    (field.to_vec(), start + field.len())
}

/// A field up to its closing quote, and what comes after that; `None` if it is not closed.
fn quoted_field(bytes: &[u8], start: usize) -> Option<(Vec<u8>, usize)> {
    let (mut field, mut at) = (Vec::new(), start);
    loop {
        let rest = bytes.get(at..)?;
        let quote = rest.iter().position(|byte| *byte == b'"')?;
        field.extend_from_slice(&rest[..quote]);
        at += quote + 1;
        if bytes.get(at) != Some(&b'"') {
            return Some((field, at));
        }
        field.push(b'"');
        at += 1;
    }
}
