//! The normal form of a path (RFC 3986, section 6.2.2): what is matched is what is sent on, so that
//! nobody reaches a route by writing its path in another way.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, utf8_percent_encode};

/// Why a path is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadPath {
    /// Not even the form of a path.
    #[error("the path does not begin with `/`")]
    Relative,
    /// `%` without two hexadecimal digits behind it.
    #[error("the path has a `%` that begins no escape")]
    Escape,
    /// A NUL, a control character or a backslash, escaped or not: servers disagree about them.
    #[error("the path has a character that no path should have")]
    Character,
    /// `..` above the root.
    #[error("the path leads above the root")]
    AboveRoot,
}

/// The normal form of `path`: escapes of unreserved characters are taken out, others have capital
/// digits, what is no ASCII is escaped, and there are no dot segments. An escaped slash stays escaped:
/// it separates nothing. Empty segments stay: they may mean something to a backend.
pub(crate) fn normalise(path: &str) -> Result<Cow<'_, str>, BadPath> {
    if !path.starts_with('/') {
        return Err(BadPath::Relative);
    }
    // Every request has a path: it is looked at once, and mostly there is nothing to do.
    let (mut strange, mut escaped, mut dotted, mut foreign) = (false, false, false, false);
    for byte in path.bytes() {
        strange |= byte < 0x20 || byte == 0x7f || byte == b'\\';
        escaped |= byte == b'%';
        dotted |= byte == b'.';
        foreign |= byte >= 0x80;
    }
    if strange {
        return Err(BadPath::Character);
    }
    if !escaped && !dotted && !foreign {
        return Ok(Cow::Borrowed(path));
    }
    let plain = if escaped || foreign {
        Cow::Owned(unescape(path)?)
    } else {
        Cow::Borrowed(path)
    };
    if plain.contains("/.") {
        without_dots(&plain).map(Cow::Owned)
    } else {
        Ok(plain)
    }
}

fn unescape(path: &str) -> Result<String, BadPath> {
    // What is no ASCII should have been.
    let escaped = |part| utf8_percent_encode(part, &AsciiSet::EMPTY);
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        out.extend(escaped(&rest[..at]));
        let digits = rest.get(at + 1..at + 3).ok_or(BadPath::Escape)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(BadPath::Escape);
        }
        let byte = u8::from_str_radix(digits, 16).map_err(|_| BadPath::Escape)?;
        match byte {
            0..=0x1f | 0x7f | b'\\' => return Err(BadPath::Character),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                out.push('%');
                out.push_str(&digits.to_ascii_uppercase());
            }
        }
        rest = &rest[at + 3..];
    }
    out.extend(escaped(rest));
    Ok(out)
}

/// Takes out `.` and `..` (RFC 3986, section 5.2.4), but refuses what leads above the root.
fn without_dots(path: &str) -> Result<String, BadPath> {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop().ok_or(BadPath::AboveRoot)?;
                }
                if last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in kept {
        out.push('/');
        out.push_str(segment);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_way_to_write_a_path() {
        let cases = [
            ("/", "/"),
            ("/v1/products", "/v1/products"),
            ("/v1/%70roducts", "/v1/products"),
            ("/a%2fb", "/a%2Fb"),
            ("/a/./b", "/a/b"),
            ("/a/b/../c", "/a/c"),
            ("/a/%2e%2E/c", "/c"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/a//b", "/a//b"),
            ("/.well-known/jwks.json", "/.well-known/jwks.json"),
            ("/a/...", "/a/..."),
            ("/caf\u{e9}", "/caf%C3%A9"),
            ("/caf%c3%a9", "/caf%C3%A9"),
        ];
        for (path, normal) in cases {
            assert_eq!(normalise(path).as_deref(), Ok(normal), "{path}");
        }
    }

    #[test]
    fn what_servers_disagree_about_is_refused() {
        let cases = [
            ("a", BadPath::Relative),
            ("*", BadPath::Relative),
            ("/..", BadPath::AboveRoot),
            ("/a/../../b", BadPath::AboveRoot),
            ("/a%00", BadPath::Character),
            ("/a%5cb", BadPath::Character),
            ("/a\\b", BadPath::Character),
            ("/a%0a", BadPath::Character),
            ("/a%", BadPath::Escape),
            ("/a%4", BadPath::Escape),
            ("/a%zz", BadPath::Escape),
            ("/a%\u{e9}", BadPath::Escape),
        ];
        for (path, wrong) in cases {
            assert_eq!(normalise(path), Err(wrong), "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_normal_form_stays_as_it_is(path in "(/[a-zA-Z0-9.%~ -]{0,5}){1,6}") {
            if let Ok(normal) = normalise(&path) {
                let again = normalise(&normal).map(Cow::into_owned);
                prop_assert_eq!(again, Ok(normal.to_string()));
                prop_assert!(normal.starts_with('/'));
                prop_assert!(!normal.split('/').any(|segment| segment == "." || segment == ".."));
            }
        }
    }
}
