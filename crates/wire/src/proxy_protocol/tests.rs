use proptest::prelude::*;

use super::*;

fn source(parsed: Result<Parsed, NotAHeader>) -> Option<String> {
    match parsed {
        Ok(Parsed::Header { source, .. }) => source.map(|source| source.to_string()),
        other => panic!("no header: {other:?}"),
    }
}

fn version2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).expect("short");
    let mut bytes = [BINARY, &[0x20 | command, family], &length.to_be_bytes()].concat();
    bytes.extend_from_slice(rest);
    bytes
}

#[test]
fn a_line_tells_who_connected() {
    let line = b"PROXY TCP4 203.0.113.5 192.0.2.1 56324 443\r\nGET /";
    assert_eq!(source(parse(line)).as_deref(), Some("203.0.113.5:56324"));
    let line = b"PROXY TCP6 2001:db8::5 2001:db8::1 56324 443\r\n";
    assert_eq!(source(parse(line)).as_deref(), Some("[2001:db8::5]:56324"));
    assert_eq!(source(parse(b"PROXY UNKNOWN\r\n")), None);
    assert_eq!(source(parse(b"PROXY UNKNOWN ffff::1 whatever\r\n")), None);
}

#[test]
fn a_binary_header_tells_who_connected() {
    let v4 = [203, 0, 113, 5, 192, 0, 2, 1, 0xdc, 0x04, 0x01, 0xbb];
    assert_eq!(
        source(parse(&version2(1, 0x11, &v4))).as_deref(),
        Some("203.0.113.5:56324")
    );
    // Extensions are passed over, and counted.
    let extended = [&v4[..], &[0x04, 0x00, 0x01, 0xff]].concat();
    let mut bytes = version2(1, 0x11, &extended);
    bytes.extend_from_slice(b"GET /");
    assert_eq!(
        parse(&bytes),
        Ok(Parsed::Header {
            length: bytes.len() - 5,
            source: Some(([203, 0, 113, 5], 56324).into())
        })
    );
    let mut v6 = [0; 36];
    v6[..2].copy_from_slice(&[0x20, 0x01]);
    v6[32..34].copy_from_slice(&[0, 80]);
    assert_eq!(
        source(parse(&version2(1, 0x21, &v6))).as_deref(),
        Some("[2001::]:80")
    );
    // A balancer that looks whether we live speaks for itself; sockets of files have no address.
    assert_eq!(source(parse(&version2(0, 0x11, &v4))), None);
    assert_eq!(source(parse(&version2(0, 0x00, &[]))), None);
    assert_eq!(source(parse(&version2(1, 0x31, &[0; 216]))), None);
}

#[test]
fn what_only_looks_like_a_header_is_refused() {
    let v4 = [203, 0, 113, 5, 192, 0, 2, 1, 0xdc, 0x04, 0x01, 0xbb];
    let mut version1 = version2(1, 0x11, &v4);
    version1[12] = 0x11;
    for wrong in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"PROXX".to_vec(),
        b"PROXY TCP4 203.0.113.5 192.0.2.1 56324\r\n".to_vec(),
        b"PROXY TCP4 203.0.113.5 192.0.2.1 56324 443 \r\n".to_vec(),
        b"PROXY TCP4 203.0.113.5  192.0.2.1 56324 443\r\n".to_vec(),
        b"PROXY TCP4 2001:db8::5 192.0.2.1 56324 443\r\n".to_vec(),
        b"PROXY TCP6 203.0.113.5 192.0.2.1 56324 443\r\n".to_vec(),
        b"PROXY TCP4 203.0.113.5 192.0.2.1 65536 443\r\n".to_vec(),
        b"PROXY TCP4 203.0.113.5 192.0.2.1 +80 443\r\n".to_vec(),
        b"PROXY TCP4 203.0.113.5 192.0.2.1 080 443\r\n".to_vec(),
        b"PROXY TCP4 203.0.113.5 192.0.2.1 80 443\n".to_vec(),
        b"PROXY UDP4 203.0.113.5 192.0.2.1 80 443\r\n".to_vec(),
        [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 100]].concat(),
        version2(2, 0x11, &v4),
        version2(1, 0x41, &v4),
        version2(1, 0x13, &v4),
        version2(1, 0x11, &v4[..11]),
        version2(1, 0x21, &[0; 35]),
        version2(1, 0x11, &[0; 4081]),
        version1,
    ] {
        let parsed = parse(&wrong);
        assert!(parsed.is_err(), "{parsed:?} for {wrong:?}");
    }
}

fn headers() -> impl Strategy<Value = (Vec<u8>, SocketAddr)> {
    let pairs = prop_oneof![
        (any::<[u8; 4]>(), any::<[u8; 4]>()).prop_map(|(a, b)| (IpAddr::from(a), IpAddr::from(b))),
        (any::<[u8; 16]>(), any::<[u8; 16]>())
            .prop_map(|(a, b)| (IpAddr::from(a), IpAddr::from(b))),
    ];
    let extensions = prop::collection::vec(any::<u8>(), 0..64);
    (pairs, any::<[u16; 2]>(), any::<bool>(), extensions).prop_map(
        |((from, to), [from_port, to_port], binary, extensions)| {
            let bytes = match (binary, from, to) {
                (true, IpAddr::V4(a), IpAddr::V4(b)) => {
                    let addresses = [a.octets(), b.octets()].concat();
                    let ports = [from_port.to_be_bytes(), to_port.to_be_bytes()].concat();
                    version2(1, 0x11, &[addresses, ports, extensions].concat())
                }
                (true, IpAddr::V6(a), IpAddr::V6(b)) => {
                    let addresses = [a.octets(), b.octets()].concat();
                    let ports = [from_port.to_be_bytes(), to_port.to_be_bytes()].concat();
                    version2(1, 0x21, &[addresses, ports, extensions].concat())
                }
                (_, IpAddr::V4(_), _) => {
                    format!("PROXY TCP4 {from} {to} {from_port} {to_port}\r\n").into_bytes()
                }
                _ => format!("PROXY TCP6 {from} {to} {from_port} {to_port}\r\n").into_bytes(),
            };
            (bytes, (from, from_port).into())
        },
    )
}

proptest! {
    /// Whatever the header and wherever the network cuts it: nothing of it is missed, and nothing
    /// behind it is taken.
    #[test]
    fn a_header_is_read_whole_and_alone((header, from) in headers(), rest: Vec<u8>) {
        for cut in 0..header.len() {
            prop_assert_eq!(parse(&header[..cut]), Ok(Parsed::Partial), "cut at {}", cut);
        }
        let all = [&header[..], &rest].concat();
        let expected = Parsed::Header { length: header.len(), source: Some(from) };
        prop_assert_eq!(parse(&all), Ok(expected));
    }

    #[test]
    fn garbage_is_survived(bytes: Vec<u8>, begins in 0..3_usize) {
        let begin: &[u8] = [b"".as_slice(), TEXT, BINARY][begins];
        let bytes = [begin, &bytes].concat();
        if let Ok(Parsed::Header { length, .. }) = parse(&bytes) {
            prop_assert!(length <= bytes.len());
        }
    }

    /// A header that was changed anywhere is still read without harm, and never asks for more than
    /// the limit.
    #[test]
    fn a_damaged_header_is_survived((mut header, _) in headers(), at: prop::sample::Index, to: u8) {
        let at = at.index(header.len());
        header[at] = to;
        header.resize(header.len() + LONGEST, b'x');
        prop_assert_ne!(parse(&header), Ok(Parsed::Partial));
    }
}
