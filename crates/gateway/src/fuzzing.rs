//! What must hold whatever comes: each function takes any bytes, and panics where a promise is not
//! kept. `cargo xtask fuzz` runs them by what is in `fuzz/`, the tests of this crate on the inputs of
//! `fuzz/corpus`.
//!
//! An input is a text in sections, so that people can read and write it. What is none is passed over.

mod cache_key;
#[cfg(test)]
mod corpus;
mod headers;
mod router;
mod table;

use http::{HeaderMap, HeaderName, HeaderValue};

pub use self::cache_key::cache_key;
pub use self::headers::headers;
pub use self::router::router;
pub use self::table::table;

/// Between two sections.
const SECTION: &str = "---\n";

/// The sections of an input, if it has so many.
fn sections<const N: usize>(data: &[u8]) -> Option<[&str; N]> {
    let text = std::str::from_utf8(data).ok()?;
    let sections: Vec<&str> = text.splitn(N, SECTION).collect();
    sections.try_into().ok()
}

/// Lines such as `name: value`; what is no field is passed over.
fn fields<'a>(lines: impl Iterator<Item = &'a str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(value.trim().as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}
