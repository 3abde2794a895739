//! What a request presents to say who it is from.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::refusal::Refused;

/// The longest token or key.
const LIMIT: usize = 8 << 10;
const BEARER: &str = "Bearer ";

/// One credential, or none.
#[derive(Debug, Clone)]
pub(super) enum Presented {
    Nobody,
    /// A key in a header of its own.
    Key(HeaderName, HeaderValue),
    /// A token or key in `Authorization`.
    Bearer(HeaderValue),
}

impl Presented {
    /// Looks in `headers` first, then for `Bearer`. Two at once would leave open who calls.
    pub(super) fn find<'a>(
        headers: &HeaderMap,
        mut names: impl Iterator<Item = &'a HeaderName>,
    ) -> Result<Self, Refused> {
        let key = names.find_map(|name| Some((name, headers.get(name)?)));
        let (name, value) = match key {
            Some(found) => found,
            None => match headers.get(AUTHORIZATION) {
                Some(value) => (&AUTHORIZATION, value),
                None => return Ok(Self::Nobody),
            },
        };
        if headers.get_all(name).iter().nth(1).is_some() {
            return Err(Refused::BadToken("there is more than one"));
        }
        let text = value
            .to_str()
            .map_err(|_| Refused::BadToken("it is no text"))?;
        if text.len() > LIMIT {
            return Err(Refused::BadToken("it is too long"));
        }
        let value = value.clone();
        if key.is_some() {
            return Ok(Self::Key(name.clone(), value));
        }
        let scheme = text.get(..BEARER.len());
        if scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(BEARER)) {
            Ok(Self::Bearer(value))
        } else {
            // Another scheme is for the upstream.
            Ok(Self::Nobody)
        }
    }

    /// The credential itself.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Nobody => "",
            Self::Key(_, value) => value.to_str().unwrap_or_default().trim(),
            Self::Bearer(value) => {
                let text = value.to_str().unwrap_or_default();
                text.get(BEARER.len()..).unwrap_or_default().trim()
            }
        }
    }
}
