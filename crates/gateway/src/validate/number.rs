//! Numbers of JSON as decimals, which are compared and divided without rounding: 19.99 is a multiple
//! of 0.01, and no two integers of 64 bits are the same.

use std::cmp::Ordering;
use std::fmt;

use serde_json::Number;

/// `digits` times ten to the power of `exponent`. Without zeros at the end, so that equal numbers
/// have one form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    /// At most 20 of them: those of 64 bits.
    digits: u128,
    exponent: i32,
}

impl Decimal {
    pub(super) fn new(number: &Number) -> Self {
        if let Some(whole) = number.as_i128() {
            return Self::whole(whole);
        }
        // The shortest text that stands for the number, such as `-1.25e-7`.
        let text = format!("{:e}", number.as_f64().unwrap_or_default());
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let negative = whole.starts_with('-');
        let whole = whole.trim_start_matches('-');
        let places = i32::try_from(part.len()).unwrap_or_default();
        Self {
            negative,
            digits: format!("{whole}{part}").parse().unwrap_or_default(),
            exponent: exponent.parse().unwrap_or(0) - places,
        }
        .normal()
    }

    pub(super) fn whole(number: i128) -> Self {
        Self {
            negative: number < 0,
            digits: number.unsigned_abs(),
            exponent: 0,
        }
        .normal()
    }

    fn normal(mut self) -> Self {
        if self.digits == 0 {
            return Self {
                negative: false,
                digits: 0,
                exponent: 0,
            };
        }
        while self.digits.is_multiple_of(10) {
            self.digits /= 10;
            self.exponent += 1;
        }
        self
    }

    /// What it counts, if it is a number of things.
    pub(super) fn count(self) -> Option<usize> {
        let scale = 10_u128.checked_pow(self.exponent.try_into().ok()?)?;
        let count = self.digits.checked_mul(scale)?;
        (!self.negative).then_some(count)?.try_into().ok()
    }

    pub(super) fn is_integer(self) -> bool {
        self.exponent >= 0
    }

    pub(super) fn is_positive(self) -> bool {
        !self.negative && self.digits > 0
    }

    /// Whether it is a whole number of steps, which are not 0.
    pub(super) fn is_multiple_of(self, step: Self) -> bool {
        let shift = self.exponent - step.exponent;
        if shift < 0 {
            let scaled = 10_u128
                .checked_pow(shift.unsigned_abs())
                .and_then(|power| power.checked_mul(step.digits));
            // A step too large for the type is larger than any number.
            return scaled.map_or(self.digits == 0, |step| self.digits.is_multiple_of(step));
        }
        let mut rest = self.digits % step.digits;
        for _ in 0..shift {
            if rest == 0 {
                return true;
            }
            rest = rest * 10 % step.digits;
        }
        rest == 0
    }

    fn magnitude(self, other: Self) -> Ordering {
        let length = |digits: u128| digits.checked_ilog10().unwrap_or(0).cast_signed();
        if self.digits == 0 || other.digits == 0 {
            return self.digits.cmp(&other.digits);
        }
        let (mine, theirs) = (length(self.digits), length(other.digits));
        let leading = (mine + self.exponent).cmp(&(theirs + other.exponent));
        let scale = |digits: u128, by: i32| digits * 10_u128.pow(by.max(0).unsigned_abs());
        leading.then_with(|| {
            scale(self.digits, theirs - mine).cmp(&scale(other.digits, mine - theirs))
        })
    }
}

/// For people: `-1.25`, `1e300`.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.negative { "-" } else { "" })?;
        let places = usize::try_from(-self.exponent).unwrap_or_default();
        match self.exponent {
            0..=18 => write!(
                f,
                "{}",
                self.digits * 10_u128.pow(self.exponent.unsigned_abs())
            ),
            -18..0 => {
                let text = format!("{:0>width$}", self.digits, width = places + 1);
                let (whole, part) = text.split_at(text.len() - places);
                write!(f, "{whole}.{part}")
            }
            far => write!(f, "{}e{far}", self.digits),
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.magnitude(*other),
            (true, true) => other.magnitude(*self),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::new(&serde_json::from_str(text).expect("a number"))
    }

    #[test]
    fn equal_numbers_have_one_form() {
        assert_eq!(decimal("1"), decimal("1.0"));
        assert_eq!(decimal("100"), decimal("1e2"));
        assert_eq!(decimal("-0.0"), decimal("0"));
        assert!(decimal("1e300").is_integer() && !decimal("1e-300").is_integer());
        assert_ne!(
            decimal("9007199254740993"),
            decimal("9007199254740992"),
            "more than a float holds"
        );
    }

    #[test]
    fn people_can_read_them() {
        for text in ["0", "-1.25", "0.01", "100", "18446744073709551615", "1e300"] {
            assert_eq!(decimal(text).to_string(), text);
        }
    }

    #[test]
    fn steps_are_exact() {
        for (number, step) in [
            ("19.99", "0.01"),
            ("0", "7"),
            ("1e300", "1e-3"),
            ("18446744073709551615", "5"),
            ("-0.3", "0.1"),
        ] {
            assert!(decimal(number).is_multiple_of(decimal(step)), "{number}");
        }
        for (number, step) in [("19.995", "0.01"), ("7", "2"), ("1e-300", "1e300")] {
            assert!(!decimal(number).is_multiple_of(decimal(step)), "{number}");
        }
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_the_numbers(a: f64, b: f64) {
            let of = |number| Some(Decimal::new(&Number::from_f64(number)?));
            if let (Some(one), Some(other)) = (of(a), of(b)) {
                prop_assert_eq!(Some(one.cmp(&other)), a.partial_cmp(&b));
            }
        }

        #[test]
        fn the_order_is_that_of_the_integers(a: i64, b: u64) {
            let (one, other) = (Decimal::new(&a.into()), Decimal::new(&b.into()));
            prop_assert_eq!(one.cmp(&other), i128::from(a).cmp(&i128::from(b)));
        }
    }
}
