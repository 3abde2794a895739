//! Different requests never share a key; requests that mean the same do.

use proptest::prelude::*;

use super::*;

fn key(keyer: &Keyer, scheme: &str, authority: &str, uri: &str, headers: &HeaderMap) -> Key {
    let uri: Uri = uri.parse().expect("a target");
    let target = Target {
        scheme,
        authority,
        routed: authority,
        uri: &uri,
    };
    let mut out = Vec::new();
    keyer.write(&mut out, target, headers);
    out.into()
}

fn bare(keyer: &Keyer, uri: &str) -> Key {
    key(keyer, "http", "a", uri, &HeaderMap::new())
}

fn keyer(settings: &CacheSettings) -> Keyer {
    Keyer::new("zone", settings)
}

type Asked = (
    String,
    String,
    String,
    Option<String>,
    Vec<String>,
    Vec<String>,
);

fn asked() -> impl Strategy<Value = Asked> {
    let values = || prop::collection::vec("[a-b\\x01]{0,2}", 0..3);
    let scheme = prop::sample::select(vec![String::from("http"), String::from("https")]);
    let query = prop::option::of("[ab&=]{0,4}");
    (
        scheme,
        "[ab]{0,3}",
        "/[ab/]{0,3}",
        query,
        values(),
        prop::collection::vec("[ab]{0,2}", 0..3),
    )
}

fn key_of(asked: &Asked) -> Key {
    let settings = CacheSettings {
        key_headers: vec!["x-one".into()],
        key_cookies: vec!["c".into()],
        ..CacheSettings::default()
    };
    let (scheme, authority, path, query, values, cookies) = asked;
    let mut headers = HeaderMap::new();
    for value in values {
        let value = value.replace('\u{1}', "\t");
        headers.append("x-one", value.parse().expect("valid"));
    }
    for cookie in cookies {
        headers.append(COOKIE, format!("c={cookie}").parse().expect("valid"));
    }
    let uri = query
        .as_ref()
        .map_or(path.clone(), |query| format!("{path}?{query}"));
    key(&keyer(&settings), scheme, authority, &uri, &headers)
}

proptest! {
    #[test]
    fn different_requests_never_share_a_key(one in asked(), other in asked()) {
        prop_assert_eq!(one == other, key_of(&one) == key_of(&other));
    }

    #[test]
    fn what_does_not_count_makes_no_difference(
        kept in prop::collection::vec(("[ab]", "[0-9]{0,2}"), 0..4),
        noise in prop::collection::vec(("[xy]", "[0-9]{0,2}"), 0..4),
        order in any::<prop::sample::Index>(),
    ) {
        let settings = CacheSettings {
            query_only: vec!["a".into(), "b".into()],
            query_sorted: true,
            ..CacheSettings::default()
        };
        let keyer = keyer(&settings);
        let text = |pairs: &[(String, String)]| {
            let pairs: Vec<String> = pairs.iter().map(|(n, v)| format!("{n}={v}")).collect();
            pairs.join("&")
        };
        let mut mixed = kept.clone();
        mixed.sort_by(|one, other| one.0.cmp(&other.0));
        let at = order.index(mixed.len() + 1);
        mixed.splice(at..at, noise);
        let plain = bare(&keyer, &format!("/p?{}", text(&kept)));
        prop_assert_eq!(plain, bare(&keyer, &format!("/p?{}", text(&mixed))));
    }
}

#[test]
fn hosts_are_compared_as_hosts() {
    let keyer = keyer(&CacheSettings::default());
    let none = HeaderMap::new();
    assert_eq!(
        key(&keyer, "http", "SHOP.example", "/", &none),
        key(&keyer, "http", "shop.example", "/", &none)
    );
    let at = |scheme, authority| key(&keyer, scheme, authority, "/", &none);
    assert_eq!(at("http", "a:80"), at("http", "a"));
    assert_eq!(at("https", "a:443"), at("https", "a"));
    assert_ne!(at("http", "a:443"), at("http", "a"), "another origin");
    assert_ne!(bare(&keyer, "/A"), bare(&keyer, "/a"));
    assert_ne!(bare(&keyer, "/a?"), bare(&keyer, "/a"));
}

#[test]
fn zones_are_apart() {
    let settings = CacheSettings::default();
    assert_ne!(
        bare(&Keyer::new("a", &settings), "/"),
        bare(&Keyer::new("b", &settings), "/")
    );
}

#[test]
fn what_does_not_count_does_not_reach_the_upstream() {
    let settings = CacheSettings {
        query_except: vec!["utm".into()],
        ..CacheSettings::default()
    };
    let keyer = keyer(&settings);
    let sent = |uri: &str| {
        keyer
            .upstream_target(&uri.parse().expect("a target"))
            .map(|uri| uri.to_string())
    };
    assert_eq!(sent("/p?a=1&utm=2&b"), Some("/p?a=1&b".into()));
    assert_eq!(sent("/p?utm=2"), Some("/p".into()));
    assert_eq!(sent("/p?a=1"), None);
    assert_eq!(bare(&keyer, "/p?utm=2"), bare(&keyer, "/p"));
    // Spelled otherwise it is another parameter, in the key as well as upstream.
    assert_eq!(sent("/p?%75tm=2"), None);
    assert_ne!(bare(&keyer, "/p?%75tm=2"), bare(&keyer, "/p"));
}

#[test]
fn what_was_led_here_by_another_host_is_another_answer() {
    let uri: Uri = "/a".parse().expect("a target");
    let key = |authority, routed| {
        let target = Target {
            scheme: "http",
            authority,
            routed,
            uri: &uri,
        };
        let mut out = Vec::new();
        keyer(&CacheSettings::default()).write(&mut out, target, &HeaderMap::new());
        out
    };
    assert_eq!(
        key("a.example", "A.example:80"),
        key("a.example", "a.example")
    );
    assert_ne!(key("a.example", "b.example"), key("a.example", "a.example"));
    assert_ne!(key("a.example", "b.example"), key("b.example", "b.example"));
}
