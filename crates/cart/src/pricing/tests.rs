//! Whatever is in a cart, its lines add up to its totals, to the minor unit.

use contracts::refund::split_refund;
use kernel::{Currency, Id};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::promotion::samples::promotion;
use crate::shipping::samples::option;

fn line(number: usize, unit: Money, quantity: i64) -> PricedLine {
    let uuid = Uuid::from_u128(number as u128);
    PricedLine {
        id: Id::from_uuid(uuid),
        variant_id: Id::from_uuid(uuid),
        product_id: Id::from_uuid(uuid),
        slug: String::new(),
        sku: String::new(),
        title: String::new(),
        variant_title: String::new(),
        image_url: None,
        quantity,
        unit_price: unit,
        subtotal: unit,
        discount: unit,
        total: unit,
        tax: unit,
        requires_shipping: true,
    }
}

fn rate(ppm: u32) -> Rate {
    Rate::from_ppm(ppm).expect("at most one")
}

/// A random basket that fits.
#[derive(Debug, Clone)]
struct Sample {
    currency: Currency,
    lines: Vec<(i64, i64)>,
    promotions: Vec<Promotion>,
    shipping: Option<ShippingOption>,
    tax: Tax,
}

impl Sample {
    fn priced(&self) -> PricedCart {
        let lines = self.lines.iter().enumerate();
        let lines = lines
            .map(|(number, (unit, quantity))| {
                line(number, Money::new(*unit, self.currency), *quantity)
            })
            .collect();
        let basket = Basket {
            currency: self.currency,
            lines,
            promotions: &self.promotions,
            shipping: self.shipping.as_ref(),
            tax: self.tax,
            now: Timestamp::from_micros(0),
        };
        price(basket).expect("small amounts")
    }
}

fn samples() -> impl Strategy<Value = Sample> {
    let currency = prop_oneof![
        Just(Currency::JPY),
        Just(Currency::EUR),
        Just(Currency::KWD)
    ];
    let lines = prop::collection::vec((0_i64..200_000, 1_i64..10_000), 0..30);
    let rates = (0_u32..=1_000_000).prop_map(|ppm| (Some(rate(ppm)), 0));
    let fixed = (1_i64..5_000_000).prop_map(|amount| (None, amount));
    let promotions = prop::collection::vec(prop_oneof![rates, fixed], 0..5);
    let shipping = prop::option::of((0_i64..5_000, prop::option::of(0_i64..10_000_000)));
    let tax = (0_u32..=1_000_000, any::<bool>());
    (currency, lines, promotions, shipping, tax).prop_map(
        |(currency, lines, promotions, shipping, (ppm, included))| Sample {
            currency,
            lines,
            promotions: promotions
                .into_iter()
                .map(|(rate, minor)| promotion("CODE", rate, vec![Money::new(minor, currency)]))
                .collect(),
            shipping: shipping.map(|(price, free_from)| option(price, free_from, currency)),
            tax: Tax {
                rate: rate(ppm),
                included,
            },
        },
    )
}

fn sum(amounts: impl Iterator<Item = Money>) -> i64 {
    amounts.map(|amount| amount.minor).sum()
}

