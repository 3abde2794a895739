//! What a request presents to say who it is from.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::refusal::Refused;

/// The longest token or key.
const LIMIT: usize = 8 << 10;
const BEARER: &str = "Bearer ";

/// One credential, or none.
#[derive(Debug, Clone, Copy)]
pub(super) enum Presented<'a> {
    Nobody,
    /// A key in a header of its own.
    Key(&'a HeaderName, &'a str),
    /// A token or key in `Authorization`.
    Bearer(&'a str),
}

impl<'a> Presented<'a> {
    /// Looks in the headers with these `names` first, then for `Bearer`. Two at once would leave open who
    /// calls.
    pub(super) fn find(
        headers: &'a HeaderMap,
        mut names: impl Iterator<Item = &'a HeaderName>,
    ) -> Result<Self, Refused> {
        let key = names.find_map(|name| Some((name, one(headers, name).transpose()?)));
        if let Some((name, value)) = key {
            return Ok(Self::Key(name, text(value?)?.trim()));
        }
        let Some(value) = one(headers, &AUTHORIZATION)? else {
            return Ok(Self::Nobody);
        };
        let text = text(value)?;
        Ok(match text.split_at_checked(BEARER.len()) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case(BEARER) => {
                Self::Bearer(token.trim())
            }
            // Another scheme is for the upstream.
            _ => Self::Nobody,
        })
    }
}

/// The field with this name, of which there may be one.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Refused> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    match values.next() {
        None => Ok(first),
        Some(_) => Err(Refused::BadToken("there is more than one")),
    }
}

fn text(value: &HeaderValue) -> Result<&str, Refused> {
    if value.len() > LIMIT {
        return Err(Refused::BadToken("it is too long"));
    }
    value
        .to_str()
        .map_err(|_| Refused::BadToken("it is no text"))
}
