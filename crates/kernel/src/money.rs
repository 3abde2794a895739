//! Money: integer minor units with an ISO 4217 currency. No floats, no mixed currencies, no lost
//! cent.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::{PartialSchema, ToSchema};

/// An ISO 4217 currency that people pay with; funds, metals and testing codes are refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The euro, two decimals.
    pub const EUR: Self = Self(iso_currency::Currency::EUR);
    /// The United States dollar, two decimals.
    pub const USD: Self = Self(iso_currency::Currency::USD);
    /// The yen, no decimals.
    pub const JPY: Self = Self(iso_currency::Currency::JPY);
    /// The Kuwaiti dinar, three decimals.
    pub const KWD: Self = Self(iso_currency::Currency::KWD);

    /// The three letters, such as `EUR`.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many decimals the minor unit has: 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }
}

/// The text is not the code of a currency in use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an ISO 4217 currency code such as EUR")]
pub struct UnknownCurrency;

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        iso_currency::Currency::from_code(code)
            .filter(|currency| currency.exponent().is_some() && !currency.is_special())
            .map(Self)
            .ok_or(UnknownCurrency)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl PartialOrd for Currency {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Currency {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.code().cmp(other.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        code.parse().map_err(serde::de::Error::custom)
    }
}

impl PartialSchema for Currency {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some("^[A-Z]{3}$"))
            .description(Some("ISO 4217 currency code"))
            .examples(["EUR"])
            .into()
    }
}

impl ToSchema for Currency {}

/// Why a sum of money could not be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The result does not fit 64 bits of minor units.
    #[error("amount out of range")]
    Overflow,
    /// Two currencies met in one sum.
    #[error("cannot combine {left} with {right}")]
    Mixed {
        /// The currency of the left operand.
        left: Currency,
        /// The currency of the right operand.
        right: Currency,
    },
}

/// An amount in minor units of its currency: EUR 19.99 is `{"amount": 1999, "currency": "EUR"}`,
/// JPY 1999 is `{"amount": 1999, "currency": "JPY"}`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units: cents for EUR, yen for JPY, fils for KWD.
    #[serde(rename = "amount")]
    #[schema(example = 1999)]
    pub minor: i64,
    /// What the minor units are units of.
    pub currency: Currency,
}

impl Money {
    /// `minor` units of `currency`.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in `currency`.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// The sum of two amounts of one currency.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self
            .minor
            .checked_add(other.minor)
            .ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    /// What is left after `other` is taken away; may be negative.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self
            .minor
            .checked_sub(other.minor)
            .ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    /// The price of `quantity` pieces.
    pub fn times(self, quantity: i64) -> Result<Self, MoneyError> {
        let minor = self
            .minor
            .checked_mul(quantity)
            .ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    /// The sum of many amounts of `currency`.
    pub fn sum(
        currency: Currency,
        amounts: impl IntoIterator<Item = Self>,
    ) -> Result<Self, MoneyError> {
        amounts
            .into_iter()
            .try_fold(Self::zero(currency), Self::plus)
    }

    /// Splits the amount in proportion to `weights` so that the parts add up to it exactly
    /// (largest remainder method: everybody gets the rounded-down share, what is left goes one
    /// unit each to those with the largest remainders, the earlier first). With all weights zero
    /// the whole amount goes to the first part. No weights, no parts.
    ///
    /// ```
    /// use kernel::{Currency, Money};
    /// let parts = Money::new(100, Currency::EUR).allocate(&[1, 1, 1]);
    /// assert_eq!(parts.iter().map(|part| part.minor).collect::<Vec<_>>(), [34, 33, 33]);
    /// ```
    pub fn allocate(self, weights: &[u64]) -> Vec<Self> {
        let total: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
        if total == 0 {
            let mut parts = vec![Self::zero(self.currency); weights.len()];
            if let Some(first) = parts.first_mut() {
                *first = self;
            }
            return parts;
        }
        let amount = u128::from(self.minor.unsigned_abs());
        let sign = self.minor.signum();
        // amount < 2^64 and weight < 2^64, so the product fits 128 bits.
        let mut shares: Vec<(u128, u128)> = weights
            .iter()
            .map(|&weight| amount * u128::from(weight))
            .map(|product| (product / total, product % total))
            .collect();
        let given: u128 = shares.iter().map(|&(share, _)| share).sum();
        let mut order: Vec<usize> = (0..shares.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(shares[index].1));
        let left = usize::try_from(amount - given).expect("less than one unit per part is left");
        for &index in order.iter().take(left) {
            shares[index].0 += 1;
        }
        let minor = |share: u128| match i64::try_from(share) {
            Ok(share) => share * sign,
            // Only |i64::MIN| does not fit, and that share keeps the sign of the whole.
            Err(_) => i64::MIN,
        };
        shares
            .into_iter()
            .map(|(share, _)| Self {
                minor: minor(share),
                ..self
            })
            .collect()
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            return Ok(());
        }
        Err(MoneyError::Mixed {
            left: self.currency,
            right: other.currency,
        })
    }
}

