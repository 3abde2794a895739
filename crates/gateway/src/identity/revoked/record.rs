//! A revocation in the form in which instances tell it to each other.

use kernel::Timestamp;
use serde::{Deserialize, Serialize};

use super::Revocation;

/// Everything about a revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The issuer or introspection.
    pub(super) source: String,
    what: Named,
    /// Tokens that were issued up to then are concerned.
    pub(super) before: Timestamp,
    /// Until when.
    pub(super) until: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Named {
    Token(String),
    Subject(String),
}

impl Record {
    pub(super) fn new(
        source: &str,
        what: Revocation<'_>,
        before: Timestamp,
        until: Timestamp,
    ) -> Self {
        let what = match what {
            Revocation::Token(name) => Named::Token(name.to_owned()),
            Revocation::Subject(name) => Named::Subject(name.to_owned()),
        };
        Self {
            source: source.to_owned(),
            what,
            before,
            until,
        }
    }

    pub(super) fn what(&self) -> Revocation<'_> {
        match &self.what {
            Named::Token(name) => Revocation::Token(name),
            Named::Subject(name) => Revocation::Subject(name),
        }
    }

    /// What it is about, which is what it is kept under: `["acme",{"token":"ID"}]`.
    pub(super) fn field(&self) -> String {
        let about = (&self.source, &self.what);
        serde_json::to_string(&about).expect("texts are plain data")
    }

    /// From the text that it is kept under, and that of its times, which are microseconds:
    /// `BEFORE UNTIL`.
    pub(super) fn read(field: &[u8], times: &[u8]) -> Option<Self> {
        let (source, what) = serde_json::from_slice(field).ok()?;
        let (before, until) = std::str::from_utf8(times).ok()?.split_once(' ')?;
        Some(Self {
            source,
            what,
            before: Timestamp::from_micros(before.parse().ok()?),
            until: Timestamp::from_micros(until.parse().ok()?),
        })
    }

    /// From an announcement, which is `BEFORE UNTIL FIELD`.
    pub(super) fn announced(announcement: &[u8]) -> Option<Self> {
        let mut blanks = announcement.iter().enumerate();
        let mut blank = || blanks.find(|(_, byte)| **byte == b' ');
        blank()?;
        let (end, _) = blank()?;
        Self::read(&announcement[end + 1..], &announcement[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_read_again() {
        let (before, until) = (Timestamp::from_micros(-5), Timestamp::from_micros(7));
        for what in [Revocation::Token("a b\" c"), Revocation::Subject("")] {
            let record = Record::new("my source", what, before, until);
            let field = record.field();
            assert_eq!(
                Record::read(field.as_bytes(), b"-5 7"),
                Some(record.clone())
            );
            let announcement = format!("-5 7 {field}");
            assert_eq!(Record::announced(announcement.as_bytes()), Some(record));
        }
        for strange in [
            "",
            "1",
            "1 2",
            "1 2 ",
            "1 2 []",
            "x 2 [\"a\",{\"token\":\"b\"}]",
        ] {
            assert_eq!(Record::announced(strange.as_bytes()), None, "{strange}");
        }
    }
}
