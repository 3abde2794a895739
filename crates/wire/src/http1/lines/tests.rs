//! A head means here what it means to another parser, or nothing.

use proptest::prelude::*;

use super::*;

/// What heads are made of, and attacks on them.
const PIECES: [&[u8]; 24] = [
    b"\r\n",
    b"\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b": ",
    b":",
    b" ",
    b"\t",
    b"a",
    b"Host",
    b"x-y_z",
    b"content-length",
    b"5",
    b"\"q\"",
    b"\0",
    b"\x7f",
    b"\xc3\xa9",
    b"\xff",
    b",",
    b"(",
    b"/",
    b"~!#$%&'*+-.^_`|",
];

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(&PIECES[..]);
    let loose = prop::collection::vec(piece.clone(), 0..30).prop_map(|pieces| pieces.concat());
    // Mostly well formed.
    let inner = prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat());
    let line = ("[A-Za-z-]{1,8}", ":[ \t]{0,2}", inner).prop_map(|(name, colon, value)| {
        [name.as_bytes(), colon.as_bytes(), &value, b"\r\n"].concat()
    });
    let lines = prop::collection::vec(line, 0..5)
        .prop_map(|lines| [lines.concat(), b"\r\nbehind".to_vec()].concat());
    prop_oneof![loose, lines]
}

/// Name and value of each field, and the length of all of them.
type Read = (Vec<(String, Vec<u8>)>, usize);

/// What this parser reads.
fn ours(bytes: &[u8]) -> Option<Read> {
    let bytes = Bytes::copy_from_slice(bytes);
    let mut lines = Lines::new();
    lines.find(&bytes).ok()?;
    let length = lines.length()?;
    let (headers, _) = lines.fields(&bytes, 0, 0).ok()?;
    let field =
        |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), value.as_bytes().to_vec());
    let mut fields: Vec<_> = headers.iter().map(field).collect();
    // Those of one name keep their order.
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    Some((fields, length))
}

/// What another one reads, which takes LF for the end of a line.
fn theirs(bytes: &[u8]) -> Option<Read> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let Ok(httparse::Status::Complete((length, fields))) =
        httparse::parse_headers(bytes, &mut fields)
    else {
        return None;
    };
    let head = &bytes[..length];
    let whole = |at: usize| at > 0 && head[at - 1] == b'\r';
    if !memchr::memchr_iter(b'\n', head).all(whole) {
        return None;
    }
    let field =
        |field: &httparse::Header<'_>| (field.name.to_ascii_lowercase(), field.value.to_vec());
    let mut fields: Vec<_> = fields.iter().map(field).collect();
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    Some((fields, length))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn the_fields_of_a_head_are_what_another_parser_finds(bytes in bytes()) {
        prop_assert_eq!(ours(&bytes), theirs(&bytes), "{:?}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn who_speaks_another_protocol_hears_so_at_once() {
    for begun in [
        &b"\x16\x03\x01\x02"[..],
        b"GET / \0",
        b"GET /\r ",
        b"GET /\x7f",
    ] {
        assert!(Lines::new().find(begun).is_err(), "{begun:?}");
    }
    for begun in [
        &b""[..],
        b"\r",
        b"GET / HTTP/1.1\r",
        b"GET / HTTP/1.1\r\nx:\ty\xff",
    ] {
        assert!(Lines::new().find(begun).is_ok(), "{begun:?}");
    }
}

#[test]
fn usual_names_mean_what_they_mean_elsewhere() {
    let usual = [
        "accept",
        "accept-encoding",
        "accept-language",
        "authorization",
        "cache-control",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "date",
        "etag",
        "expect",
        "host",
        "server",
        "transfer-encoding",
        "user-agent",
        "vary",
    ];
    let written = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    };
    for known in usual {
        let train: Vec<String> = known.split('-').map(written).collect();
        for text in [known.to_owned(), train.join("-"), known.to_uppercase()] {
            let elsewhere = HeaderName::from_bytes(text.as_bytes()).expect("a name");
            let tells = Tells::by(&elsewhere);
            assert_eq!(name(text.as_bytes()), Some((elsewhere, tells)), "{text}");
        }
    }
    assert_eq!(name(b"ETag"), Some((ETAG, Tells::Nothing)));
}
