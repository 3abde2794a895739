//! Prices of any currency as numbers of one column.

use std::ops::RangeInclusive;

use kernel::Currency;

/// The highest price has 40 bits.
const AMOUNT_BITS: u32 = 40;

/// The numbers that stand for prices in one currency, in the order of the prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Band(u64);

impl Band {
    pub(super) fn of(currency: Currency) -> Self {
        let letters = currency.code().bytes();
        Self(letters.fold(0, |band, letter| (band << 8) | u64::from(letter)))
    }

    /// The number of a price in minor units.
    pub(super) fn number(self, amount: i64) -> u64 {
        let amount = u64::try_from(amount).unwrap_or(0);
        (self.0 << AMOUNT_BITS) | amount.min(amount_mask())
    }

    /// The price that a number stands for, if it is one of this currency.
    pub(super) fn amount(self, number: u64) -> Option<i64> {
        let mine = number >> AMOUNT_BITS == self.0;
        mine.then(|| i64::try_from(number & amount_mask()).ok())
            .flatten()
    }

    /// The numbers of prices from `least` to `most`; of all, where they are not given.
    pub(super) fn numbers(self, least: Option<i64>, most: Option<i64>) -> RangeInclusive<u64> {
        let most = most.unwrap_or(i64::MAX);
        self.number(least.unwrap_or(0))..=self.number(most)
    }
}

const fn amount_mask() -> u64 {
    (1 << AMOUNT_BITS) - 1
}

/// How many ranges prices are counted in.
pub(super) const RANGES: usize = 38;

/// Where the ranges begin: at 0, 1, 2, 5, 10, 20, 50, ... They depend on nothing, so they do not
/// move while somebody narrows a search.
const BEGINNINGS: [i64; RANGES + 1] = beginnings();

const fn beginnings() -> [i64; RANGES + 1] {
    let mut beginnings = [0; RANGES + 1];
    let (mut unit, mut at) = (1, 1);
    while at <= RANGES {
        beginnings[at] = unit * [1, 2, 5][(at - 1) % 3];
        if at % 3 == 0 {
            unit *= 10;
        }
        at += 1;
    }
    beginnings
}

/// The number of the range that a price is counted in.
pub(super) fn range_number(amount: i64) -> usize {
    let begun = BEGINNINGS.partition_point(|beginning| *beginning <= amount);
    begun.saturating_sub(1).min(RANGES - 1)
}

/// The prices of the range with a number.
pub(super) fn range(number: usize) -> RangeInclusive<i64> {
    BEGINNINGS[number]..=BEGINNINGS[number + 1] - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::HIGHEST_PRICE;

    #[test]
    fn prices_keep_their_currency_and_order() {
        let (eur, usd) = (Band::of(Currency::EUR), Band::of(Currency::USD));
        for amount in [0, 1, 1999, HIGHEST_PRICE] {
            assert_eq!(eur.amount(eur.number(amount)), Some(amount));
            assert_eq!(usd.amount(eur.number(amount)), None);
            assert!(eur.numbers(None, None).contains(&eur.number(amount)));
            assert!(!usd.numbers(None, None).contains(&eur.number(amount)));
        }
        assert!(eur.number(5) < eur.number(6));
        assert!(eur.numbers(Some(5), Some(6)).contains(&eur.number(6)));
        assert!(eur.numbers(Some(6), Some(5)).is_empty());
    }

    #[test]
    fn ranges_cover_every_price_once() {
        let mut next = 0;
        for number in 0..RANGES {
            let range = range(number);
            assert_eq!(*range.start(), next);
            for amount in [range.start(), range.end()] {
                assert_eq!(range_number(*amount), number);
            }
            next = range.end() + 1;
        }
        assert!(next > HIGHEST_PRICE);
        let of = |amount| range(range_number(amount));
        assert_eq!([of(0), of(1), of(1999)], [0..=0, 1..=1, 1000..=1999]);
        assert_eq!([of(42), of(99)], [20..=49, 50..=99]);
    }
}
