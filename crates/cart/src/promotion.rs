//! Promotions: a code that takes something off. Pure, no async.

use kernel::{Currency, Json, Money, MoneyError, Rate, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// Characters of a code.
pub(crate) const LONGEST_CODE: usize = 40;

/// A promotion: a rate, or a fixed amount in each of some currencies.
#[derive(Debug, Clone)]
pub(crate) struct Promotion {
    pub(crate) code: String,
    pub(crate) rate: Option<Rate>,
    pub(crate) amounts: Json<Vec<Money>>,
    pub(crate) min_subtotals: Json<Vec<Money>>,
    pub(crate) starts_at: Option<Timestamp>,
    pub(crate) ends_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
}

/// A promotion, as staff see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Promotion)]
pub(crate) struct PromotionView {
    /// What customers enter.
    code: String,
    /// What part it takes off, in parts per million: 100000 is 10 %.
    rate: Option<Rate>,
    /// What it takes off in each currency, if it is no rate.
    amounts: Vec<Money>,
    /// From which subtotal on it applies. If there are any, only in these currencies.
    min_subtotals: Vec<Money>,
    /// When it begins; at once if `null`.
    starts_at: Option<Timestamp>,
    /// When it has ended; never if `null`.
    ends_at: Option<Timestamp>,
    created_at: Timestamp,
}

impl From<Promotion> for PromotionView {
    fn from(promotion: Promotion) -> Self {
        Self {
            code: promotion.code,
            rate: promotion.rate,
            amounts: promotion.amounts.0,
            min_subtotals: promotion.min_subtotals.0,
            starts_at: promotion.starts_at,
            ends_at: promotion.ends_at,
            created_at: promotion.created_at,
        }
    }
}

/// A code as it is kept: people do not type capitals the same way twice. `None` if it cannot be
/// one.
pub(crate) fn normal_code(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let valid = (1..=LONGEST_CODE).contains(&text.len()) && text.chars().all(plain);
    valid.then(|| text.to_ascii_uppercase())
}

/// The amount in `currency`, if the list has one.
pub(crate) fn amount_in(amounts: &[Money], currency: Currency) -> Option<Money> {
    let found = amounts.iter().find(|amount| amount.currency == currency);
    found.copied()
}

impl Promotion {
    /// Why it takes nothing off a cart with this subtotal now; `None` if it does.
    pub(crate) fn refusal(&self, subtotal: Money, now: Timestamp) -> Option<String> {
        let currency = subtotal.currency;
        if self.starts_at.is_some_and(|start| now < start) {
            return Some(String::from("has not begun yet"));
        }
        if self.ends_at.is_some_and(|end| now >= end) {
            return Some(String::from("has ended"));
        }
        let minima = &self.min_subtotals.0;
        let minimum = amount_in(minima, currency);
        let other_currency = self.rate.is_none() && amount_in(&self.amounts.0, currency).is_none();
        if other_currency || (minimum.is_none() && !minima.is_empty()) {
            return Some(format!("does not apply in {currency}"));
        }
        minimum
            .filter(|minimum| subtotal.minor < minimum.minor)
            .map(|minimum| format!("applies from {minimum} on"))
    }

    /// What it takes off `left`, which is what earlier promotions have left of the lines.
    pub(crate) fn takes_off(&self, left: Money) -> Result<Money, MoneyError> {
        if let Some(rate) = self.rate {
            return rate.of(left);
        }
        let amount = amount_in(&self.amounts.0, left.currency).map_or(0, |amount| amount.minor);
        Ok(Money::new(amount.min(left.minor), left.currency))
    }
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    /// A promotion without conditions.
    pub(crate) fn promotion(code: &str, rate: Option<Rate>, amounts: Vec<Money>) -> Promotion {
        Promotion {
            code: code.to_owned(),
            rate,
            amounts: Json(amounts),
            min_subtotals: Json(Vec::new()),
            starts_at: None,
            ends_at: None,
            created_at: Timestamp::from_micros(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::promotion;
    use super::*;

    fn euro(minor: i64) -> Money {
        Money::new(minor, Currency::EUR)
    }

    #[test]
    fn codes_are_the_same_in_any_case() {
        assert_eq!(normal_code("welcome-10").as_deref(), Some("WELCOME-10"));
        for wrong in ["", "zehn %", "Ünder", &"x".repeat(41)] {
            assert_eq!(normal_code(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn it_applies_within_its_time() {
        let mut ten = promotion("TEN", Rate::from_ppm(100_000).ok(), Vec::new());
        ten.starts_at = Some(Timestamp::from_micros(10));
        ten.ends_at = Some(Timestamp::from_micros(20));
        let refused = |micros| {
            ten.refusal(euro(1), Timestamp::from_micros(micros))
                .is_some()
        };
        assert_eq!([9, 10, 19, 20].map(refused), [true, false, false, true]);
    }

    #[test]
    fn it_applies_in_its_currencies_from_its_minimum_on() {
        let now = Timestamp::from_micros(0);
        let mut five = promotion("FIVE", None, vec![euro(500)]);
        five.min_subtotals = Json(vec![euro(5000)]);
        assert_eq!(five.refusal(euro(5000), now), None);
        assert_eq!(
            five.refusal(euro(4999), now).as_deref(),
            Some("applies from 50.00 EUR on")
        );
        let dollars = Money::new(9999, Currency::USD);
        assert_eq!(
            five.refusal(dollars, now).as_deref(),
            Some("does not apply in USD")
        );
        five.min_subtotals = Json(Vec::new());
        assert!(five.refusal(dollars, now).is_some());
    }

    #[test]
    fn it_takes_off_no_more_than_there_is() {
        let five = promotion("FIVE", None, vec![euro(500)]);
        assert_eq!(five.takes_off(euro(300)), Ok(euro(300)));
        let ten = promotion("TEN", Rate::from_ppm(100_000).ok(), Vec::new());
        assert_eq!(ten.takes_off(euro(1995)), Ok(euro(200)));
    }
}
