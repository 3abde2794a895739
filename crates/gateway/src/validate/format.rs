//! What `format` says of texts and numbers. A format that is not known says nothing, as JSON Schema
//! has it.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::number::Decimal;

/// A format that is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// RFC 3339, section 5.6.
    DateTime,
    Date,
    Time,
    /// RFC 9562: with dashes.
    Uuid,
    /// One `@`, something on both sides, no spaces; at most 254 bytes (RFC 5321).
    Email,
    /// RFC 3986, with a scheme.
    Uri,
    Ipv4,
    Ipv6,
    Int32,
    Int64,
}

impl Format {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "date-time" => Self::DateTime,
            "date" => Self::Date,
            "time" => Self::Time,
            "uuid" => Self::Uuid,
            "email" => Self::Email,
            "uri" => Self::Uri,
            "ipv4" => Self::Ipv4,
            "ipv6" => Self::Ipv6,
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            _ => return None,
        })
    }

    /// Whether a text is of this format; formats of numbers say nothing about texts.
    pub(super) fn holds_text(self, text: &str) -> bool {
        match self {
            Self::DateTime => {
                let parts = text.split_once(['T', 't']);
                parts.is_some_and(|(date, time)| is_date(date) && is_time(time))
            }
            Self::Date => is_date(text),
            Self::Time => is_time(text),
            Self::Uuid => is_uuid(text),
            Self::Email => is_email(text),
            Self::Uri => is_uri(text),
            Self::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Self::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Self::Int32 | Self::Int64 => true,
        }
    }

    /// Whether a number is of this format; formats of texts say nothing about numbers.
    pub(super) fn holds_number(self, number: Decimal) -> bool {
        let (least, most) = match self {
            Self::Int32 => (i128::from(i32::MIN), i128::from(i32::MAX)),
            Self::Int64 => (i128::from(i64::MIN), i128::from(i64::MAX)),
            _ => return true,
        };
        let range = Decimal::whole(least)..=Decimal::whole(most);
        number.is_integer() && range.contains(&number)
    }

    /// What was expected, for people.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::DateTime => "a time such as 2030-01-31T12:00:00Z (RFC 3339)",
            Self::Date => "a date such as 2030-01-31",
            Self::Time => "a time such as 12:00:00Z (RFC 3339)",
            Self::Uuid => "a UUID",
            Self::Email => "an e-mail address such as ada@example.com",
            Self::Uri => "a URI such as https://example.com/",
            Self::Ipv4 => "an IPv4 address",
            Self::Ipv6 => "an IPv6 address",
            Self::Int32 => "an integer of 32 bits",
            Self::Int64 => "an integer of 64 bits",
        }
    }
}

