//! The syntax of `Forwarded` (RFC 7239, section 4) and of the nodes that name hops (section 6).

use std::net::{IpAddr, Ipv6Addr};

use super::Unreadable;

/// What one hop tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// Who has connected to it.
    pub(super) node: Option<String>,
    /// The scheme that it was asked by.
    pub(super) proto: Option<String>,
    /// The host that it was asked for.
    pub(super) host: Option<String>,
}

/// The elements of one line, up to one that cannot be read.
pub(super) struct Elements<'a>(Option<&'a [u8]>);

impl<'a> Elements<'a> {
    pub(super) fn of(line: &'a [u8]) -> Self {
        Self(Some(line))
    }
}

impl Iterator for Elements<'_> {
    type Item = Result<Element, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut scanner = Scanner(self.0.take()?);
        let element = element(&mut scanner);
        scanner.space();
        match (element, scanner.0) {
            (Some(element), []) => Some(Ok(element)),
            (Some(element), [b',', rest @ ..]) => {
                self.0 = Some(rest);
                Some(Ok(element))
            }
            _ => Some(Err(Unreadable)),
        }
    }
}

fn element(scanner: &mut Scanner<'_>) -> Option<Element> {
    let mut element = Element::default();
    loop {
        scanner.space();
        if !matches!(scanner.0, [] | [b';' | b',', ..]) {
            let name = scanner.token()?.to_ascii_lowercase();
            scanner.take(b'=').then_some(())?;
            let value = scanner.value()?;
            let slot = match name.as_slice() {
                b"for" => Some(&mut element.node),
                b"proto" => Some(&mut element.proto),
                b"host" => Some(&mut element.host),
                // `by`, and whatever will come.
                _ => None,
            };
            if let Some(slot) = slot {
                // Each parameter once: two could be read differently.
                slot.is_none().then_some(())?;
                *slot = Some(value);
            }
        }
        scanner.space();
        if !scanner.take(b';') {
            return Some(element);
        }
    }
}

struct Scanner<'a>(&'a [u8]);

impl<'a> Scanner<'a> {
    fn space(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    fn take(&mut self, byte: u8) -> bool {
        let rest = self.0.strip_prefix(&[byte]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn token(&mut self) -> Option<&'a [u8]> {
        let tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let length = self.0.iter().take_while(|byte| tchar(byte)).count();
        let (token, rest) = self.0.split_at(length);
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    fn value(&mut self) -> Option<String> {
        if !self.take(b'"') {
            return self
                .token()
                .and_then(|token| String::from_utf8(token.to_vec()).ok());
        }
        let mut value = Vec::new();
        loop {
            let (first, rest) = self.0.split_first()?;
            self.0 = rest;
            match first {
                b'"' => return String::from_utf8(value).ok(),
                b'\\' => {
                    let (escaped, rest) = self.0.split_first()?;
                    self.0 = rest;
                    value.push(*escaped);
                }
                other => value.push(*other),
            }
        }
    }
}

/// The address of a node: `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]`, `[2001:db8::1]:80` and,
/// as many write it in `X-Forwarded-For`, `2001:db8::1`. `None` for `unknown`, for identifiers that
/// hide the address (`_hidden`), and for what is no node.
pub(super) fn node(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let (address, rest) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            (IpAddr::V6(address.parse::<Ipv6Addr>().ok()?), rest)
        }
        None => {
            let end = text.find(':')?;
            (IpAddr::V4(text[..end].parse().ok()?), &text[end..])
        }
    };
    let port = rest.strip_prefix(':');
    (rest.is_empty() || port.is_some_and(is_port)).then(|| address.to_canonical())
}

/// A number, or an identifier that hides it.
fn is_port(text: &str) -> bool {
    let number = (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let hidden = text.strip_prefix('_').is_some_and(|rest| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        !rest.is_empty() && rest.bytes().all(plain)
    });
    number || hidden
}
