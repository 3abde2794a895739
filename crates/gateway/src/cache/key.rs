//! What an answer is stored under. A key is the list of its parts, each behind its length: no two
//! lists look alike, whatever is in the parts.

use http::header::{COOKIE, HOST};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Uri};
use platform::context::RequestContext;

use super::CacheSettings;

/// Parts, each behind its length.
pub(crate) type Key = Box<[u8]>;

/// Stands for the retrieval of a representation, by GET or HEAD: the only class that is stored.
const RETRIEVAL: u8 = 1;

/// Makes keys as a route wants them.
#[derive(Debug)]
pub(crate) struct Keyer {
    zone: Box<str>,
    query: QueryRule,
    sorted: bool,
    headers: Box<[HeaderName]>,
    cookies: Box<[String]>,
}

#[derive(Debug)]
enum QueryRule {
    All,
    Only(Box<[String]>),
    Except(Box<[String]>),
}

/// Where a request goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) scheme: &'a str,
    /// As the client spells it.
    pub(crate) authority: &'a str,
    /// By which it was led here: the same, but where a proxy names another one to its client.
    pub(crate) routed: &'a str,
    pub(crate) uri: &'a Uri,
}

impl Target<'_> {
    /// Does something with the target of a request as its client has named it: where a trusted proxy tells
    /// the scheme and the host, these count, as the upstream hears of them, too. An authority in the target
    /// counts more than `Host` (RFC 9110, section 7.2).
    pub(crate) fn with<R>(uri: &Uri, headers: &HeaderMap, look: impl FnOnce(Target<'_>) -> R) -> R {
        let host = || headers.get(HOST)?.to_str().ok();
        let named = uri.authority().map(|authority| authority.as_str());
        let routed = named.or_else(host).unwrap_or_default();
        RequestContext::with_current(|context| {
            let origin = context.and_then(RequestContext::origin);
            let scheme = origin.map(|origin| origin.scheme.as_str());
            let host = origin.and_then(|origin| origin.host.as_ref()?.to_str().ok());
            look(Target {
                scheme: scheme.or(uri.scheme_str()).unwrap_or("http"),
                authority: host.unwrap_or(routed),
                routed,
                uri,
            })
        })
    }
}

/// An authority without the port that goes without saying.
fn plain_authority<'a>(scheme: &str, authority: &'a str) -> &'a str {
    let port = if scheme == "https" { ":443" } else { ":80" };
    authority.strip_suffix(port).unwrap_or(authority)
}

/// The host of an authority, and its port if neither scheme implies it.
pub(crate) fn host(authority: &str) -> &str {
    plain_authority("https", plain_authority("http", authority))
}

impl Keyer {
    /// For a route that keeps to `zone`.
    pub(crate) fn new(zone: &str, settings: &CacheSettings) -> Self {
        let query = if !settings.query_only.is_empty() {
            QueryRule::Only(settings.query_only.clone().into())
        } else if !settings.query_except.is_empty() {
            QueryRule::Except(settings.query_except.clone().into())
        } else {
            QueryRule::All
        };
        let names = settings.key_headers.iter();
        Self {
            zone: zone.into(),
            query,
            sorted: settings.query_sorted,
            headers: names.filter_map(|name| name.parse().ok()).collect(),
            cookies: settings.key_cookies.clone().into(),
        }
    }

    /// Writes the key of a request into `out`, which is emptied first.
    pub(crate) fn write(&self, out: &mut Vec<u8>, target: Target<'_>, headers: &HeaderMap) {
        out.clear();
        out.push(RETRIEVAL);
        part(out, self.zone.as_bytes());
        part(out, target.scheme.as_bytes());
        let begin = part(
            out,
            plain_authority(target.scheme, target.authority).as_bytes(),
        );
        out[begin..].make_ascii_lowercase();
        let routed = plain_authority(target.scheme, target.routed);
        if routed.as_bytes().eq_ignore_ascii_case(&out[begin..]) {
            out.push(0);
        } else {
            out.push(1);
            let begin = part(out, routed.as_bytes());
            out[begin..].make_ascii_lowercase();
        }
        part(out, target.uri.path().as_bytes());
        match (target.uri.query(), &self.query, self.sorted) {
            (None, ..) => out.push(0),
            (Some(query), QueryRule::All, false) => {
                out.push(1);
                part(out, query.as_bytes());
            }
            (Some(query), ..) => match self.counted(query) {
                None => out.push(0),
                Some(counted) => {
                    out.push(1);
                    part(out, counted.as_bytes());
                }
            },
        }
        for name in &self.headers {
            let values = headers.get_all(name).iter();
            several(out, values.map(http::HeaderValue::as_bytes));
        }
        for name in &self.cookies {
            several(out, cookies(headers, name));
        }
    }

    /// The part of a query that counts, in the order that counts.
    fn counted(&self, query: &str) -> Option<String> {
        let counts = |pair: &&str| {
            let name = pair.split('=').next().unwrap_or(pair);
            match &self.query {
                QueryRule::All => true,
                QueryRule::Only(names) => names.iter().any(|known| known == name),
                QueryRule::Except(names) => !names.iter().any(|known| known == name),
            }
        };
        let mut pairs: Vec<&str> = query.split('&').filter(counts).collect();
        if self.sorted {
            // Stable: the order of values of one name may mean something.
            pairs.sort_by_key(|pair| pair.split('=').next().unwrap_or(pair));
        }
        (!pairs.is_empty()).then(|| pairs.join("&"))
    }

    /// The target without what does not count: what is not in the key must not shape the answer.
    pub(crate) fn upstream_target(&self, uri: &Uri) -> Option<Uri> {
        if matches!(self.query, QueryRule::All) {
            return None;
        }
        let query = uri.query()?;
        let target = match self.counted(query) {
            Some(counted) if counted == query => return None,
            Some(counted) => format!("{}?{counted}", uri.path()),
            None => uri.path().to_owned(),
        };
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
        Uri::from_parts(parts).ok()
    }
}

/// Appends `bytes` behind their length; where they begin.
pub(crate) fn part(out: &mut Vec<u8>, bytes: &[u8]) -> usize {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    let begin = out.len();
    out.extend_from_slice(bytes);
    begin
}

/// Appends several parts behind their number.
fn several<'a>(out: &mut Vec<u8>, values: impl Iterator<Item = &'a [u8]>) {
    let at = part(out, &[]) - 4;
    let mut count = 0_u32;
    for value in values {
        part(out, value);
        count += 1;
    }
    out[at..at + 4].copy_from_slice(&count.to_le_bytes());
}

fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let lines = headers.get_all(COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|b| *b == b';'));
    pairs.filter_map(move |pair| {
        pair.trim_ascii()
            .strip_prefix(name.as_bytes())?
            .strip_prefix(b"=")
    })
}

#[cfg(test)]
mod tests;