/// A number of exactly `length` digits.
fn digits(text: &str, length: usize) -> Option<i32> {
    let plain = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else {
        return false;
    };
    let (Some(year), Some(month), Some(day)) = (digits(year, 4), digits(month, 2), digits(day, 2))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// `12:00:00.5+01:00`; a leap second is the last one of a day in UTC.
fn is_time(text: &str) -> bool {
    let hour_and_minute = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        let (hour, minute) = (digits(hour, 2)?, digits(minute, 2)?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    let Some(at) = text.find(['Z', 'z', '+', '-']) else {
        return false;
    };
    let (time, zone) = text.split_at(at);
    let offset = match zone {
        "Z" | "z" => Some(0),
        _ => hour_and_minute(&zone[1..]).map(|offset| match zone.starts_with('-') {
            true => -offset,
            false => offset,
        }),
    };
    let (time, part) = time.split_once('.').unwrap_or((time, "0"));
    let fraction = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let read = || {
        let (minutes, second) = time.rsplit_once(':')?;
        let (minutes, second) = (hour_and_minute(minutes)?, digits(second, 2)?);
        let last = (minutes - offset?).rem_euclid(24 * 60) == 24 * 60 - 1;
        Some(second < 60 || second == 60 && last)
    };
    fraction && read().unwrap_or(false)
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    let hexadecimal = |byte: u8| byte == b'-' || byte.is_ascii_hexdigit();
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(hexadecimal)
}

/// A mailbox of RFC 5321, section 4.1.2, which may have letters of all languages (RFC 6531).
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let fits = text.len() <= 254 && local.len() <= 64;
    fits && (is_dotted(local) || is_quoted(local)) && (is_domain(domain) || is_literal(domain))
}

/// Words with a dot between them.
fn is_dotted(local: &str) -> bool {
    let of_word = |letter: char| letter.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(letter);
    local
        .split('.')
        .all(|word| !word.is_empty() && word.chars().all(of_word))
}

/// A text in quotes, in which a backslash stands before what would end it.
fn is_quoted(local: &str) -> bool {
    let inner = local
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.is_some_and(|inner| {
        let mut letters = inner.chars();
        while let Some(letter) = letters.next() {
            let letter = if letter == '\\' {
                letters.next()
            } else {
                Some(letter).filter(|letter| *letter != '"')
            };
            if letter.is_none_or(char::is_control) {
                return false;
            }
        }
        true
    })
}

fn is_domain(domain: &str) -> bool {
    let of_label = |letter: char| letter.is_alphanumeric() || letter == '-';
    domain.split('.').all(|label| {
        let ends = label.starts_with('-') || label.ends_with('-');
        (1..=63).contains(&label.len()) && !ends && label.chars().all(of_label)
    })
}

/// An address in place of a domain.
fn is_literal(domain: &str) -> bool {
    let address = domain
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    address.is_some_and(|address| match address.strip_prefix("IPv6:") {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => address.parse::<Ipv4Addr>().is_ok(),
    })
}

fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let named = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    let escapes = rest.split('%').skip(1).all(|behind| {
        behind.len() >= 2 && behind.bytes().take(2).all(|byte| byte.is_ascii_hexdigit())
    });
    named && scheme.bytes().all(of_scheme) && rest.bytes().all(allowed) && escapes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_of_their_format_or_not() {
        let cases: [(&str, &[&str], &[&str]); 7] = [
            (
                "date-time",
                &[
                    "2024-02-29T23:59:60Z",
                    "2030-01-01t00:00:00.123+05:30",
                    "2030-01-01T05:29:60+05:30",
                ],
                &[
                    "2030-01-01",
                    "2030-01-01T24:00:00Z",
                    "2030-01-01T00:00:00",
                    "2030-01-01T00:00:60Z",
                    "2030-01-01T00:00:00.Z",
                ],
            ),
            (
                "date",
                &["2000-02-29"],
                &["1900-02-29", "2030-13-01", "2030-1-1", "+030-01-01"],
            ),
            ("time", &["12:00:00Z"], &["12:00Z", "é2:00:00Z", ""]),
            (
                "uuid",
                &["0192b0a4-0000-7000-8000-0000000000FF"],
                &[
                    "0192b0a400007000800000000000000ff",
                    "g192b0a4-0000-7000-8000-000000000000",
                ],
            ),
            (
                "uri",
                &["https://example.com/?a=%20#x", "mailto:a@b"],
                &["/a", "1a:b", "a:b c", "a:%2"],
            ),
            ("ipv4", &["127.0.0.1"], &["127.0.0.01", "1.2.3"]),
            ("ipv6", &["::1"], &["::1%eth0", "1.2.3.4"]),
        ];
        for (name, good, bad) in cases {
            let format = Format::named(name).expect("known");
            for text in good {
                assert!(format.holds_text(text), "{name}: {text}");
            }
            for text in bad {
                assert!(!format.holds_text(text), "{name}: {text}");
            }
        }
    }

    #[test]
    fn mailboxes() {
        for good in [
            "a@b",
            "ada@example.com",
            "o'hara+shop@xn--bcher-kva.example",
            "jörg@bücher.example",
            r#""a \"b\" @ c"@d"#,
            "a@[192.0.2.1]",
            "a@[IPv6:2001:db8::1]",
        ] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "a",
            "@b",
            "a@",
            "a@b@c",
            "a b@c",
            "a@b..c",
            ".a@b",
            "a.@b",
            "a..b@c",
            "a@b=c",
            "a@-b",
            "a@[192.0.2.300]",
            "\"a\"b\"@c",
            "\"a\\\"@b",
            "a@b\n",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
