//! Settings of the service.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel::{Country, Currency, Money, Rate};
use platform::config::Section;

use crate::pricing::Tax;
use crate::shipping::ShippingOption;

/// The section `cart` of the configuration, and what it needs of `payment`.
#[derive(Debug, Clone)]
pub struct Config {
    /// How long a guest's cart lives that nobody changes.
    pub guest_ttl: Duration,
    /// How long a customer's cart lives that nobody changes.
    pub customer_ttl: Duration,
    /// How long a cart can be read after it has become an order.
    pub completed_ttl: Duration,
    /// How long stock is reserved for a cart, where its variants are reserved there.
    pub hold_ttl: Duration,
    /// How often expired carts are looked for.
    pub sweep: Duration,
    /// Whether prices include the tax.
    pub tax_included: bool,
    /// The tax of countries that `tax_rates` does not name, and while the country is not known.
    pub tax_default_rate: Rate,
    /// The tax of each country.
    pub tax_rates: BTreeMap<Country, Rate>,
    /// The ways of sending.
    pub shipping: Vec<ShippingOption>,
    /// The ways of paying.
    pub providers: Vec<String>,
}

/// Support must be able to look at what was ordered.
const SHORTEST_COMPLETED: Duration = Duration::from_secs(7 * 24 * 3600);

impl Config {
    /// Reads the sections.
    pub fn read(cart: &mut Section<'_>, payment: &mut Section<'_>) -> Self {
        let completed_ttl = cart.duration("completed_ttl");
        if completed_ttl < SHORTEST_COMPLETED {
            cart.report("completed_ttl", "is less than a week", "take 7d or more");
        }
        let mut tax = cart.section("tax");
        Self {
            guest_ttl: cart.duration("guest_ttl"),
            customer_ttl: cart.duration("customer_ttl"),
            completed_ttl,
            hold_ttl: cart.duration("hold_ttl"),
            sweep: cart.duration("sweep"),
            tax_included: tax.parse("included"),
            tax_default_rate: tax.parse("default_rate"),
            tax_rates: tax_rates(&mut tax),
            shipping: shipping(cart),
            providers: payment.list("providers"),
        }
    }

    /// The tax of a cart that goes to `country`.
    pub(crate) fn tax(&self, country: Option<Country>) -> Tax {
        let rate = country.and_then(|country| self.tax_rates.get(&country));
        Tax {
            rate: rate.copied().unwrap_or(self.tax_default_rate),
            included: self.tax_included,
        }
    }

    /// The way of sending that `code` names.
    pub(crate) fn shipping_option(&self, code: &str) -> Option<&ShippingOption> {
        self.shipping.iter().find(|option| option.code == code)
    }
}

fn tax_rates(tax: &mut Section<'_>) -> BTreeMap<Country, Rate> {
    let rates: BTreeMap<String, Rate> = tax.map("rates");
    let mut by_country = BTreeMap::new();
    for (name, rate) in rates {
        match name.to_uppercase().parse::<Country>() {
            Ok(country) => {
                by_country.insert(country, rate);
            }
            Err(wrong) => tax.report(&format!("rates.{name}"), wrong.to_string(), "use its code"),
        }
    }
    by_country
}

/// An option that is set to an empty text as a whole is taken out, so that the defaults can be.
fn shipping(cart: &mut Section<'_>) -> Vec<ShippingOption> {
    let mut options = Vec::new();
    for code in cart.names("shipping") {
        let path = format!("shipping.{code}");
        let whole: Option<String> = cart.optional(&path);
        if whole.is_some() {
            cart.report(
                &path,
                "is not an option",
                "set keys below it, or \"\" to take it out",
            );
        } else if !cart.names(&path).is_empty() {
            let option = shipping_option(code, &mut cart.section(&path));
            if option.prices.is_empty() {
                cart.report(
                    &path,
                    "has no price",
                    "set price.eur to cents, for instance",
                );
            }
            options.push(option);
        }
    }
    options
}

