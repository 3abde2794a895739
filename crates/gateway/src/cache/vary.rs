//! Which request fields choose between several answers to one target (RFC 9111, section 4.1).

use http::header::{ACCEPT, ACCEPT_CHARSET, ACCEPT_ENCODING, ACCEPT_LANGUAGE, VARY};
use http::{HeaderMap, HeaderName};
use platform::http::entry::{REQUEST_ID, TRACEPARENT};

use crate::client_address::is_of_client;

/// More names than anybody means.
const NAMES: usize = 16;

/// The fields that an answer names in `Vary`, with what the request said that it answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selecting(pub(crate) Box<[Said]>);

/// What a request said in a field.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) name: HeaderName,
    /// In the form in which requests are compared; `None` if it did not send the field.
    pub(crate) normal: Option<Box<[u8]>>,
    /// As it was sent, if in one line: most requests send the same, byte for byte.
    sent: Option<Box<[u8]>>,
}

impl PartialEq for Said {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.normal == other.normal
    }
}

impl Eq for Said {}

impl Selecting {
    /// `None` if no request is like another.
    pub(crate) fn of(answer: &HeaderMap, request: &HeaderMap) -> Option<Self> {
        let mut names = Vec::new();
        for value in answer.get_all(VARY) {
            for name in value.as_bytes().split(|b| *b == b',') {
                let name = name.trim_ascii();
                if !name.is_empty() {
                    let name = HeaderName::from_bytes(name).ok();
                    names.push(name.filter(|name| name != "*" && !differs(name))?);
                }
            }
        }
        if names.len() > NAMES {
            return None;
        }
        names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        names.dedup();
        Some(Self::by(names, request))
    }

    /// What `request` says in the fields `names`.
    pub(crate) fn by(names: impl IntoIterator<Item = HeaderName>, request: &HeaderMap) -> Self {
        let said = names.into_iter().map(|name| Said {
            normal: normal(&name, request).map(Vec::into_boxed_slice),
            sent: only_line(&name, request).map(Into::into),
            name,
        });
        Self(said.collect())
    }

    /// Whether `request` says the same.
    pub(crate) fn matches(&self, request: &HeaderMap) -> bool {
        self.0.iter().all(|said| {
            if said.sent.is_some() && only_line(&said.name, request) == said.sent.as_deref() {
                return true;
            }
            match (&said.normal, request.contains_key(&said.name)) {
                (None, present) => !present,
                (Some(_), false) => false,
                (Some(same), true) => normal(&said.name, request).as_deref() == Some(&**same),
            }
        })
    }

    /// Bytes in memory.
    pub(crate) fn bytes(&self) -> usize {
        let length = |text: &Option<Box<[u8]>>| text.as_ref().map_or(0, |text| text.len());
        let said = self.0.iter();
        said.map(|said| 96 + said.name.as_str().len() + length(&said.normal) + length(&said.sent))
            .sum()
    }
}

/// Whether the gateway says something else in it with each request: no two are alike then. What it says of
/// scheme and host is in the key.
fn differs(name: &HeaderName) -> bool {
    is_of_client(name) || [TRACEPARENT, REQUEST_ID].contains(name)
}

/// The value of a field that was sent in one line.
fn only_line<'a>(name: &HeaderName, request: &'a HeaderMap) -> Option<&'a [u8]> {
    let mut lines = request.get_all(name).iter();
    let first = lines.next()?;
    lines.next().is_none().then(|| first.as_bytes())
}

/// The value of a field in a form that two requests share which mean the same: lines are joined,
/// blanks around commas are dropped, negotiation does not mind case, and of the content codings
/// only which ones are accepted counts.
fn normal(name: &HeaderName, request: &HeaderMap) -> Option<Vec<u8>> {
    let mut members: Vec<&[u8]> = Vec::new();
    for value in request.get_all(name) {
        members.extend(
            value
                .as_bytes()
                .split(|b| *b == b',')
                .map(<[u8]>::trim_ascii),
        );
    }
    if members.is_empty() {
        return None;
    }
    let negotiated = [ACCEPT, ACCEPT_CHARSET, ACCEPT_ENCODING, ACCEPT_LANGUAGE].contains(name);
    if !negotiated {
        return Some(members.join(&b','));
    }
    let mut members: Vec<Vec<u8>> = members.iter().map(|m| m.to_ascii_lowercase()).collect();
    if *name == ACCEPT_ENCODING {
        members.retain(|member| !member.is_empty() && !refused(member));
        for member in &mut members {
            let end = member
                .iter()
                .position(|b| *b == b';')
                .unwrap_or(member.len());
            member.truncate(member[..end].trim_ascii_end().len());
        }
        members.sort_unstable();
        members.dedup();
    }
    Some(members.join(&b','))
}

/// Whether the weight of a coding is zero.
fn refused(member: &[u8]) -> bool {
    let weight = member.split(|b| *b == b';').skip(1).find_map(|parameter| {
        let parameter = parameter.trim_ascii();
        parameter.strip_prefix(b"q=")
    });
    weight.is_some_and(|weight| weight.iter().all(|b| matches!(b, b'0' | b'.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &'static str, value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("valid"));
        headers
    }

    fn alike(name: &'static str, one: &'static str, other: &'static str) -> bool {
        let answer = request("vary", name);
        let said = Selecting::of(&answer, &request(name, one)).expect("not *");
        said.matches(&request(name, other))
    }

    #[test]
    fn requests_that_mean_the_same_are_alike() {
        assert!(alike("accept-encoding", "gzip, br", "br;q=0.5,GZIP"));
        assert!(alike("accept-encoding", "gzip", "gzip, br;q=0.000"));
        assert!(!alike("accept-encoding", "gzip", "br"));
        assert!(alike("accept-language", "de, en", "DE,en"));
        assert!(!alike("accept-language", "de, en", "en, de"));
        assert!(alike("x-shop", "a, b", "a,b"));
        assert!(!alike("x-shop", "a", "A"));
    }

    #[test]
    fn absence_is_a_value() {
        let said = Selecting::of(&request("vary", "x-shop"), &HeaderMap::new()).expect("not *");
        assert!(said.matches(&HeaderMap::new()));
        assert!(!said.matches(&request("x-shop", "")));
    }

    #[test]
    fn nothing_is_like_an_answer_that_varies_by_everything() {
        assert_eq!(
            Selecting::of(&request("vary", "accept, *"), &HeaderMap::new()),
            None
        );
        assert_eq!(
            Selecting::of(&request("vary", "no name"), &HeaderMap::new()),
            None
        );
    }
}
