//! Hosts (RFC 9110, section 7.2): whoever passes a request on must not pass on what others would take for
//! another host, or for none.

use std::net::Ipv6Addr;

/// What a name can have, and an address of IPv4 (RFC 3986, section 3.2.2).
const OF_NAME: [bool; 256] = {
    let (mut bytes, mut byte) = ([false; 256], 0_u8);
    while byte < 128 {
        bytes[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let (others, mut at) = (b"-._~%!$&'()*+,;=", 0);
    while at < others.len() {
        bytes[others[at] as usize] = true;
        at += 1;
    }
    bytes
};

/// Whether it is a host, with or without a port. It may be empty: that is what those say who ask for
/// something that is of no host.
pub fn is_host(value: &[u8]) -> bool {
    let (host, port) = match value {
        [b'[', rest @ ..] => {
            let end = rest.iter().position(|byte| *byte == b']');
            let Some((address, port)) = end.and_then(|end| rest.split_at_checked(end)) else {
                return false;
            };
            (is_ipv6(address), &port[1..])
        }
        _ => {
            let end = value.iter().position(|byte| *byte == b':');
            let (name, port) = value.split_at(end.unwrap_or(value.len()));
            (is_name(name), port)
        }
    };
    let port = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    host && port
}

fn is_name(name: &[u8]) -> bool {
    name.iter().all(|byte| OF_NAME[usize::from(*byte)])
        // A `%` stands before two digits.
        && name.split(|byte| *byte == b'%').skip(1).all(|encoded| {
            matches!(encoded, [one, two, ..] if one.is_ascii_hexdigit() && two.is_ascii_hexdigit())
        })
}

fn is_ipv6(address: &[u8]) -> bool {
    let address = std::str::from_utf8(address).ok();
    address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_what_looks_like_them() {
        for host in [
            "",
            "shop.example",
            "shop.example:8080",
            "shop.example:",
            "192.0.2.1:80",
            "[2001:db8::1]",
            "[::ffff:192.0.2.1]:443",
            "xn--bcher-kva.example",
            "under_score",
            "a%2db",
        ] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for none in [
            "a:b",
            "a:b:c",
            "a:80:80",
            "2001:db8::1",
            "[",
            "[]",
            "[::1",
            "::1]",
            "[::1]x",
            "[::1]80",
            "[a]",
            "[::1%25eth0]",
            "a]",
            "a[b]",
            "%",
            "%4",
            "%zz",
            "a/b",
            "a@b",
            "a b",
            "a\\b",
            "a\"b",
            "a,b:80,c:80",
            "bücher",
            ":123456",
        ] {
            assert!(!is_host(none.as_bytes()), "{none}");
        }
    }
}
