use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;

fn trusted() -> Networks {
    let networks = ["10.0.0.0/8", "2001:db8:1::/48"];
    let networks = networks.iter().map(|text| text.parse().expect("a network"));
    networks.collect()
}

fn connected(peer: &str) -> Connection {
    Connection {
        peer: SocketAddr::new(peer.parse().expect("an address"), 4711),
        encrypted: false,
    }
}

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let field = |(name, value): &(&'static str, &str)| {
        let value = HeaderValue::from_str(value).expect("a value");
        (HeaderName::from_static(name), value)
    };
    // Several fields of one name are appended.
    let mut headers = HeaderMap::new();
    for (name, value) in fields.iter().map(field) {
        headers.append(name, value);
    }
    headers
}

fn origin(peer: &str, forwarding: Forwarding, fields: &[(&'static str, &str)]) -> Origin {
    try_origin(peer, forwarding, fields).expect("readable")
}

fn try_origin(
    peer: &str,
    forwarding: Forwarding,
    fields: &[(&'static str, &str)],
) -> Result<Origin, Unreadable> {
    let mut headers = headers(fields);
    let host = headers.get(HOST).cloned();
    let origin = take(&mut headers, host, &connected(peer), &trusted(), forwarding)?;
    assert!(
        headers.keys().all(|name| *name == HOST),
        "left behind: {headers:?}"
    );
    Ok(origin)
}

fn client(peer: &str, list: &str) -> String {
    let origin = origin(peer, Forwarding::XForwarded, &[("x-forwarded-for", list)]);
    origin.client.to_string()
}

fn rfc7239(peer: &str, value: &str) -> Origin {
    let fields = [("host", "inside"), ("forwarded", value)];
    origin(peer, Forwarding::Forwarded, &fields)
}

#[test]
fn the_client_is_the_nearest_hop_that_is_not_trusted() {
    assert_eq!(client("10.0.0.1", "198.51.100.7"), "198.51.100.7");
    assert_eq!(client("10.0.0.1", "6.6.6.6, 198.51.100.7"), "198.51.100.7");
    assert_eq!(client("10.0.0.1", "198.51.100.7, 10.0.0.2"), "198.51.100.7");
    assert_eq!(client("10.0.0.1", "198.51.100.7:4711"), "198.51.100.7");
    assert_eq!(client("2001:db8:1::1", "[2001:db8::7]:1"), "2001:db8::7");
    assert_eq!(client("2001:db8:1::1", "2001:db8::7"), "2001:db8::7");
    assert_eq!(
        client("::ffff:10.0.0.1", "::ffff:198.51.100.7"),
        "198.51.100.7"
    );
    // Everybody is one of ours: the outermost of them.
    assert_eq!(client("10.0.0.1", "10.0.0.3, 10.0.0.2"), "10.0.0.3");
    // A hop that does not say who is before it is the last that is known.
    assert_eq!(client("10.0.0.1", "198.51.100.7, unknown"), "10.0.0.1");
    assert_eq!(client("10.0.0.1", "198.51.100.7, , 10.0.0.2"), "10.0.0.2");
    assert_eq!(client("10.0.0.1", ""), "10.0.0.1");
}

#[test]
fn what_a_stranger_says_is_not_believed_and_goes_no_further() {
    assert_eq!(client("203.0.113.9", "198.51.100.7"), "203.0.113.9");
    let fields = [
        ("host", "shop.example"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-prefix", "/evil"),
        ("forwarded", "for=10.0.0.1;proto=https"),
        ("x-real-ip", "10.0.0.1"),
        ("client-cert", ":AAAA:"),
    ];
    let stranger = origin("203.0.113.9", Forwarding::XForwarded, &fields);
    assert_eq!(stranger.client.to_string(), "203.0.113.9");
    assert_eq!(stranger.scheme, Scheme::Http);
    assert_eq!(
        stranger.host,
        Some(HeaderValue::from_static("shop.example"))
    );
    assert!(stranger.via.is_empty());
}

#[test]
fn a_trusted_hop_tells_scheme_and_host() {
    let fields = [
        ("host", "inside:8080"),
        ("x-forwarded-for", "198.51.100.7"),
        ("x-forwarded-proto", "http, HTTPS"),
        ("x-forwarded-host", "shop.example"),
    ];
    let seen = origin("10.0.0.1", Forwarding::XForwarded, &fields);
    assert_eq!(seen.scheme, Scheme::Https);
    assert_eq!(seen.host, Some(HeaderValue::from_static("shop.example")));
    let fields = [
        ("host", "inside"),
        ("x-forwarded-proto", "gopher"),
        ("x-forwarded-host", "a@b"),
    ];
    let odd = origin("10.0.0.1", Forwarding::XForwarded, &fields);
    assert_eq!(odd.scheme, Scheme::Http);
    assert_eq!(odd.host, Some(HeaderValue::from_static("inside")));
}

#[test]
fn only_the_field_that_the_proxies_write_is_believed() {
    // The proxy writes the one, and passes the other on from the client.
    let fields = [
        ("forwarded", "for=6.6.6.6"),
        ("x-forwarded-for", "198.51.100.7"),
    ];
    let seen = origin("10.0.0.1", Forwarding::XForwarded, &fields);
    assert_eq!(seen.client.to_string(), "198.51.100.7");
    let seen = origin("10.0.0.1", Forwarding::Forwarded, &fields);
    assert_eq!(seen.client.to_string(), "6.6.6.6");
}

#[test]
fn forwarded_is_read_as_rfc_7239_writes_it() {
    let seen = rfc7239(
        "10.0.0.1",
        "for=6.6.6.6, For=\"[2001:db8:cafe::17]:4711\";Proto=https;host=\"shop.example:443\" , \
         for=10.0.0.2;by=_hidden;proto=http",
    );
    assert_eq!(seen.client.to_string(), "2001:db8:cafe::17");
    assert_eq!(seen.scheme, Scheme::Https, "as the outermost hop saw it");
    assert_eq!(
        seen.host,
        Some(HeaderValue::from_static("shop.example:443"))
    );
    let via: Vec<String> = seen.via.iter().map(IpAddr::to_string).collect();
    assert_eq!(via, ["10.0.0.2", "10.0.0.1"]);
    let client = |value| rfc7239("10.0.0.1", value).client.to_string();
    assert_eq!(client("for=\"198.51.100.7:80\""), "198.51.100.7");
    assert_eq!(client("for=\"198\\.51.100.7\""), "198.51.100.7");
    assert_eq!(client("for=198.51.100.7, for=_hidden"), "10.0.0.1");
    assert_eq!(client("for=198.51.100.7, for=unknown"), "10.0.0.1");
    assert_eq!(client("for=198.51.100.7, proto=https"), "10.0.0.1");
    // A comma in quotes ends nothing.
    assert_eq!(client("for=\"6.6.6.6, for=198.51.100.7\""), "10.0.0.1");
}

#[test]
fn forwarded_that_can_be_read_in_two_ways_is_refused() {
    for wrong in [
        "for=\"open, for=198.51.100.7",
        "for=\"open, for=\"[2001:db8::17]\"",
        "for=\"open\\, for=198.51.100.7",
        "for=198.51.100.7;for=6.6.6.6",
        "for = 198.51.100.7",
        "for=a b",
    ] {
        let read = try_origin("10.0.0.1", Forwarding::Forwarded, &[("forwarded", wrong)]);
        assert_eq!(read, Err(Unreadable), "{wrong}");
        let stranger = try_origin("192.0.2.1", Forwarding::Forwarded, &[("forwarded", wrong)]);
        assert!(stranger.is_ok(), "nobody listens to a stranger");
    }
}

fn announced(origin: &Origin, forwarding: Forwarding) -> HeaderMap {
    let mut lines = Vec::new();
    announce(&mut Fields::new(&mut lines), origin, forwarding);
    let lines = String::from_utf8(lines).expect("text");
    let field = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        Some((name.parse().ok()?, value.parse().ok()?))
    };
    let fields = lines.split_terminator("\r\n");
    fields.map(|line| field(line).expect("a field")).collect()
}

#[test]
fn the_services_behind_are_told_what_is_believed() {
    let seen = rfc7239(
        "10.0.0.1",
        "for=6.6.6.6, for=\"[2001:db8::17]\";proto=https;host=shop.example",
    );
    let headers = announced(&seen, Forwarding::XForwarded);
    assert_eq!(headers["x-forwarded-for"], "2001:db8::17, 10.0.0.1");
    assert_eq!(headers["x-forwarded-proto"], "https");
    assert_eq!(headers["x-forwarded-host"], "shop.example");
    let headers = announced(&seen, Forwarding::Forwarded);
    assert_eq!(
        headers["forwarded"],
        "for=\"[2001:db8::17]\";proto=https;host=\"shop.example\", for=10.0.0.1"
    );
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 3]>().prop_map(|[a, b, c]| IpAddr::from([10, a, b, c])),
        any::<[u8; 16]>().prop_map(|bytes| IpAddr::from(bytes).to_canonical()),
    ]
}

fn both() -> impl Strategy<Value = Forwarding> {
    prop_oneof![Just(Forwarding::XForwarded), Just(Forwarding::Forwarded)]
}

fn hops_text(hops: &[IpAddr], forwarding: Forwarding) -> String {
    let texts = hops.iter().map(|hop| match (forwarding, hop) {
        (Forwarding::XForwarded, hop) => hop.to_string(),
        (Forwarding::Forwarded, IpAddr::V4(hop)) => format!("for={hop}"),
        (Forwarding::Forwarded, IpAddr::V6(hop)) => format!("for=\"[{hop}]:1\""),
    });
    texts.collect::<Vec<_>>().join(", ")
}

fn followed(peer: IpAddr, list: &str, forwarding: Forwarding) -> Result<Origin, Unreadable> {
    let name = match forwarding {
        Forwarding::XForwarded => "x-forwarded-for",
        Forwarding::Forwarded => "forwarded",
    };
    try_origin(&peer.to_string(), forwarding, &[(name, list)])
}

proptest! {
    /// Whatever the client has put before: behind a chain of ours, it is whom the outermost of us
    /// has seen.
    #[test]
    fn what_the_client_puts_before_changes_nothing(
        forged in "[ -~]{0,40}",
        client in address().prop_filter("a stranger", |hop| !trusted().contain(*hop)),
        ours in prop::collection::vec(any::<[u8; 3]>(), 1..5),
        forwarding in both(),
    ) {
        let ours: Vec<IpAddr> =
            ours.into_iter().map(|[a, b, c]| IpAddr::from([10, a, b, c])).collect();
        let (peer, between) = ours.split_last().expect("one at least");
        let seen: Vec<IpAddr> = std::iter::once(client).chain(between.iter().copied()).collect();
        let honest = hops_text(&seen, forwarding);
        let found = followed(*peer, &honest, forwarding).expect("readable");
        prop_assert_eq!(&found.via, &ours);
        prop_assert_eq!(found.client, client);
        match followed(*peer, &format!("{forged}, {honest}"), forwarding) {
            Ok(same) => prop_assert_eq!(same, found),
            // A quote was left open.
            Err(Unreadable) => prop_assert_eq!(forwarding, Forwarding::Forwarded),
        }
    }

    #[test]
    fn a_stranger_is_the_client_whatever_it_says(
        peer in address().prop_filter("a stranger", |hop| !trusted().contain(*hop)),
        says in "[ -~]{0,60}",
        forwarding in both(),
    ) {
        let found = followed(peer, &says, forwarding).expect("not read");
        prop_assert_eq!(found.client, peer.to_canonical());
        prop_assert!(found.via.is_empty());
    }

    /// The next gateway, which trusts us, comes to the same client.
    #[test]
    fn what_is_announced_is_what_was_found(
        hops in prop::collection::vec(address(), 0..6),
        last: [u8; 3],
        forwarding in both(),
    ) {
        let peer = IpAddr::from([10, last[0], last[1], last[2]]);
        let found = followed(peer, &hops_text(&hops, forwarding), forwarding);
        let found = found.expect("readable");
        let mut told = announced(&found, forwarding);
        let us = connected("10.0.0.9");
        let next = take(&mut told, None, &us, &trusted(), forwarding).expect("readable");
        prop_assert_eq!(next.client, found.client);
        prop_assert_eq!(next.scheme, found.scheme);
        prop_assert_eq!(&next.via[..next.via.len() - 1], &found.via[..]);
    }

    #[test]
    fn garbage_is_survived(says: Vec<u8>, forwarding in both()) {
        let Ok(value) = HeaderValue::from_bytes(&says) else { return Ok(()) };
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", value.clone());
        headers.insert("forwarded", value);
        let _ = take(&mut headers, None, &connected("10.0.0.1"), &trusted(), forwarding);
    }
}
