//! Rules on input that the type alone cannot hold.

use std::ops::RangeInclusive;

use serde::{Deserialize, Deserializer};

use crate::FieldError;
use crate::problem::codes;

/// Reads a field of a change that can be left out (`None`) or removed by `null` (`Some(None)`):
/// `#[serde(default, deserialize_with = "kernel::validate::nullable")]`.
pub fn nullable<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// A request body that has rules beyond its types. All broken rules are reported at once.
pub trait Validate {
    /// Adds every broken rule to `violations`.
    fn validate(&self, violations: &mut Violations);
}

/// Collects broken rules with the JSON pointer (RFC 6901) of the field that breaks each.
#[derive(Debug, Default)]
pub struct Violations {
    path: String,
    errors: Vec<FieldError>,
}

impl Violations {
    /// Checks `value` and returns what it breaks.
    pub fn of(value: &impl Validate) -> Vec<FieldError> {
        let mut violations = Self::default();
        value.validate(&mut violations);
        violations.into_errors()
    }

    /// What was reported.
    pub fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }

    /// Reports `field` (a name, an index, or `""` for the object itself).
    pub fn report(&mut self, field: impl std::fmt::Display, detail: impl Into<String>) {
        let pointer = self.pointer(&field.to_string());
        self.errors.push(FieldError {
            pointer,
            code: codes::INVALID.into(),
            detail: detail.into(),
        });
    }

    /// Reports `field` if `rule` does not hold.
    pub fn require(&mut self, rule: bool, field: impl std::fmt::Display, detail: &str) {
        if !rule {
            self.report(field, detail);
        }
    }

    /// Checks what lies below `field`.
    pub fn within(&mut self, field: impl std::fmt::Display, check: impl FnOnce(&mut Self)) {
        let outer = self.path.len();
        self.path = self.pointer(&field.to_string());
        check(self);
        self.path.truncate(outer);
    }

    /// Checks a nested value.
    pub fn nested(&mut self, field: impl std::fmt::Display, value: &impl Validate) {
        self.within(field, |violations| value.validate(violations));
    }

    /// Checks each element of a list of at most `max`.
    pub fn each<T: Validate>(&mut self, field: &str, items: &[T], max: usize) {
        self.require(
            items.len() <= max,
            field,
            &format!("at most {max} elements"),
        );
        self.within(field, |violations| {
            for (index, item) in items.iter().enumerate().take(max) {
                violations.nested(index, item);
            }
        });
    }

    /// Text without control characters, not only spaces, with `length` characters.
    pub fn text(&mut self, field: &str, value: &str, length: RangeInclusive<usize>) {
        self.words(field, value, length, char::is_control);
    }

    /// Text of several lines, otherwise as [`text`](Self::text).
    pub fn prose(&mut self, field: &str, value: &str, length: RangeInclusive<usize>) {
        let breaks = |letter| matches!(letter, '\n' | '\r' | '\t');
        self.words(field, value, length, |letter| {
            letter.is_control() && !breaks(letter)
        });
    }

    fn words(
        &mut self,
        field: &str,
        value: &str,
        length: RangeInclusive<usize>,
        odd: impl Fn(char) -> bool,
    ) {
        let count = value.chars().count();
        if !length.contains(&count) {
            self.report(
                field,
                format!("expected {} to {} characters", length.start(), length.end()),
            );
        } else if *length.start() > 0 && value.trim().is_empty() {
            self.report(field, "must not be blank");
        } else if value.chars().any(odd) {
            self.report(field, "must not hold control characters");
        }
    }

    /// Lower-case letters, digits and single hyphens, as in addresses of pages.
    pub fn slug(&mut self, field: &str, value: &str) {
        let part = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        let valid = value.len() <= 120 && value.split('-').all(part);
        self.require(
            valid,
            field,
            "expected lower-case letters and digits, joined by hyphens",
        );
    }

    fn pointer(&self, field: &str) -> String {
        if field.is_empty() {
            return self.path.clone();
        }
        format!(
            "{}/{}",
            self.path,
            field.replace('~', "~0").replace('/', "~1")
        )
    }
}
