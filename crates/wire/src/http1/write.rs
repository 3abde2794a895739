//! Writing heads and chunks.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};

use super::Framing;
use crate::client::{Added, Fields};

/// What a head says of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// Nothing: it goes on, as HTTP/1.1 does.
    Default,
    /// It ends after this message.
    Close,
    /// It goes on, though the peer speaks HTTP/1.0.
    KeepAlive,
    /// It changes to another protocol.
    Upgrade,
}

/// Appends the head of a response.
pub(crate) fn response_head(
    out: &mut Vec<u8>,
    status: StatusCode,
    headers: &HeaderMap,
    framing: Option<Framing>,
    persistence: Persistence,
) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    // Without a framing of ours, the length that HEAD and 304 tell is that of another response; what has no
    // body by its status has no length (RFC 9110, section 8.6).
    let bodiless = status.is_informational() || status == StatusCode::NO_CONTENT;
    if !fields(out, headers, framing.is_some() || bodiless, |_| false) {
        date(out);
    }
    ends(out, headers, framing, persistence);
}

/// Appends the head of a request.
pub(crate) fn request_head(
    out: &mut Vec<u8>,
    (method, target): (&Method, &Uri),
    headers: &HeaderMap,
    added: &dyn Added,
    framing: Framing,
    persistence: Persistence,
) {
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    let path = target.path_and_query().map_or("/", |path| path.as_str());
    out.extend_from_slice(path.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    added.write(&mut Fields::new(out));
    fields(out, headers, true, |name| added.replaces(name));
    let bodiless = framing == Framing::Length(0);
    let usual = matches!(
        *method,
        Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS
    );
    let framing = (!(bodiless && usual)).then_some(framing);
    ends(out, headers, framing, persistence);
}

/// Everything but what concerns this connection and this body, and what is `left_out`; whether there is a
/// date.
fn fields(
    out: &mut Vec<u8>,
    headers: &HeaderMap,
    framed: bool,
    left_out: impl Fn(&HeaderName) -> bool,
) -> bool {
    let mut dated = false;
    for (name, value) in headers {
        match *name {
            CONNECTION | TRANSFER_ENCODING | UPGRADE => continue,
            CONTENT_LENGTH if framed => continue,
            DATE => dated = true,
            _ if matches!(name.as_str(), "keep-alive" | "proxy-connection") => continue,
            _ if left_out(name) => continue,
            _ => {}
        }
        field(out, name, value);
    }
    dated
}

fn field(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    out.reserve(name.as_str().len() + value.len() + 4);
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn ends(
    out: &mut Vec<u8>,
    headers: &HeaderMap,
    framing: Option<Framing>,
    persistence: Persistence,
) {
    match framing {
        Some(Framing::Length(length)) => {
            out.extend_from_slice(b"content-length: ");
            out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        Some(Framing::Chunked) => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Some(Framing::UntilClose) | None => {}
    }
    match persistence {
        Persistence::Default => {}
        Persistence::Close => out.extend_from_slice(b"connection: close\r\n"),
        Persistence::KeepAlive => out.extend_from_slice(b"connection: keep-alive\r\n"),
        Persistence::Upgrade => {
            out.extend_from_slice(b"connection: upgrade\r\n");
            if let Some(protocol) = headers.get(UPGRADE) {
                field(out, &UPGRADE, protocol);
            }
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends what comes before the data of a chunk.
pub(crate) fn chunk_size(out: &mut Vec<u8>, size: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.push(DIGITS[(size >> (digit * 4)) & 0xf]);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends what comes after the last chunk.
pub(crate) fn last_chunk(out: &mut Vec<u8>, trailers: Option<&HeaderMap>) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.into_iter().flatten() {
        field(out, name, value);
    }
    out.extend_from_slice(b"\r\n");
}

/// `Date`, written anew once a second.
fn date(out: &mut Vec<u8>) {
    thread_local! {
        static LINE: RefCell<(u64, Vec<u8>)> = const { RefCell::new((0, Vec::new())) };
    }
    let now = now();
    let second = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    LINE.with_borrow_mut(|(written, line)| {
        if *written != second || line.is_empty() {
            *written = second;
            *line = format!("date: {}\r\n", httpdate::fmt_http_date(now)).into_bytes();
        }
        out.extend_from_slice(line);
    });
}

#[expect(
    clippy::disallowed_methods,
    reason = "the date of a message is that of this machine"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Whether a message of this version can carry chunks.
pub(crate) fn takes_chunks(version: Version) -> bool {
    version == Version::HTTP_11
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_chunks_are_hexadecimal() {
        for size in [1, 9, 10, 15, 16, 255, 256, 4096, 65_535, 1 << 20] {
            let mut out = Vec::new();
            chunk_size(&mut out, size);
            assert_eq!(String::from_utf8_lossy(&out), format!("{size:x}\r\n"));
        }
    }
}
