//! Ways of sending: flat prices, from the configuration. Pure, no async.

use kernel::{Country, Currency, Money};

use crate::promotion::amount_in;

/// One way of sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShippingOption {
    /// What carts name it by, such as `standard`.
    pub code: String,
    /// For people.
    pub name: String,
    /// Where it goes; everywhere if empty.
    pub countries: Vec<Country>,
    /// What it costs; it is offered in these currencies only.
    pub prices: Vec<Money>,
    /// What the goods have to cost, after discounts, for it to cost nothing.
    pub free_from: Vec<Money>,
}

/// What an option costs a cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShippingPrice {
    pub(crate) price: Money,
    /// What is taken off: the whole price, or nothing.
    pub(crate) discount: Money,
}

impl ShippingOption {
    /// Whether it goes to `country`. While that is not known, it might.
    pub(crate) fn reaches(&self, country: Option<Country>) -> bool {
        let everywhere = self.countries.is_empty();
        everywhere || country.is_none_or(|country| self.countries.contains(&country))
    }

    /// Whether it has a price in `currency`.
    pub(crate) fn sold_in(&self, currency: Currency) -> bool {
        amount_in(&self.prices, currency).is_some()
    }

    /// What it costs for goods of this value; `None` if it has no price in the currency.
    pub(crate) fn price_for(&self, goods: Money) -> Option<ShippingPrice> {
        let price = amount_in(&self.prices, goods.currency)?;
        let free_from = amount_in(&self.free_from, goods.currency);
        let free = free_from.is_some_and(|from| goods.minor >= from.minor);
        let discount = if free {
            price
        } else {
            Money::zero(goods.currency)
        };
        Some(ShippingPrice { price, discount })
    }
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    /// Costs `minor` in `currency`, everywhere.
    pub(crate) fn option(minor: i64, free_from: Option<i64>, currency: Currency) -> ShippingOption {
        let money = |minor| Money::new(minor, currency);
        ShippingOption {
            code: String::from("standard"),
            name: String::from("Standard"),
            countries: Vec::new(),
            prices: vec![money(minor)],
            free_from: free_from.map(money).into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::option;
    use super::*;

    #[test]
    fn it_costs_nothing_from_a_value_on() {
        let standard = option(490, Some(5000), Currency::EUR);
        let discount = |minor| {
            let goods = Money::new(minor, Currency::EUR);
            standard.price_for(goods).map(|price| price.discount.minor)
        };
        assert_eq!(discount(4999), Some(0));
        assert_eq!(discount(5000), Some(490));
        let yen = Money::new(9999, Currency::JPY);
        assert_eq!(standard.price_for(yen), None);
    }

    #[test]
    fn it_goes_where_it_goes() {
        let mut standard = option(490, None, Currency::EUR);
        let country = |code: &str| code.parse().ok();
        assert!(standard.reaches(country("JP")));
        standard.countries = vec!["DE".parse().expect("a country")];
        assert!(standard.reaches(country("DE")) && standard.reaches(None));
        assert!(!standard.reaches(country("JP")));
    }
}
