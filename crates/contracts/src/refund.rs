//! Giving money back: how a refund is split over what was paid for.
//!
//! Tax, statistics and credit notes need to know which part of a refund belongs to which line. The
//! parts of every refund add up to it, and all refunds of an order together add up to its lines,
//! its shipping and its tax, to the minor unit, whatever the sizes and the order of the refunds.

use kernel::{Money, MoneyError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cart::{LineId, PricedCart};

/// What is given back of one thing that was paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefundPart {
    /// The line; `None` for the shipping.
    pub line_id: Option<LineId>,
    /// What is given back, with its tax.
    pub amount: Money,
    /// The tax in it.
    pub tax: Money,
}

/// Why a refund cannot be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefundError {
    /// Nothing, or less, cannot be given back.
    #[error("a refund is more than nothing")]
    NotPositive,
    /// More than was paid and is not given back yet.
    #[error("only {left} is left to be given back")]
    TooMuch {
        /// What is left.
        left: Money,
    },
    /// The refund is in another currency than the order, or the order's amounts do not fit.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// Splits a refund of `amount` over the lines and the shipping of `sold`, in proportion to what is
/// left of each after the refunds `before` (their parts, in any order). Parts of nothing are left
/// out.
///
/// What is left, not what was paid, is the weight: so no part ever exceeds what was paid for it,
/// and the last refund takes exactly what is left. The tax of a part is what its share of the
/// tax has grown by since the refund before.
pub fn split_refund(
    sold: &PricedCart,
    before: &[RefundPart],
    amount: Money,
) -> Result<Vec<RefundPart>, RefundError> {
    let paid = paid(sold)?;
    let mut given = Vec::with_capacity(paid.len());
    for part in &paid {
        let same = before
            .iter()
            .filter(|earlier| earlier.line_id == part.line_id);
        given.push(Money::sum(
            sold.currency,
            same.map(|earlier| earlier.amount),
        )?);
    }
    let left = |(part, given): (&RefundPart, &Money)| part.amount.minus(*given);
    let left: Vec<Money> = paid
        .iter()
        .zip(&given)
        .map(left)
        .collect::<Result<_, _>>()?;
    let whole = Money::sum(sold.currency, left.iter().copied())?;
    if amount.minus(whole)?.minor > 0 {
        return Err(RefundError::TooMuch { left: whole });
    }
    if amount.minor <= 0 {
        return Err(RefundError::NotPositive);
    }
    let weights: Vec<u64> = left
        .iter()
        .map(|left| left.minor.max(0).unsigned_abs())
        .collect();
    let shares = amount.allocate(&weights);
    let parts = paid.iter().zip(given).zip(shares);
    parts
        .filter(|(_, share)| share.minor > 0)
        .map(|((part, given), share)| {
            let tax = tax_within(part, given.plus(share)?).minus(tax_within(part, given))?;
            Ok(RefundPart {
                line_id: part.line_id,
                amount: share,
                tax,
            })
        })
        .collect()
}

/// Everything that was paid for, with its tax.
fn paid(sold: &PricedCart) -> Result<Vec<RefundPart>, MoneyError> {
    let gross = |net: Money, tax: Money| {
        if sold.totals.tax_included {
            Ok(net)
        } else {
            net.plus(tax)
        }
    };
    let mut parts = Vec::with_capacity(sold.lines.len() + 1);
    for line in &sold.lines {
        parts.push(RefundPart {
            line_id: Some(line.id),
            amount: gross(line.total, line.tax)?,
            tax: line.tax,
        });
    }
    if let Some(shipping) = &sold.shipping {
        parts.push(RefundPart {
            line_id: None,
            amount: gross(shipping.price.minus(shipping.discount)?, shipping.tax)?,
            tax: shipping.tax,
        });
    }
    Ok(parts)
}

/// The tax in the first `given` of a part, rounded down: nothing at the beginning, all of it at the
/// end, and never falling in between.
fn tax_within(part: &RefundPart, given: Money) -> Money {
    let (whole, tax) = (i128::from(part.amount.minor), i128::from(part.tax.minor));
    let minor = if whole == 0 {
        0
    } else {
        tax * i128::from(given.minor) / whole
    };
    // Fits: a part of the tax is not more than the tax.
    Money::new(i64::try_from(minor).unwrap_or(i64::MAX), part.tax.currency)
}

#[cfg(test)]
mod tests {
    use kernel::{Currency, Id, Rate};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::cart::{PricedLine, PricedShipping, Totals};