proptest! {
    #[test]
    fn lines_and_shipping_add_up_to_the_totals(sample in samples()) {
        let cart = sample.priced();
        let (lines, totals) = (&cart.lines, &cart.totals);
        let shipping = cart.shipping.as_ref();
        let shipping = |of: fn(&PricedShipping) -> i64| shipping.map_or(0, of);
        for line in lines {
            prop_assert_eq!(line.subtotal.minor, line.unit_price.minor * line.quantity);
            prop_assert_eq!(line.subtotal.minor - line.discount.minor, line.total.minor);
        }
        let borne = sum(lines.iter().map(|line| line.discount));
        prop_assert_eq!(totals.subtotal.minor, sum(lines.iter().map(|line| line.subtotal)));
        prop_assert_eq!(borne, sum(cart.discounts.iter().map(|discount| discount.amount)));
        prop_assert_eq!(totals.discount.minor, borne + shipping(|s| s.discount.minor));
        prop_assert_eq!(totals.shipping.minor, shipping(|s| s.price.minor));
        let tax = sum(lines.iter().map(|line| line.tax)) + shipping(|s| s.tax.minor);
        prop_assert_eq!(totals.tax.minor, tax);
        let net = sum(lines.iter().map(|line| line.total))
            + shipping(|s| s.price.minor - s.discount.minor);
        let added = if totals.tax_included { 0 } else { tax };
        prop_assert_eq!(totals.total.minor, net + added);
        let from_totals = totals.subtotal.minor - totals.discount.minor + totals.shipping.minor;
        prop_assert_eq!(totals.total.minor, from_totals + added);
    }

    #[test]
    fn nothing_is_negative_and_tax_is_that_of_its_line(sample in samples()) {
        let cart = sample.priced();
        for line in &cart.lines {
            for amount in [line.subtotal, line.discount, line.total, line.tax] {
                prop_assert!(amount.minor >= 0);
                prop_assert_eq!(amount.currency, sample.currency);
            }
            prop_assert_eq!(Ok(line.tax), sample.tax.on(line.total));
        }
        let totals = &cart.totals;
        for amount in [totals.subtotal, totals.discount, totals.tax, totals.total] {
            prop_assert!(amount.minor >= 0);
        }
        prop_assert!(cart.discounts.iter().all(|discount| discount.amount.minor >= 0));
    }

    #[test]
    fn refunds_of_a_cart_add_up_to_it(
        sample in samples(),
        portions in prop::collection::vec(1_i64..60, 1..8),
    ) {
        let cart = sample.priced();
        let mut left = cart.totals.total.minor;
        let mut given = Vec::new();
        for portion in portions.into_iter().chain([100]) {
            let refund = (i128::from(left) * i128::from(portion) / 100) as i64;
            if refund > 0 {
                let parts = split_refund(&cart, &given, Money::new(refund, sample.currency));
                given.extend(parts.expect("it is left"));
                left -= refund;
            }
        }
        prop_assert_eq!(left, 0);
        prop_assert_eq!(sum(given.iter().map(|part| part.amount)), cart.totals.total.minor);
        prop_assert_eq!(sum(given.iter().map(|part| part.tax)), cart.totals.tax.minor);
    }

    #[test]
    fn amounts_that_do_not_fit_are_refused(units in prop::collection::vec(any::<i64>(), 1..4)) {
        let lines: Vec<PricedLine> = units
            .iter()
            .map(|unit| line(0, Money::new(*unit, Currency::EUR), 10_000))
            .collect();
        let exact = units.iter().map(|unit| i128::from(*unit) * 10_000).sum::<i128>();
        let fits = units.iter().all(|unit| (0..=i64::MAX / 10_000).contains(unit))
            && exact <= i128::from(i64::MAX);
        let tax = Tax { rate: Rate::ZERO, included: true };
        let now = Timestamp::from_micros(0);
        let basket =
            Basket { currency: Currency::EUR, lines, promotions: &[], shipping: None, tax, now };
        prop_assert_eq!(price(basket).is_ok(), fits);
    }
}

/// Worked out by hand: two lines of 19.99 and 5.00, ten percent off, 4.90 for sending, 19 % in it.
#[test]
fn a_cart_as_on_paper() {
    let sample = Sample {
        currency: Currency::EUR,
        lines: vec![(1999, 1), (500, 1)],
        promotions: vec![promotion("TEN", Some(rate(100_000)), Vec::new())],
        shipping: Some(option(490, None, Currency::EUR)),
        tax: Tax {
            rate: rate(190_000),
            included: true,
        },
    };
    let cart = sample.priced();
    let discounts: Vec<i64> = cart.lines.iter().map(|line| line.discount.minor).collect();
    assert_eq!(discounts, [200, 50]);
    let taxes: Vec<i64> = cart.lines.iter().map(|line| line.tax.minor).collect();
    assert_eq!(taxes, [287, 72]);
    assert_eq!(cart.totals.tax.minor, 287 + 72 + 78);
    assert_eq!(cart.totals.total.minor, 1799 + 450 + 490);
}

/// The same without tax in the prices: it comes on top.
#[test]
fn a_cart_with_tax_on_top() {
    let sample = Sample {
        currency: Currency::USD,
        lines: vec![(1000, 3)],
        promotions: vec![promotion(
            "FIVE",
            None,
            vec![Money::new(500, Currency::USD)],
        )],
        shipping: Some(option(1000, Some(2500), Currency::USD)),
        tax: Tax {
            rate: rate(88_750),
            included: false,
        },
    };
    let cart = sample.priced();
    assert_eq!(cart.totals.tax.minor, 222);
    assert_eq!(
        cart.shipping
            .as_ref()
            .map(|shipping| shipping.discount.minor),
        Some(1000)
    );
    assert_eq!(cart.totals.total.minor, 2500 + 222);
}

/// A later promotion takes its part of what the earlier one has left, and nothing of nothing.
#[test]
fn promotions_follow_each_other() {
    let half = promotion("HALF", Some(rate(500_000)), Vec::new());
    let fixed = promotion("FIXED", None, vec![Money::new(600, Currency::EUR)]);
    let mut sample = Sample {
        currency: Currency::EUR,
        lines: vec![(1000, 1)],
        promotions: vec![half.clone(), half.clone()],
        shipping: None,
        tax: Tax {
            rate: Rate::ZERO,
            included: true,
        },
    };
    assert_eq!(sample.priced().totals.total.minor, 250);
    sample.promotions = vec![half.clone(), fixed.clone()];
    assert_eq!(sample.priced().totals.total.minor, 0);
    sample.promotions = vec![fixed, half];
    assert_eq!(sample.priced().totals.total.minor, 200);
}
