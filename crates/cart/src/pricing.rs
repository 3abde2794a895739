//! What a cart costs: one pure function in integers, the same for carts, quotes and orders.
//!
//! In this order, all rounded half away from zero to the minor unit:
//!
//! 1. a line's `subtotal` is its unit price times its quantity;
//! 2. each promotion takes its rate, or its amount, off what the promotions before it have left,
//!    never more than that; the lines bear it in proportion to what is left of each, to the unit
//!    ([`Money::allocate`]); what is left of a line is its `total`;
//! 3. shipping costs its price, less its discount where the goods, after discounts, are worth it;
//! 4. the tax of each line, and of the shipping, is computed on what is left of it: included in it,
//!    or added to it.
//!
//! So, to the minor unit, in every currency:
//!
//! * `totals.subtotal` = sum of `line.subtotal`; `line.subtotal - line.discount = line.total`;
//! * `totals.discount` = sum of `line.discount` + `shipping.discount`, and the sum of
//!   `discounts[].amount` = sum of `line.discount`;
//! * `totals.tax` = sum of `line.tax` + `shipping.tax`;
//! * `totals.total` = sum of `line.total` + `shipping.price - shipping.discount`, plus `totals.tax`
//!   if prices do not include it.

use contracts::cart::{AppliedDiscount, PricedCart, PricedLine, PricedShipping, Totals};
use kernel::{Currency, Money, MoneyError, Rate, Timestamp};

use crate::promotion::Promotion;
use crate::shipping::ShippingOption;

/// How tax is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tax {
    pub(crate) rate: Rate,
    /// Whether prices include it.
    pub(crate) included: bool,
}

/// Everything that decides what a cart costs.
#[derive(Debug)]
pub(crate) struct Basket<'a> {
    pub(crate) currency: Currency,
    /// With unit price and quantity; the amounts are filled in.
    pub(crate) lines: Vec<PricedLine>,
    /// In the order in which they apply. Those that do not fit are passed over.
    pub(crate) promotions: &'a [Promotion],
    /// The chosen option, if anything has to be sent.
    pub(crate) shipping: Option<&'a ShippingOption>,
    pub(crate) tax: Tax,
    pub(crate) now: Timestamp,
}

/// Prices a basket. Fails only if an amount does not fit.
pub(crate) fn price(basket: Basket<'_>) -> Result<PricedCart, MoneyError> {
    let Basket {
        currency,
        mut lines,
        tax,
        ..
    } = basket;
    for line in &mut lines {
        price_line(line)?;
    }
    let subtotal = Money::sum(currency, lines.iter().map(|line| line.subtotal))?;
    let discounts = discount(&mut lines, subtotal, basket.promotions, basket.now)?;
    for line in &mut lines {
        line.tax = tax.on(line.total)?;
    }
    let goods = Money::sum(currency, lines.iter().map(|line| line.total))?;
    let shipping = basket.shipping.map(|option| ship(option, goods, tax));
    let shipping = shipping.transpose()?.flatten();
    let totals = totals(subtotal, &lines, shipping.as_ref(), tax)?;
    Ok(PricedCart {
        currency,
        lines,
        shipping,
        discounts,
        totals,
    })
}

/// A line before discounts and tax.
fn price_line(line: &mut PricedLine) -> Result<(), MoneyError> {
    let unit = line.unit_price;
    if unit.minor < 0 || line.quantity < 0 {
        return Err(MoneyError::Overflow);
    }
    line.subtotal = unit.times(line.quantity)?;
    line.total = line.subtotal;
    line.discount = Money::zero(unit.currency);
    Ok(())
}

/// Lets the lines bear the promotions that fit.
fn discount(
    lines: &mut [PricedLine],
    subtotal: Money,
    promotions: &[Promotion],
    now: Timestamp,
) -> Result<Vec<AppliedDiscount>, MoneyError> {
    let mut left = subtotal;
    let mut applied = Vec::new();
    let fitting = promotions
        .iter()
        .filter(|promotion| promotion.refusal(subtotal, now).is_none());
    for promotion in fitting {
        let amount = promotion.takes_off(left)?;
        let weights: Vec<u64> = lines
            .iter()
            .map(|line| line.total.minor.unsigned_abs())
            .collect();
        for (line, share) in lines.iter_mut().zip(amount.allocate(&weights)) {
            line.discount = line.discount.plus(share)?;
            line.total = line.total.minus(share)?;
        }
        left = left.minus(amount)?;
        applied.push(AppliedDiscount {
            code: promotion.code.clone(),
            amount,
        });
    }
    Ok(applied)
}

/// The shipping; `None` if it has no price in the currency.
fn ship(
    option: &ShippingOption,
    goods: Money,
    tax: Tax,
) -> Result<Option<PricedShipping>, MoneyError> {
    let Some(price) = option.price_for(goods) else {
        return Ok(None);
    };
    Ok(Some(PricedShipping {
        option: option.code.clone(),
        name: option.name.clone(),
        price: price.price,
        discount: price.discount,
        tax: tax.on(price.price.minus(price.discount)?)?,
    }))
}

fn totals(
    subtotal: Money,
    lines: &[PricedLine],
    shipping: Option<&PricedShipping>,
    tax: Tax,
) -> Result<Totals, MoneyError> {
    let currency = subtotal.currency;
    let zero = Money::zero(currency);
    let (price, discount, shipping_tax) =
        shipping.map_or((zero, zero, zero), |s| (s.price, s.discount, s.tax));
    let sum = |of: fn(&PricedLine) -> Money| Money::sum(currency, lines.iter().map(of));
    let all_tax = sum(|line| line.tax)?.plus(shipping_tax)?;
    let net = sum(|line| line.total)?.plus(price.minus(discount)?)?;
    let total = if tax.included {
        net
    } else {
        net.plus(all_tax)?
    };
    Ok(Totals {
        subtotal,
        discount: sum(|line| line.discount)?.plus(discount)?,
        shipping: price,
        tax: all_tax,
        tax_rate: tax.rate,
        tax_included: tax.included,
        total,
    })
}

impl Tax {
    fn on(self, amount: Money) -> Result<Money, MoneyError> {
        if self.included {
            self.rate.included_in(amount)
        } else {
            self.rate.of(amount)
        }
    }
}

#[cfg(test)]
#[path = "pricing/tests.rs"]
mod tests;