    fn line(number: usize, total: Money, tax: Money) -> PricedLine {
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
            quantity: 1,
            unit_price: total,
            subtotal: total,
            discount: Money::zero(total.currency),
            total,
            tax,
            requires_shipping: true,
        }
    }

    /// An order of lines with these amounts, the last of which is the shipping.
    fn sold(currency: Currency, amounts: &[i64], rate: Rate, tax_included: bool) -> PricedCart {
        let money = |minor| Money::new(minor, currency);
        let tax = |amount| {
            let tax = if tax_included {
                rate.included_in(amount)
            } else {
                rate.of(amount)
            };
            tax.expect("small amounts")
        };
        let (shipping, goods) = amounts.split_last().expect("amounts");
        let shipping = PricedShipping {
            option: String::from("standard"),
            name: String::from("Standard"),
            price: money(*shipping),
            discount: money(0),
            tax: tax(money(*shipping)),
        };
        let lines: Vec<PricedLine> = goods
            .iter()
            .enumerate()
            .map(|(number, minor)| line(number, money(*minor), tax(money(*minor))))
            .collect();
        let all_tax = lines.iter().map(|line| line.tax.minor).sum::<i64>() + shipping.tax.minor;
        let net: i64 = amounts.iter().sum();
        let total = if tax_included { net } else { net + all_tax };
        let totals = Totals {
            subtotal: money(net - shipping.price.minor),
            discount: money(0),
            shipping: shipping.price,
            tax: money(all_tax),
            tax_rate: rate,
            tax_included,
            total: money(total),
        };
        PricedCart {
            currency,
            lines,
            shipping: Some(shipping),
            discounts: Vec::new(),
            totals,
        }
    }

    fn euro(minor: i64) -> Money {
        Money::new(minor, Currency::EUR)
    }

    proptest! {
        #[test]
        fn refunds_add_up_to_the_order(
            currency in prop_oneof![Just(Currency::EUR), Just(Currency::JPY), Just(Currency::KWD)],
            amounts in prop::collection::vec(0_i64..1_000_000, 1..12),
            ppm in 0_u32..1_000_000,
            tax_included: bool,
            refunds in prop::collection::vec(1_i64..400_000, 0..20),
        ) {
            let rate = Rate::from_ppm(ppm).expect("at most one");
            let sold = sold(currency, &amounts, rate, tax_included);
            let mut left = sold.totals.total.minor;
            let mut given: Vec<RefundPart> = Vec::new();
            // The refunds as they come, cut to what is left, and then the rest.
            for refund in refunds.into_iter().chain([i64::MAX]) {
                let refund = refund.min(left);
                if refund == 0 {
                    break;
                }
                let parts = split_refund(&sold, &given, Money::new(refund, currency)).expect("fits");
                prop_assert_eq!(parts.iter().map(|part| part.amount.minor).sum::<i64>(), refund);
                prop_assert!(parts.iter().all(|part| part.amount.minor > 0 && part.tax.minor >= 0));
                prop_assert!(parts.iter().all(|part| part.tax.minor <= part.amount.minor));
                left -= refund;
                given.extend(parts);
            }
            for part in paid(&sold).expect("fits") {
                let mine = || given.iter().filter(|given| given.line_id == part.line_id);
                prop_assert_eq!(mine().map(|given| given.amount.minor).sum::<i64>(), part.amount.minor);
                prop_assert_eq!(mine().map(|given| given.tax.minor).sum::<i64>(), part.tax.minor);
            }
        }
    }

    #[test]
    fn a_refund_is_split_in_proportion() {
        let rate = Rate::from_ppm(190_000).expect("a rate");
        let sold = sold(Currency::EUR, &[7500, 2000, 500], rate, true);
        let parts = split_refund(&sold, &[], euro(100)).expect("fits");
        let amounts: Vec<i64> = parts.iter().map(|part| part.amount.minor).collect();
        assert_eq!(amounts, [75, 20, 5]);
        assert_eq!(parts[2].line_id, None);
    }

    #[test]
    fn no_more_is_given_back_than_was_paid() {
        let sold = sold(Currency::EUR, &[1000, 0], Rate::ZERO, true);
        let first = split_refund(&sold, &[], euro(600)).expect("fits");
        let left = euro(400);
        assert_eq!(
            split_refund(&sold, &first, euro(401)),
            Err(RefundError::TooMuch { left })
        );
        assert_eq!(
            split_refund(&sold, &first, euro(0)),
            Err(RefundError::NotPositive)
        );
        assert!(matches!(
            split_refund(&sold, &first, Money::new(1, Currency::JPY)),
            Err(RefundError::Money(MoneyError::Mixed { .. }))
        ));
    }
}