fn shipping_option(code: String, section: &mut Section<'_>) -> ShippingOption {
    let names: Vec<String> = section.list("countries");
    let mut countries = Vec::new();
    for name in names {
        match name.to_uppercase().parse() {
            Ok(country) => countries.push(country),
            Err(wrong @ kernel::address::UnknownCountry) => section.report(
                "countries",
                format!("`{name}` is not a country"),
                wrong.to_string(),
            ),
        }
    }
    ShippingOption {
        name: section.parse("name"),
        countries,
        prices: amounts(section, "price"),
        free_from: amounts(section, "free_from"),
        code,
    }
}

/// Minor units by currency.
fn amounts(section: &mut Section<'_>, name: &str) -> Vec<Money> {
    let by_name: BTreeMap<String, i64> = section.map(name);
    let mut amounts = Vec::new();
    for (code, minor) in by_name {
        let key = format!("{name}.{code}");
        match code.to_uppercase().parse::<Currency>() {
            Ok(currency) if minor >= 0 => amounts.push(Money::new(minor, currency)),
            Ok(_) => section.report(&key, "is negative", "take 0 or more minor units"),
            Err(wrong) => section.report(&key, wrong.to_string(), "use its code in place of it"),
        }
    }
    amounts
}

#[cfg(test)]
pub(crate) mod samples {
    use platform::config::Layers;

    use super::*;

    /// The defaults.
    pub(crate) fn config() -> Config {
        let layers = Layers::defaults();
        read(&layers)
    }

    pub(crate) fn read(layers: &Layers) -> Config {
        Config::read(&mut layers.section("cart"), &mut layers.section("payment"))
    }
}

#[cfg(test)]
mod tests {
    use platform::config::{Layers, Origin};

    use super::samples::read;
    use super::*;

    fn layers(text: &str) -> Layers {
        let mut layers = Layers::defaults();
        layers.toml(text, |line| Origin::File("shop.toml".into(), line));
        layers
    }

    #[test]
    fn options_and_rates_are_added_changed_and_taken_out() {
        let layers = layers(
            "[cart]
             tax.rates.DE = 70000
             shipping.express = ''
             shipping.standard.price.EUR = 100
             shipping.bike = { name = 'By bike', countries = ['IT'], price.eur = 900 }",
        );
        let config = read(&layers);
        let germany = "DE".parse().ok();
        assert_eq!(config.tax(germany).rate.ppm(), 70_000);
        let codes: Vec<&str> = config.shipping.iter().map(|o| o.code.as_str()).collect();
        assert_eq!(codes, ["bike", "standard"]);
        assert!(!config.shipping[0].reaches(germany));
        let standard = config.shipping_option("standard").expect("the default");
        let goods = Money::zero(Currency::EUR);
        assert_eq!(
            standard.price_for(goods).map(|price| price.price.minor),
            Some(100)
        );
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_key() {
        let layers = layers(
            "[cart]
             completed_ttl = '1d'
             tax.rates.XX = 1
             shipping.a = 'x'
             shipping.b = { name = 'B' }
             shipping.c = { name = 'C', countries = ['YY'], price = { eur = -1, zzz = 1 } }",
        );
        read(&layers);
        let errors = layers.finish().expect_err("much is wrong").0;
        let keys: Vec<&str> = errors
            .iter()
            .map(|error| error.key.as_str())
            .filter(|key| key.starts_with("cart."))
            .collect();
        for key in [
            "cart.completed_ttl",
            "cart.tax.rates.xx",
            "cart.shipping.a",
            "cart.shipping.b",
            "cart.shipping.c.countries",
            "cart.shipping.c.price.eur",
            "cart.shipping.c.price.zzz",
        ] {
            assert!(keys.contains(&key), "{key} is not among {keys:?}");
        }
    }
}
