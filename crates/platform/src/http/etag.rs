//! Versions of what is shown, and conditions on them (RFC 9110, section 13).

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::header::IF_MATCH;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use kernel::problem::codes;
use kernel::{Kind, Problem};

/// A strong entity tag: the version of the row, and, where the answer shows more than the row,
/// a fingerprint of the rest. `If-Match` looks at the version only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag {
    version: i64,
    rest: Option<u32>,
}

impl ETag {
    /// The tag of something that is its row.
    pub const fn version(version: i64) -> Self {
        Self {
            version,
            rest: None,
        }
    }

    /// The tag of something that is its row and more, `rest` being what the more looks like.
    pub const fn with_rest(version: i64, rest: u32) -> Self {
        Self {
            version,
            rest: Some(rest),
        }
    }

    /// The tag of something that is its row and more, as `body` shows it.
    pub fn covering(version: i64, body: &[u8]) -> Self {
        // FNV-1a, 32 bits: it need not resist anybody, only tell two answers apart.
        let hash = body.iter().fold(0x811c_9dc5_u32, |hash, &byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        Self::with_rest(version, hash)
    }

    /// The tag in a header.
    pub fn header(&self) -> HeaderValue {
        let text = match self.rest {
            None => format!("\"{}\"", self.version),
            Some(rest) => format!("\"{}-{rest:08x}\"", self.version),
        };
        HeaderValue::try_from(text).expect("digits and quotes")
    }

    /// Whether `If-None-Match` names exactly what would be shown.
    pub fn seen(&self, headers: &HeaderMap) -> bool {
        let mine = self.header();
        let named = headers.get_all(http::header::IF_NONE_MATCH).iter();
        named.filter_map(|value| value.to_str().ok()).any(|list| {
            list.split(',')
                .map(str::trim)
                .any(|tag| tag == "*" || tag.trim_start_matches("W/").as_bytes() == mine.as_bytes())
        })
    }
}

/// The versions that the client is willing to change; extracted from `If-Match`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IfMatch(Option<String>);

impl IfMatch {
    /// Of a client that names its version in another way than by the header.
    pub fn version(version: i64) -> Self {
        Self(Some(version.to_string()))
    }

    /// Fails with 412 if the client names versions and `version` is not among them.
    pub fn check(&self, version: i64) -> Result<(), Problem> {
        let Some(list) = &self.0 else { return Ok(()) };
        let names = |tag: &str| {
            let inner = tag.trim().trim_matches('"');
            inner == "*" || inner.split('-').next() == Some(version.to_string().as_str())
        };
        if list.split(',').any(names) {
            return Ok(());
        }
        let detail = format!("the present version is {version}; read it again and repeat");
        Err(Problem::new(Kind::Stale, codes::STALE, detail).with_context("version", version))
    }

    /// Fails with 428 if the client names no version, and with 412 as [`check`](Self::check) does.
    pub fn demand(&self, version: i64) -> Result<(), Problem> {
        if self.0.is_none() {
            let detail = "send If-Match with the ETag of the version that you have read";
            let code = codes::IF_MATCH_REQUIRED;
            return Err(Problem::new(Kind::PreconditionRequired, code, detail));
        }
        self.check(version)
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let values: Vec<&str> = parts
            .headers
            .get_all(IF_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        Ok(Self((!values.is_empty()).then(|| values.join(","))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_looks_at_the_version_only() {
        let named = IfMatch(Some(String::from("\"6\", \"7-0000abcd\"")));
        assert_eq!(named.check(7), Ok(()));
        assert_eq!(named.check(8).expect_err("stale").status, 412);
        assert_eq!(IfMatch(None).check(8), Ok(()));
        assert_eq!(IfMatch(None).demand(8).expect_err("none").status, 428);
        assert_eq!(IfMatch(Some("*".into())).demand(8), Ok(()));
    }

    #[test]
    fn the_same_version_that_looks_different_has_another_tag() {
        assert_eq!(ETag::covering(7, b"19.99"), ETag::covering(7, b"19.99"));
        assert_ne!(ETag::covering(7, b"19.99"), ETag::covering(7, b"20.00"));
    }

    #[test]
    fn if_none_match_looks_at_everything() {
        let mut headers = HeaderMap::new();
        headers.insert(
            "if-none-match",
            HeaderValue::from_static("W/\"7-0000abcd\""),
        );
        assert!(ETag::with_rest(7, 0xabcd).seen(&headers));
        assert!(!ETag::with_rest(7, 0xabce).seen(&headers));
    }
}
