//! What must hold whatever comes: each function takes any bytes, and panics where a promise is not
//! kept. See `gateway::fuzzing`, which runs them with its own.

use bytes::Bytes;
use http::Method;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName};

use crate::http1::write::{self, Persistence};
use crate::http1::{Framing, Malformed, Parsed, parse_request, parse_response};

/// Bytes that a head may have.
const LIMIT: usize = 1 << 16;

/// The head of a request has one meaning: it does not depend on where it is cut on its way, and
/// what is sent on means the same.
pub fn request_head(data: &[u8]) {
    let parse = |bytes: &[u8]| -> Read<_> {
        let mut buffer = Bytes::copy_from_slice(bytes);
        let parsed = parse_request(&mut buffer, LIMIT)?;
        Ok((parsed, bytes.len() - buffer.len()))
    };
    let Ok((Parsed::Head(head), length)) = parse(data) else {
        return;
    };
    assert!(data[..length].ends_with(b"\r\n\r\n"));
    not_before(&data[..length], parse);
    assert!(head.uri.authority().is_none(), "it is in the host");
    if !head.headers.contains_key(HOST) {
        // Of HTTP/1.0: whoever sends it on has to know one.
        return;
    }
    let (mut written, framing) = (Vec::new(), head.framing);
    let upgrade = head.upgrade.is_some();
    let persistence = if upgrade {
        Persistence::Upgrade
    } else {
        Persistence::Default
    };
    let (method, uri, headers) = (&head.method, &head.uri, &head.headers);
    write::request_head(
        &mut written,
        (method, uri),
        headers,
        &(),
        framing,
        persistence,
    );
    let Ok((Parsed::Head(again), all)) = parse(&written) else {
        panic!(
            "what is written is read: {:?}",
            String::from_utf8_lossy(&written)
        );
    };
    assert_eq!(all, written.len(), "one request is one request");
    assert_eq!((&again.method, &again.uri), (method, uri));
    assert_eq!(again.framing, framing);
    assert_eq!(again.upgrade.is_some(), upgrade);
    same_fields(headers, &again.headers);
}

/// The same for the head of an answer to `GET`.
pub fn response_head(data: &[u8]) {
    let parse = |bytes: &[u8]| -> Read<_> {
        let mut buffer = Bytes::copy_from_slice(bytes);
        let parsed = parse_response(&mut buffer, LIMIT, &Method::GET)?;
        Ok((parsed, bytes.len() - buffer.len()))
    };
    let Ok((Parsed::Head(head), length)) = parse(data) else {
        return;
    };
    not_before(&data[..length], parse);
    // Those before the answer go no further.
    if head.status.is_informational() {
        return;
    }
    let (mut written, framing) = (Vec::new(), head.framing);
    let (status, headers) = (head.status, &head.headers);
    let persistence = match framing {
        Framing::UntilClose => Persistence::Close,
        _ => Persistence::Default,
    };
    write::response_head(&mut written, status, headers, Some(framing), persistence);
    let Ok((Parsed::Head(again), all)) = parse(&written) else {
        panic!(
            "what is written is read: {:?}",
            String::from_utf8_lossy(&written)
        );
    };
    assert_eq!((all, again.status), (written.len(), status));
    assert_eq!(again.framing, framing);
    same_fields(headers, &again.headers);
}

/// What was parsed of some bytes, and how many that were.
type Read<T> = Result<(Parsed<T>, usize), Malformed>;

/// A part of a good head is no head, and no error either.
fn not_before<T>(head: &[u8], parse: impl Fn(&[u8]) -> Read<T>) {
    for cut in 0..head.len() {
        match parse(&head[..cut]) {
            Ok((Parsed::Partial, _)) => {}
            Ok((Parsed::Head(_), _)) => panic!("a head already after {cut} bytes"),
            Err(error) => panic!("{error} after {cut} bytes"),
        }
    }
}

fn same_fields(before: &HeaderMap, after: &HeaderMap) {
    let of_connection = |name: &HeaderName| {
        [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE].contains(name)
            || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "date")
    };
    let others = |headers: &HeaderMap| {
        let mut headers = headers.clone();
        let names: Vec<_> = headers
            .keys()
            .filter(|name| of_connection(name))
            .cloned()
            .collect();
        for name in names {
            headers.remove(name);
        }
        headers
    };
    assert_eq!(others(before), others(after));
}
