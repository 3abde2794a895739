//! Two requests have one key if, and only if, nothing that counts tells them apart.

use http::HeaderMap;
use http::header::COOKIE;
use http::uri::Uri;

use super::{fields, sections};
use crate::cache::key::{Keyer, Target};
use crate::cache::{CacheSettings, StoreSettings};

/// The settings of a route, and two requests:
///
/// ```text
/// query_except = ["utm"]
/// ---
/// http shop.example /a?b=1
/// accept: text/html
/// ---
/// https shop.example:443 /a?b=1&utm=2
/// ```
pub fn cache_key(data: &[u8]) {
    let Some([settings, one, two]) = sections::<3>(data) else {
        return;
    };
    let settings: Result<CacheSettings, _> = toml::from_str(settings);
    let (Ok(settings), Some(one), Some(two)) = (settings, Asked::read(one), Asked::read(two))
    else {
        return;
    };
    if !settings.faults(&StoreSettings::default()).is_empty() {
        return;
    }
    let keyer = Keyer::new("zone", &settings);
    let key = |asked: &Asked<'_>| {
        let mut key = vec![0xff];
        keyer.write(&mut key, asked.target(), &asked.headers);
        key
    };
    let alike = one.counts(&settings) == two.counts(&settings);
    assert_eq!(key(&one) == key(&two), alike);
    let seen = |asked: &Asked<'_>| {
        keyer
            .upstream_target(&asked.uri)
            .unwrap_or(asked.uri.clone())
    };
    let restricted = !settings.query_only.is_empty() || !settings.query_except.is_empty();
    if alike && restricted && !settings.query_sorted {
        // What does not count may not shape the answer.
        let (one, two) = (seen(&one), seen(&two));
        assert_eq!(one.path_and_query(), two.path_and_query());
    }
}

struct Asked<'a> {
    scheme: &'a str,
    authority: &'a str,
    uri: Uri,
    headers: HeaderMap,
}

/// What tells requests apart.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    scheme: String,
    authority: String,
    path: String,
    query: Option<Vec<String>>,
    headers: Vec<Vec<Vec<u8>>>,
    cookies: Vec<Vec<Vec<u8>>>,
}

impl<'a> Asked<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut lines = text.lines();
        let mut words = lines.next()?.split(' ');
        let scheme = words
            .next()
            .filter(|scheme| matches!(*scheme, "http" | "https"))?;
        let authority = words.next()?;
        let uri: Uri = words
            .next()
            .filter(|target| target.starts_with('/'))?
            .parse()
            .ok()?;
        let headers = fields(lines);
        Some(Self {
            scheme,
            authority,
            uri,
            headers,
        })
    }

    fn target(&self) -> Target<'_> {
        Target {
            scheme: self.scheme,
            authority: self.authority,
            routed: self.authority,
            uri: &self.uri,
        }
    }

    fn counts(&self, settings: &CacheSettings) -> Counts {
        let port = if self.scheme == "http" { ":80" } else { ":443" };
        let authority = self.authority.strip_suffix(port).unwrap_or(self.authority);
        let values = |name: &String| {
            let values = self.headers.get_all(name.as_str()).iter();
            values.map(|value| value.as_bytes().to_vec()).collect()
        };
        let cookies = |name: &String| self.cookies(name);
        Counts {
            scheme: self.scheme.to_owned(),
            authority: authority.to_ascii_lowercase(),
            path: self.uri.path().to_owned(),
            query: self.query(settings),
            headers: settings.key_headers.iter().map(values).collect(),
            cookies: settings.key_cookies.iter().map(cookies).collect(),
        }
    }

    /// The pairs that count; no query is the same as one of which nothing counts.
    fn query(&self, settings: &CacheSettings) -> Option<Vec<String>> {
        let query = self.uri.query()?;
        let (only, except) = (&settings.query_only, &settings.query_except);
        let name = |pair: &str| {
            pair.split_once('=')
                .map_or(pair, |(name, _)| name)
                .to_owned()
        };
        let pairs = query.split('&').map(str::to_owned);
        let mut pairs: Vec<String> = pairs
            .filter(|pair| only.is_empty() || only.contains(&name(pair)))
            .filter(|pair| !only.is_empty() || !except.contains(&name(pair)))
            .collect();
        if settings.query_sorted {
            pairs.sort_by_key(|pair| name(pair));
        }
        (!pairs.is_empty()).then_some(pairs)
    }

    fn cookies(&self, name: &str) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for line in self.headers.get_all(COOKIE) {
            for pair in line.as_bytes().split(|byte| *byte == b';') {
                let pair = pair.trim_ascii();
                let Some(at) = pair.iter().position(|byte| *byte == b'=') else {
                    continue;
                };
                if &pair[..at] == name.as_bytes() {
                    found.push(pair[at + 1..].to_vec());
                }
            }
        }
        found
    }
}
