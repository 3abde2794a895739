//! Proportions of money: tax rates and percentages off.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Money, MoneyError};

/// A proportion in parts per million, so that 8.875 % is exact: 19 % is `Rate::from_ppm(190_000)`.
/// In JSON and configuration it is the number of parts per million.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[schema(value_type = u32, maximum = 1_000_000)]
#[serde(try_from = "u32", into = "u32")]
pub struct Rate(u32);

/// A rate above 100 %.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a rate is at most 1000000 parts per million")]
pub struct RateTooLarge;

const ONE: i128 = 1_000_000;

impl Rate {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// A rate of `ppm` parts per million, at most 1,000,000.
    pub const fn from_ppm(ppm: u32) -> Result<Self, RateTooLarge> {
        if ppm > 1_000_000 {
            Err(RateTooLarge)
        } else {
            Ok(Self(ppm))
        }
    }

    /// Parts per million.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// This part of `amount`, rounded half away from zero (commercial rounding).
    pub fn of(self, amount: Money) -> Result<Money, MoneyError> {
        rounded(i128::from(amount.minor) * i128::from(self.0), ONE, amount)
    }

    /// The tax that a gross `amount` already includes: `amount * rate / (1 + rate)`, rounded half
    /// away from zero.
    ///
    /// ```
    /// use kernel::{Currency, Money, Rate};
    /// let vat = Rate::from_ppm(190_000).unwrap();
    /// let gross = Money::new(11900, Currency::EUR);
    /// assert_eq!(vat.included_in(gross).unwrap().minor, 1900);
    /// ```
    pub fn included_in(self, amount: Money) -> Result<Money, MoneyError> {
        let rate = i128::from(self.0);
        rounded(i128::from(amount.minor) * rate, ONE + rate, amount)
    }
}

fn rounded(dividend: i128, divisor: i128, like: Money) -> Result<Money, MoneyError> {
    let magnitude = (dividend.abs() + divisor / 2) / divisor;
    let minor = i64::try_from(magnitude * dividend.signum()).map_err(|_| MoneyError::Overflow)?;
    Ok(Money::new(minor, like.currency))
}

impl TryFrom<u32> for Rate {
    type Error = RateTooLarge;

    fn try_from(ppm: u32) -> Result<Self, Self::Error> {
        Self::from_ppm(ppm)
    }
}

impl From<Rate> for u32 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

/// As a percentage without needless zeros: `19 %`, `8.875 %`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000, self.0 % 10_000);
        if rest == 0 {
            return write!(f, "{whole} %");
        }
        let decimals = format!("{rest:04}");
        write!(f, "{whole}.{} %", decimals.trim_end_matches('0'))
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Currency;

    fn euro(minor: i64) -> Money {
        Money::new(minor, Currency::EUR)
    }

    #[test]
    fn rounds_half_away_from_zero() {
        let half = Rate::from_ppm(500_000).expect("a rate");
        assert_eq!(half.of(euro(5)), Ok(euro(3)));
        assert_eq!(half.of(euro(-5)), Ok(euro(-3)));
        assert_eq!(
            half.of(euro(i64::MAX)).map(|part| part.minor),
            Ok(i64::MAX / 2 + 1)
        );
    }

    #[test]
    fn shows_percentages() {
        assert_eq!(Rate(190_000).to_string(), "19 %");
        assert_eq!(Rate(88_750).to_string(), "8.875 %");
    }
}
