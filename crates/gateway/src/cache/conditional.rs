//! Conditions and ranges of requests that a stored answer satisfies (RFC 9110, sections 13 and 14;
//! RFC 9111, section 4.3.2).

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, DATE, ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderValue};

use super::policy::date;

/// Which fields a request has that the cache heeds. Most have none of them, and to look for one after the
/// other would cost a hit more than the store does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Heeded {
    /// `Cache-Control`.
    pub(crate) directives: bool,
    /// `Authorization`.
    pub(crate) credentials: bool,
    /// `If-Match` or `If-Unmodified-Since`.
    pub(crate) precondition: bool,
    /// `If-None-Match` or `If-Modified-Since`.
    pub(crate) condition: bool,
    /// `Range`.
    pub(crate) range: bool,
}

impl Heeded {
    /// Those of a request with these fields.
    pub(crate) fn of(request: &HeaderMap) -> Self {
        let mut heeded = Self::default();
        for name in request.keys() {
            match *name {
                CACHE_CONTROL => heeded.directives = true,
                AUTHORIZATION => heeded.credentials = true,
                IF_MATCH | IF_UNMODIFIED_SINCE => heeded.precondition = true,
                IF_NONE_MATCH | IF_MODIFIED_SINCE => heeded.condition = true,
                RANGE => heeded.range = true,
                _ => {}
            }
        }
        heeded
    }
}

/// Whether the client has what a 200 with this head would bring.
pub(crate) fn has_it(request: &HeaderMap, head: &HeaderMap) -> bool {
    if request.contains_key(IF_NONE_MATCH) {
        let tag = head.get(ETAG).map(HeaderValue::as_bytes);
        let named = request.get_all(IF_NONE_MATCH).iter();
        return named
            .map(HeaderValue::as_bytes)
            .any(|list| names(list, tag));
    }
    let Some(since) = date(request, IF_MODIFIED_SINCE) else {
        return false;
    };
    let changed = date(head, LAST_MODIFIED).or_else(|| date(head, DATE));
    changed.is_some_and(|changed| changed <= since)
}

/// Whether a list of tags names `tag`, by the weak comparison.
fn names(mut list: &[u8], tag: Option<&[u8]>) -> bool {
    let opaque = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_owned();
    if list.trim_ascii() == b"*" {
        return true;
    }
    let Some(tag) = tag.map(opaque) else {
        return false;
    };
    // A comma may be part of a tag, a quote may not.
    while let Some(begin) = list.iter().position(|b| *b == b'"') {
        let Some(length) = list[begin + 1..].iter().position(|b| *b == b'"') else {
            return false;
        };
        let end = begin + length + 2;
        if list[begin..end] == tag[..] {
            return true;
        }
        list = &list[end..];
    }
    false
}

/// What a request wants of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it, or something that may be answered with all of it.
    All,
    /// From the first of these up to before the second.
    Slice(usize, usize),
    /// Something beyond its end.
    Beyond,
}

/// What `request` wants of a body of `length` bytes. Of several ranges, all is sent.
pub(crate) fn part(request: &HeaderMap, head: &HeaderMap, length: usize) -> Part {
    let Some(value) = request.get(RANGE).filter(|_| still_the_same(request, head)) else {
        return Part::All;
    };
    let spec = value.to_str().ok().and_then(|text| {
        let (unit, spec) = text.split_once('=')?;
        unit.trim()
            .eq_ignore_ascii_case("bytes")
            .then_some(spec.trim())
    });
    let Some((first, last)) = spec.and_then(|spec| spec.split_once('-')) else {
        return Part::All;
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<usize>().unwrap_or(usize::MAX))
    };
    match (first, number(first), last, number(last)) {
        ("", _, _, Some(0)) => Part::Beyond,
        ("", _, _, Some(_)) if length == 0 => Part::Beyond,
        ("", _, _, Some(suffix)) => Part::Slice(length.saturating_sub(suffix), length),
        (_, Some(first), _, Some(last)) if last < first => Part::All,
        (_, Some(first), "", None) | (_, Some(first), _, Some(_)) if first >= length => {
            Part::Beyond
        }
        (_, Some(first), "", None) => Part::Slice(first, length),
        (_, Some(first), _, Some(last)) => Part::Slice(first, last.saturating_add(1).min(length)),
        _ => Part::All,
    }
}

/// Whether the part belongs to what the client has begun to read: by the strong comparison, as
/// parts of different bodies must not be put together.
fn still_the_same(request: &HeaderMap, head: &HeaderMap) -> bool {
    let Some(wanted) = request.get(IF_RANGE) else {
        return true;
    };
    if wanted.as_bytes().ends_with(b"\"") {
        return !wanted.as_bytes().starts_with(b"W/") && head.get(ETAG) == Some(wanted);
    }
    let (Some(changed), Some(made)) = (date(head, LAST_MODIFIED), date(head, DATE)) else {
        return false;
    };
    // Within a second of its making it may have changed again.
    made.since(changed) >= std::time::Duration::from_secs(1)
        && head.get(LAST_MODIFIED) == Some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let fields = fields.iter();
        fields
            .map(|(name, value)| (name.parse().expect("valid"), value.parse().expect("valid")))
            .collect()
    }

    #[test]
    fn tags_are_compared_weakly_and_go_before_dates() {
        let head = headers(&[
            ("etag", "\"a,b\""),
            ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ]);
        let since = ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (tags, has) in [
            ("\"a,b\"", true),
            ("\"x\", W/\"a,b\"", true),
            ("*", true),
            ("\"a\", \"b\"", false),
            ("a,b", false),
            ("\"a,b", false),
        ] {
            assert_eq!(
                has_it(&headers(&[("if-none-match", tags), since]), &head),
                has,
                "{tags}"
            );
        }
        assert!(has_it(&headers(&[since]), &head));
        let before = ("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT");
        assert!(!has_it(&headers(&[before]), &head));
        assert!(!has_it(
            &headers(&[("if-modified-since", "yesterday")]),
            &head
        ));
        assert!(!has_it(&headers(&[]), &head));
    }

    #[test]
    fn ranges() {
        let head = headers(&[("etag", "\"v\"")]);
        for (range, want) in [
            ("bytes=0-3", Part::Slice(0, 4)),
            ("bytes=3-", Part::Slice(3, 10)),
            ("bytes=-3", Part::Slice(7, 10)),
            ("bytes=-30", Part::Slice(0, 10)),
            ("bytes=5-99999999999999999999999", Part::Slice(5, 10)),
            ("bytes=10-", Part::Beyond),
            ("bytes=10-12", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=5-4", Part::All),
            ("bytes=0-1,3-4", Part::All),
            ("bytes=x-4", Part::All),
            ("lines=0-3", Part::All),
        ] {
            assert_eq!(
                part(&headers(&[("range", range)]), &head, 10),
                want,
                "{range}"
            );
        }
        for (tag, want) in [
            ("\"v\"", Part::Slice(0, 1)),
            ("\"w\"", Part::All),
            ("W/\"v\"", Part::All),
        ] {
            let request = headers(&[("range", "bytes=0-0"), ("if-range", tag)]);
            assert_eq!(part(&request, &head, 10), want, "{tag}");
        }
    }
}