/// Major units with all decimals and the code: `19.99 EUR`, `1999 JPY`, `1.999 KWD`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exponent = self.currency.exponent();
        let unit = 10_u64.pow(exponent);
        let (sign, abs) = (
            if self.minor < 0 { "-" } else { "" },
            self.minor.unsigned_abs(),
        );
        write!(f, "{sign}{}", abs / unit)?;
        if exponent > 0 {
            write!(f, ".{:0width$}", abs % unit, width = exponent as usize)?;
        }
        write!(f, " {}", self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn currencies() -> impl Strategy<Value = Currency> {
        prop_oneof![
            Just(Currency::EUR),
            Just(Currency::JPY),
            Just(Currency::KWD)
        ]
    }

    proptest! {
        #[test]
        fn allocation_loses_nothing(
            minor: i64, currency in currencies(), weights in prop::collection::vec(any::<u64>(), 1..40),
        ) {
            let whole = Money::new(minor, currency);
            let parts = whole.allocate(&weights);
            prop_assert_eq!(parts.len(), weights.len());
            prop_assert_eq!(Money::sum(currency, parts), Ok(whole));
        }

        #[test]
        fn each_share_is_within_one_unit_of_its_proportion(
            minor in -1_000_000_000_i64..1_000_000_000, weights in prop::collection::vec(1_u64..10_000, 1..40),
        ) {
            let total: i128 = weights.iter().map(|&weight| i128::from(weight)).sum();
            for (part, &weight) in Money::new(minor, Currency::EUR).allocate(&weights).iter().zip(&weights) {
                let exact = i128::from(minor) * i128::from(weight);
                prop_assert!((i128::from(part.minor) * total - exact).abs() < total);
            }
        }
    }

    #[test]
    fn shows_every_exponent() {
        assert_eq!(Money::new(-5, Currency::EUR).to_string(), "-0.05 EUR");
        assert_eq!(Money::new(1999, Currency::JPY).to_string(), "1999 JPY");
        assert_eq!(Money::new(1999, Currency::KWD).to_string(), "1.999 KWD");
    }

    #[test]
    fn refuses_mixed_currencies_and_overflow() {
        let (euro, yen) = (Money::new(1, Currency::EUR), Money::new(1, Currency::JPY));
        assert!(matches!(euro.plus(yen), Err(MoneyError::Mixed { .. })));
        assert_eq!(
            Money::new(i64::MAX, Currency::EUR).plus(euro),
            Err(MoneyError::Overflow)
        );
        assert_eq!(
            Money::new(i64::MAX, Currency::EUR).times(2),
            Err(MoneyError::Overflow)
        );
    }

    #[test]
    fn knows_only_currencies_that_people_pay_with() {
        for code in ["XAU", "XXX", "XTS", "XDR", "eur", "EURO", ""] {
            assert_eq!(code.parse::<Currency>(), Err(UnknownCurrency), "{code}");
        }
    }

    #[test]
    fn allocates_the_extremes() {
        let least = Money::new(i64::MIN, Currency::EUR);
        assert_eq!(least.allocate(&[1]), [least]);
        assert_eq!(least.allocate(&[0, 0]), [least, Money::zero(Currency::EUR)]);
        assert!(least.allocate(&[]).is_empty());
    }
}
