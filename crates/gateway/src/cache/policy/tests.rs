//! Tables of RFC 9111 and RFC 5861.

use http::HeaderValue;

use super::*;

const NOON: i64 = 784_036_800_000_000; // Sunday, 6 November 1994, 12:00:00 GMT.

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(NOON + seconds * 1_000_000)
}

fn gmt(seconds: i64) -> String {
    httpdate::fmt_http_date(at(seconds).into())
}

fn head(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, HeaderValue::from_str(value).expect("valid"));
    }
    headers
}

/// Asked a second before noon, answered at noon.
fn policy(fields: &[(&'static str, &str)], rules: &Rules) -> Result<Policy, &'static str> {
    let timing = Timing {
        asked: at(-1),
        answered: at(0),
        authorized: false,
    };
    Policy::of(StatusCode::OK, &head(fields), timing, rules)
}

fn lifetime(fields: &[(&'static str, &str)]) -> Option<u64> {
    let rules = Rules {
        heuristic: Duration::from_secs(3600),
        ..Rules::default()
    };
    policy(fields, &rules)
        .ok()
        .map(|policy| policy.lifetime.as_secs())
}

#[test]
fn lifetimes() {
    let (now, soon, past) = (gmt(0), gmt(60), gmt(-6000));
    let long_ago = gmt(-1_000_000);
    for (fields, wanted) in [
        (&[("cache-control", "max-age=5")][..], Some(5)),
        (&[("cache-control", "max-age=5, s-maxage=9")], Some(9)),
        (
            &[
                ("cache-control", "s-maxage=0, max-age=5"),
                ("etag", "\"a\""),
            ],
            Some(0),
        ),
        (
            &[("cache-control", "max-age=5"), ("expires", &soon)],
            Some(5),
        ),
        (&[("date", &now), ("expires", &soon)], Some(60)),
        (&[("expires", &soon)], Some(60)),
        // The lifetime is by the clock of the one who answered.
        (&[("date", &past), ("expires", &soon)], Some(6060)),
        (&[("expires", "never"), ("etag", "\"a\"")], Some(0)),
        (
            &[("expires", &soon), ("expires", &soon), ("etag", "\"a\"")],
            Some(0),
        ),
        (&[("expires", &past), ("etag", "\"a\"")], Some(0)),
        (&[("last-modified", &past)], Some(600)),
        (&[("last-modified", &long_ago)], Some(3600)),
        (
            &[("cache-control", "max-age=5"), ("last-modified", &past)],
            Some(5),
        ),
        (&[("cache-control", "public")], None),
        (&[("etag", "\"a\"")], None),
    ] {
        assert_eq!(lifetime(fields), wanted, "{fields:?}");
    }
}

#[test]
fn ages() {
    let (now, before) = (gmt(0), gmt(-7));
    for (date, told, age) in [
        (&now, None, 1),
        (&before, None, 7),
        (&before, Some("3"), 7),
        (&before, Some("20"), 21),
        (&now, Some("20, 3"), 21),
        (&now, Some("old"), 1),
        (&now, Some("99999999999"), (1 << 31) + 1),
    ] {
        let mut fields = vec![("cache-control", "max-age=60"), ("date", date.as_str())];
        fields.extend(told.map(|told| ("age", told)));
        let policy = policy(&fields, &Rules::default()).expect("storable");
        assert_eq!(policy.age(at(0)).as_secs(), age, "{fields:?}");
        assert_eq!(policy.age(at(10)).as_secs(), age + 10, "{fields:?}");
    }
}

#[test]
fn verdicts() {
    use Verdict::{Fresh, Stale, Validate, WhileRevalidated};
    // Age 1 at noon: fresh for 9 more seconds.
    for (told, asks, after, wanted) in [
        ("max-age=10", "", 8, Fresh),
        ("max-age=10", "", 9, Validate),
        ("max-age=10", "no-cache", 0, Validate),
        ("max-age=10", "max-age=5", 4, Fresh),
        ("max-age=10", "max-age=5", 5, Validate),
        ("max-age=10", "min-fresh=4", 4, Fresh),
        ("max-age=10", "min-fresh=4", 5, Validate),
        ("max-age=10", "max-stale=3", 12, Stale),
        ("max-age=10", "max-stale=3", 13, Validate),
        ("max-age=10", "max-stale", 1_000_000, Stale),
        ("max-age=10", "max-stale, max-age=11", 12, Validate),
        ("max-age=10, must-revalidate", "max-stale", 12, Validate),
        ("max-age=10, proxy-revalidate", "max-stale", 12, Validate),
        ("s-maxage=10", "max-stale", 12, Validate),
        (
            "max-age=10, stale-while-revalidate=5",
            "",
            13,
            WhileRevalidated,
        ),
        ("max-age=10, stale-while-revalidate=5", "", 14, Validate),
        (
            "max-age=10, stale-while-revalidate=5",
            "min-fresh=1",
            10,
            Validate,
        ),
        (
            "s-maxage=10, stale-while-revalidate=5",
            "",
            13,
            WhileRevalidated,
        ),
        (
            "max-age=10, stale-while-revalidate=5, must-revalidate",
            "",
            13,
            Validate,
        ),
        ("max-age=10, no-cache", "max-stale", 0, Validate),
    ] {
        let fields = [("cache-control", told), ("etag", "\"a\"")];
        let policy = policy(&fields, &Rules::default()).expect("storable");
        let asks = Directives::of(&head(&[("cache-control", asks)]));
        assert_eq!(
            policy.verdict(at(after), None, &asks),
            wanted,
            "{told} {asks:?} {after}"
        );
    }
}

#[test]
fn a_soft_purge_ends_freshness() {
    let fields = [("cache-control", "max-age=100, stale-while-revalidate=5")];
    let policy = policy(&fields, &Rules::default()).expect("storable");
    let none = Directives::default();
    let stopped = Some(at(10));
    assert_eq!(
        policy.verdict(at(14), stopped, &none),
        Verdict::WhileRevalidated
    );
    assert_eq!(policy.verdict(at(15), stopped, &none), Verdict::Validate);
}

#[test]
fn standing_in() {
    for (told, asks, after, wanted) in [
        ("max-age=10, stale-if-error=5", "", 13, true),
        ("max-age=10, stale-if-error=5", "", 14, false),
        (
            "max-age=10, stale-if-error=5",
            "stale-if-error=0",
            13,
            false,
        ),
        ("max-age=10", "stale-if-error=5", 13, true),
        ("max-age=10", "", 13, true),
        ("max-age=10", "", 19, false),
        ("s-maxage=10", "", 13, false),
        ("s-maxage=10, stale-if-error=5", "", 13, true),
        ("max-age=10, must-revalidate", "stale-if-error=5", 13, false),
        ("max-age=10, no-cache, stale-if-error=5", "", 13, false),
    ] {
        let rules = Rules {
            if_error: Duration::from_secs(10),
            ..Rules::default()
        };
        let fields = [("cache-control", told), ("etag", "\"a\"")];
        let policy = policy(&fields, &rules).expect("storable");
        let asks = Directives::of(&head(&[("cache-control", asks)]));
        assert_eq!(
            policy.stands_in(at(after), None, &asks),
            wanted,
            "{told} {asks:?} {after}"
        );
    }
}

#[test]
fn must_understand_replaces_no_store() {
    let timing = Timing {
        asked: at(0),
        answered: at(0),
        authorized: false,
    };
    let fields = head(&[("cache-control", "must-understand, no-store, max-age=5")]);
    let of = |status: u16| {
        let status = StatusCode::from_u16(status).expect("a status");
        Policy::of(status, &fields, timing, &Rules::default()).map(|policy| policy.lifetime)
    };
    assert_eq!(of(200), Ok(Duration::from_secs(5)));
    assert_eq!(of(299), Err("status"));
}

#[test]
fn redirections_for_a_while_are_not_guessed_at() {
    let rules = Rules {
        heuristic: Duration::from_secs(3600),
        ..Rules::default()
    };
    let timing = Timing {
        asked: at(0),
        answered: at(0),
        authorized: false,
    };
    let changed = gmt(-6000);
    let fields = head(&[("last-modified", &changed)]);
    assert!(Policy::of(StatusCode::MOVED_PERMANENTLY, &fields, timing, &rules).is_ok());
    assert_eq!(
        Policy::of(StatusCode::FOUND, &fields, timing, &rules),
        Err("no-lifetime")
    );
}
