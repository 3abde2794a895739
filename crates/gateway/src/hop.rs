//! Headers that concern one connection only (RFC 9110, section 7.6.1).

use http::header::{CONNECTION, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue};

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
/// that it wishes for another protocol, if it does. Else it could have removed what is set later.
pub(crate) fn end(headers: &mut HeaderMap) {
    if !headers.contains_key(CONNECTION) {
        return;
    }
    strip_named(headers);
    headers.remove(CONNECTION);
    if headers.contains_key(UPGRADE) {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

/// Removes those that the sender has named, but for the wish for another protocol. The others are
/// left to whoever writes the message.
pub(crate) fn strip_named(headers: &mut HeaderMap) {
    if !headers.contains_key(CONNECTION) {
        return;
    }
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| *name != UPGRADE)
        .collect();
    for name in named {
        headers.remove(name);
    }
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
