//! `Cache-Control` (RFC 9111, section 5.2), and `CDN-Cache-Control` (RFC 9213), which replaces it
//! for caches like this one.

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName};

pub(crate) const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");

/// The largest number of seconds that counts (RFC 9111, section 1.2.2).
const FOREVER: u32 = 1 << 31;

/// The directives that a cache knows, of requests and of answers. A directive that names fields,
/// as in `private="a"`, counts as if it named none, which is the stricter reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Directives {
    pub(crate) no_store: bool,
    pub(crate) no_cache: bool,
    pub(crate) private: bool,
    pub(crate) public: bool,
    pub(crate) must_revalidate: bool,
    pub(crate) proxy_revalidate: bool,
    pub(crate) must_understand: bool,
    pub(crate) only_if_cached: bool,
    pub(crate) max_age: Option<u32>,
    pub(crate) s_maxage: Option<u32>,
    pub(crate) min_fresh: Option<u32>,
    pub(crate) max_stale: Option<u32>,
    pub(crate) stale_while_revalidate: Option<u32>,
    pub(crate) stale_if_error: Option<u32>,
}

impl Directives {
    /// Those of `Cache-Control`.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        for value in headers.get_all(CACHE_CONTROL) {
            for (name, argument) in members(value.as_bytes()) {
                directives.add(&name.to_ascii_lowercase(), argument, false);
            }
        }
        directives
    }

    /// Those of an answer that are meant for this cache, and whether they were meant for it only:
    /// then `Cache-Control` and `Expires` do not count.
    pub(crate) fn of_answer(headers: &HeaderMap) -> (Self, bool) {
        match Self::targeted(headers) {
            Some(directives) => (directives, true),
            None => (Self::of(headers), false),
        }
    }

    /// `CDN-Cache-Control` is a dictionary (RFC 9651): one fault anywhere, and it is not there.
    fn targeted(headers: &HeaderMap) -> Option<Self> {
        let mut directives = Self::default();
        let mut any = false;
        for value in headers.get_all(CDN_CACHE_CONTROL) {
            for (name, argument) in members(value.as_bytes()) {
                let argument = match argument {
                    Some(text) => Some(item(text)?),
                    None => None,
                };
                // Parameters of a member are allowed, and mean nothing.
                let name = name.split(';').next().unwrap_or(name).trim_end();
                let lower = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
                let plain = name.bytes().all(|b| lower(&b) || b"_-.*".contains(&b));
                if !plain || name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
                    return None;
                }
                any = true;
                if argument != Some("?0") {
                    directives.add(name, argument, true);
                }
            }
        }
        any.then_some(directives)
    }

    /// The first of several counts in `Cache-Control`, the last in a dictionary.
    fn add(&mut self, name: &str, argument: Option<&str>, last: bool) {
        // What cannot be read is as old as can be (RFC 9111, section 4.2.1).
        let age = || Some(argument.and_then(seconds).unwrap_or(0));
        let grant = || Some(argument.and_then(seconds).unwrap_or(0));
        let mut set = |slot: fn(&mut Self) -> &mut Option<u32>, value: Option<u32>| {
            let slot = slot(self);
            if last || slot.is_none() {
                *slot = value;
            }
        };
        match name {
            "max-age" => set(|d| &mut d.max_age, age()),
            "s-maxage" => set(|d| &mut d.s_maxage, age()),
            "min-fresh" => set(|d| &mut d.min_fresh, grant()),
            "max-stale" => set(
                |d| &mut d.max_stale,
                argument.map_or(Some(FOREVER), |text| Some(seconds(text).unwrap_or(0))),
            ),
            "stale-while-revalidate" => set(|d| &mut d.stale_while_revalidate, grant()),
            "stale-if-error" => set(|d| &mut d.stale_if_error, grant()),
            "no-store" => self.no_store = true,
            "no-cache" => self.no_cache = true,
            "private" => self.private = true,
            "public" => self.public = true,
            "must-revalidate" => self.must_revalidate = true,
            "proxy-revalidate" => self.proxy_revalidate = true,
            "must-understand" => self.must_understand = true,
            "only-if-cached" => self.only_if_cached = true,
            _ => {}
        }
    }
}

/// Seconds, quoted or not; what is too large is the largest.
pub(crate) fn seconds(text: &str) -> Option<u32> {
    let digits = text.trim_matches('"');
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(FOREVER).min(FOREVER))
}

/// An item of a dictionary without its parameters; `None` if it is none.
fn item(text: &str) -> Option<&str> {
    if text.starts_with('"') {
        return (text.len() > 1 && text.ends_with('"')).then_some(text);
    }
    let bare = text.split(';').next().unwrap_or(text).trim_end();
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/?=".contains(&b);
    (!bare.is_empty() && bare.bytes().all(token)).then_some(bare)
}

/// The members of a comma-separated list, each with what follows its `=`; commas in quotes
/// separate nothing.
fn members(value: &[u8]) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut quoted = false;
    let mut escaped = false;
    let split = move |b: &u8| {
        let plain = !std::mem::take(&mut escaped);
        match b {
            b'"' if plain => quoted = !quoted,
            b'\\' if quoted && plain => escaped = true,
            _ => {}
        }
        *b == b',' && !quoted
    };
    let texts = value
        .split(split)
        .filter_map(|part| std::str::from_utf8(part).ok());
    texts
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(|text| {
            text.split_once('=')
                .map_or((text, None), |(name, argument)| {
                    (name.trim_end(), Some(argument.trim_start()))
                })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &'static str) -> Directives {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, text.parse().expect("valid"));
        Directives::of(&headers)
    }

    fn for_cdn(text: &'static str) -> (Directives, bool) {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, "no-store".parse().expect("valid"));
        headers.insert(CDN_CACHE_CONTROL, text.parse().expect("valid"));
        Directives::of_answer(&headers)
    }

    #[test]
    fn directives_are_read_as_people_write_them() {
        let read = of("Public , MAX-AGE=\"60\", s-maxage=10, ,private=\"a, max-age=1\", x=y");
        assert!(read.public && read.private);
        assert_eq!((read.max_age, read.s_maxage), (Some(60), Some(10)));
    }

    #[test]
    fn what_cannot_be_read_is_stale_and_the_first_counts() {
        for wrong in ["max-age=abc", "max-age", "max-age=-1", "max-age=1.5"] {
            assert_eq!(of(wrong).max_age, Some(0), "{wrong}");
        }
        assert_eq!(of("max-age=1, max-age=2").max_age, Some(1));
        assert_eq!(of("max-age=99999999999999").max_age, Some(FOREVER));
        assert_eq!(of("max-stale").max_stale, Some(FOREVER));
        assert_eq!(of("max-stale=5").max_stale, Some(5));
    }

    #[test]
    fn a_targeted_field_replaces_the_others_if_it_can_be_read() {
        let (read, targeted) = for_cdn("max-age=600;x, stale-if-error=9, no-cache=?0");
        assert!(targeted && !read.no_store && !read.no_cache);
        assert_eq!((read.max_age, read.stale_if_error), (Some(600), Some(9)));
        assert_eq!(for_cdn("max-age=1, max-age=2").0.max_age, Some(2));
        for wrong in [
            "",
            "Max-Age=600",
            "max-age=",
            "max-age=6 0",
            "max-age=600, \"x\"",
        ] {
            let (read, targeted) = for_cdn(wrong);
            assert!(read.no_store && !targeted, "{wrong}");
        }
    }
}
