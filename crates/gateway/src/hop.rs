//! Headers that concern one connection only (RFC 9110, section 7.6.1).

use http::header::{CONNECTION, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue};
use wire::http1::is_websocket;

/// Those that always do.
const HOP_BY_HOP: [HeaderName; 4] = [CONNECTION, TE, TRANSFER_ENCODING, UPGRADE];

/// Removes all of them.
pub(crate) fn strip(headers: &mut HeaderMap) {
    strip_named(headers);
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
}

/// Ends what a client has said of its connection: removes what it has named, and says no more than
/// that it wishes for a WebSocket, if it does. Else it could have removed what is set later.
pub(crate) fn end(headers: &mut HeaderMap) {
    if !says_of_connection(headers) {
        return;
    }
    strip_named(headers);
    headers.remove(CONNECTION);
    headers.remove("http2-settings");
    if headers.get(UPGRADE).is_some_and(is_websocket) {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    } else {
        headers.remove(UPGRADE);
    }
}

/// Removes those that the sender has named, but for the wish for another protocol. The others are
/// left to whoever writes the message.
pub(crate) fn strip_named(headers: &mut HeaderMap) {
    if !says_of_connection(headers) {
        return;
    }
    let lists = headers.get_all(CONNECTION).iter();
    let named: Vec<HeaderName> = lists
        .flat_map(|list| list.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|name| !is_usual(name))
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
}

/// Hardly any head does, so all names are looked at, which are few: to look for one costs more.
fn says_of_connection(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| *name == CONNECTION)
}

/// What nearly every sender says, and who writes the next message leaves away or says himself.
fn is_usual(name: &[u8]) -> bool {
    [&b"keep-alive"[..], b"close", b"upgrade"]
        .iter()
        .any(|usual| name.eq_ignore_ascii_case(usual))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_sender_has_named_goes_no_further() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "X-Hop, upgrade"),
            ("connection", "x-other"),
            ("x-hop", "1"),
            ("x-other", "2"),
            ("upgrade", "websocket"),
            ("accept", "*/*"),
        ] {
            headers.append(name, value.parse().expect("valid"));
        }
        strip_named(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "connection", "upgrade"]);
        strip(&mut headers);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["accept"]);
    }
}
