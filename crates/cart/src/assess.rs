//! What a cart costs now, and what it still lacks. Pure: the same for carts, quotes and orders.

use contracts::cart::{PricedCart, PricedLine, Requirement, RequirementKind};
use contracts::product::PricedVariant;
use kernel::{Country, Money, Timestamp};

use crate::known::Known;
use crate::model::{Cart, Content, Line};
use crate::pricing::{Basket, price};
use crate::shipping::ShippingOption;
use crate::{CartError, Config};

/// A cart, priced, with what keeps it from becoming an order.
#[derive(Debug)]
pub(crate) struct Assessed {
    pub(crate) priced: PricedCart,
    pub(crate) requirements: Vec<Requirement>,
}

/// Prices a cart with what is `known` now. A cart that has become an order costs what it cost
/// then. `known` must cover the cart.
pub(crate) fn assess(
    cart: &Cart,
    mut known: Known,
    config: &Config,
    now: Timestamp,
) -> Result<Assessed, CartError> {
    let content = &cart.content.0;
    if let Some(sold) = &content.sold {
        return Ok(Assessed {
            priced: sold.clone(),
            requirements: Vec::new(),
        });
    }
    let mut requirements = Vec::new();
    if content.lines.is_empty() {
        let detail = "the cart is empty: put something into it";
        requirements.push(missing(RequirementKind::Lines, detail));
    }
    let mut lines = Vec::with_capacity(content.lines.len());
    for line in &content.lines {
        let variant = known.take(line.variant_id);
        requirements.extend(line_lacks(cart, line, variant.as_ref(), now));
        lines.push(unpriced(cart, line, variant));
    }
    let sent = lines.iter().any(|line| line.requires_shipping);
    let promotions = known.promotions_of(cart);
    let priced = price(Basket {
        currency: cart.currency,
        lines,
        promotions: &promotions,
        shipping: chosen_option(cart, config).filter(|_| sent),
        tax: config.tax(country(content)),
        now,
    })?;
    details_lack(cart, config, sent, &mut requirements);
    Ok(Assessed {
        priced,
        requirements,
    })
}

/// Where the tax is due: where the goods go, or, if none are sent, where the invoice goes.
pub(crate) fn country(content: &Content) -> Option<Country> {
    let address = content.shipping_address.as_ref();
    let address = address.or(content.billing_address.as_ref());
    address.map(|address| address.country)
}

/// The chosen way of sending, if it goes to the cart's address in its currency.
fn chosen_option<'a>(cart: &Cart, config: &'a Config) -> Option<&'a ShippingOption> {
    let content = &cart.content.0;
    let option = config.shipping_option(content.shipping_option.as_deref()?)?;
    let to = content.shipping_address.as_ref();
    let to = to.map(|address| address.country);
    Some(option).filter(|option| option.reaches(to) && option.sold_in(cart.currency))
}

/// A line whose amounts are not filled in. Without a price it costs nothing, and a requirement
/// keeps it from being sold for that. A variant that the catalogue knows no more is shown as it
/// was when it was put into the cart.
fn unpriced(cart: &Cart, line: &Line, variant: Option<PricedVariant>) -> PricedLine {
    let zero = Money::zero(cart.currency);
    let mut priced = PricedLine {
        id: line.id,
        variant_id: line.variant_id,
        product_id: line.seen.product_id,
        slug: String::new(),
        sku: String::new(),
        title: String::new(),
        variant_title: String::new(),
        image_url: None,
        quantity: line.quantity,
        unit_price: zero,
        subtotal: zero,
        discount: zero,
        total: zero,
        tax: zero,
        requires_shipping: false,
    };
    if let Some(variant) = variant {
        priced.product_id = variant.product_id;
        priced.slug = variant.slug;
        priced.sku = variant.sku;
        priced.title = variant.title;
        priced.variant_title = variant.variant_title;
        priced.image_url = variant.image_url;
        priced.unit_price = variant.unit_price.unwrap_or(zero);
        priced.requires_shipping = variant.requires_shipping;
    } else {
        priced.slug.clone_from(&line.seen.slug);
        priced.sku.clone_from(&line.seen.sku);
        priced.title.clone_from(&line.seen.title);
    }
    priced
}

/// Why a line cannot be bought as it is.
fn line_lacks(
    cart: &Cart,
    line: &Line,
    variant: Option<&PricedVariant>,
    now: Timestamp,
) -> Option<Requirement> {
    let title = &line.seen.title;
    let lacks = |kind, detail| {
        Some(Requirement {
            kind,
            line_id: Some(line.id),
            detail,
        })
    };
    let Some(variant) = variant.filter(|variant| variant.purchasable) else {
        let detail = format!("{title} is not on sale any more: take it out");
        return lacks(RequirementKind::Purchasable, detail);
    };
    if variant.unit_price.is_none() {
        let detail = format!("{title} has no price in {}: take it out", cart.currency);
        return lacks(RequirementKind::Purchasable, detail);
    }
    // What the cart itself has reserved is not among what others can buy.
    let lasts = cart.content.0.held_until.is_some_and(|until| until > now);
    let held = if lasts { line.held } else { 0 };
    let available = variant.available?.max(0).saturating_add(held);
    if available >= line.quantity {
        return None;
    }
    let detail = match available {
        0 => format!("{title} is sold out: take it out"),
        left => format!("only {left} of {title} are left: take fewer"),
    };
    lacks(RequirementKind::Stock, detail)
}

/// What an order needs besides lines. Goods that are not sent need no address and no way of
/// sending; a customer's address for mails is known without the cart.
fn details_lack(cart: &Cart, config: &Config, sent: bool, requirements: &mut Vec<Requirement>) {
    let content = &cart.content.0;
    if content.email.is_none() && cart.customer_id.is_none() {
        let detail = "an e-mail address is missing";
        requirements.push(missing(RequirementKind::Email, detail));
    }
    if sent && content.shipping_address.is_none() {
        let detail = "the shipping address is missing";
        requirements.push(missing(RequirementKind::ShippingAddress, detail));
    }
    if sent && chosen_option(cart, config).is_none() {
        let detail = match content.shipping_option {
            None => "choose a shipping option",
            Some(_) => "the shipping option is not offered here: choose another one",
        };
        requirements.push(missing(RequirementKind::ShippingOption, detail));
    }
    let payment = content.payment.as_ref();
    if !payment.is_some_and(|payment| config.providers.contains(&payment.provider)) {
        let detail = "choose how to pay";
        requirements.push(missing(RequirementKind::Payment, detail));
    }
}

fn missing(kind: RequirementKind, detail: &str) -> Requirement {
    Requirement {
        kind,
        line_id: None,
        detail: detail.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use contracts::cart::PaymentChoice;
    use kernel::{Address, Money, Sources};

    use super::*;
    use crate::config::samples::config;
    use crate::known::samples::known;
    use crate::model::samples::{cart, put, variant};

    const NOW: Timestamp = Timestamp::from_micros(1);

    fn address(country: &str) -> Address {
        Address {
            name: String::from("Ada"),
            line1: String::from("Street 1"),
            line2: None,
            city: String::from("Venice"),
            region: None,
            postal_code: None,
            country: country.parse().expect("a country"),
            phone: None,
        }
    }

    /// A guest's cart in which nothing is missing.
    fn complete_cart(variant: &PricedVariant, quantity: i64) -> Cart {
        let mut cart = cart();
        put(&mut cart, variant, quantity);
        let content = &mut cart.content.0;
        content.email = "ada@example.com".parse().ok();
        content.shipping_address = Some(address("DE"));
        content.shipping_option = Some(String::from("standard"));
        content.payment = Some(PaymentChoice {
            provider: String::from("test"),
            token: None,
        });
        cart
    }

    fn assessed(cart: &Cart, variants: &[PricedVariant]) -> Assessed {
        assess(cart, known(cart, variants), &config(), NOW).expect("small amounts")
    }

    fn lacks(cart: &Cart, variants: &[PricedVariant]) -> Vec<&'static str> {
        let requirements = assessed(cart, variants).requirements;
        requirements.iter().map(|r| r.kind.as_str()).collect()
    }

    #[test]
    fn an_empty_cart_lacks_everything_that_does_not_depend_on_goods() {
        assert_eq!(lacks(&cart(), &[]), ["lines", "email", "payment"]);
    }

    #[test]
    fn what_is_missing_is_told_and_nothing_else() {
        let mug = variant();
        let full = complete_cart(&mug, 1);
        let mugs = [mug];
        assert!(lacks(&full, &mugs).is_empty());
        let without = |change: fn(&mut Content)| {
            let mut cart = full.clone();
            change(&mut cart.content.0);
            lacks(&cart, &mugs)
        };
        assert_eq!(without(|c| c.email = None), ["email"]);
        assert_eq!(without(|c| c.shipping_address = None), ["shipping_address"]);
        assert_eq!(without(|c| c.shipping_option = None), ["shipping_option"]);
        assert_eq!(without(|c| c.payment = None), ["payment"]);
        let other = |c: &mut Content| c.shipping_option = Some(String::from("pigeon"));
        assert_eq!(without(other), ["shipping_option"]);
        let other = |c: &mut Content| {
            c.payment = Some(PaymentChoice {
                provider: String::from("barter"),
                token: None,
            });
        };
        assert_eq!(without(other), ["payment"]);
    }

    #[test]
    fn a_customer_needs_no_other_address_for_mails() {
        let mug = variant();
        let mut cart = complete_cart(&mug, 1);
        cart.content.0.email = None;
        cart.give_to(Sources::system().id(), NOW);
        assert!(lacks(&cart, &[mug]).is_empty());
    }

    #[test]
    fn goods_that_are_not_sent_need_neither_address_nor_shipping() {
        let mut song = variant();
        song.requires_shipping = false;
        let mut cart = complete_cart(&song, 1);
        cart.content.0.shipping_address = None;
        let assessed = assessed(&cart, &[song]);
        assert!(assessed.requirements.is_empty());
        assert_eq!(assessed.priced.shipping, None);
        assert_eq!(assessed.priced.totals.shipping.minor, 0);
    }

    #[test]
    fn an_option_that_does_not_go_there_is_not_charged() {
        let mug = variant();
        let cart = complete_cart(&mug, 1);
        let mut config = config();
        let standard = config.shipping.iter_mut().find(|o| o.code == "standard");
        standard.expect("the default").countries = vec!["IT".parse().expect("a country")];
        let mugs = [mug];
        let assessed = assess(&cart, known(&cart, &mugs), &config, NOW).expect("fits");
        assert_eq!(assessed.priced.shipping, None);
        assert_eq!(
            assessed.requirements[0].kind,
            RequirementKind::ShippingOption
        );
    }

    #[test]
    fn a_line_that_cannot_be_bought_says_so_and_is_shown_as_it_was() {
        let mut mug = variant();
        let cart = complete_cart(&mug, 2);
        let gone = assessed(&cart, &[]);
        assert_eq!(gone.requirements[0].kind, RequirementKind::Purchasable);
        assert_eq!(gone.requirements[0].line_id, Some(cart.lines()[0].id));
        assert_eq!(gone.priced.lines[0].title, "Mug");
        assert_eq!(gone.priced.totals.subtotal.minor, 0);
        mug.unit_price = None;
        assert_eq!(lacks(&cart, &[mug.clone()])[0], "purchasable");
        mug.unit_price = Some(Money::new(1, cart.currency));
        mug.purchasable = false;
        assert_eq!(lacks(&cart, &[mug])[0], "purchasable");
    }

    #[test]
    fn a_shortage_is_told_unless_the_cart_itself_holds_what_is_gone() {
        let mut mug = variant();
        let mut cart = complete_cart(&mug, 6);
        assert_eq!(lacks(&cart, &[mug.clone()]), ["stock"]);
        let held = [contracts::product::ReserveLine {
            variant_id: mug.variant_id,
            quantity: 6,
        }];
        mug.available = Some(0);
        cart.hold(&held, Timestamp::from_micros(2));
        assert!(lacks(&cart, &[mug.clone()]).is_empty());
        cart.hold(&held, NOW);
        assert_eq!(lacks(&cart, &[mug]), ["stock"]);
    }

    #[test]
    fn tax_is_that_of_the_country_that_the_goods_go_to() {
        let mug = variant();
        let mut cart = complete_cart(&mug, 1);
        let mugs = [mug];
        let ppm = |cart: &Cart| assessed(cart, &mugs).priced.totals.tax_rate.ppm();
        assert_eq!(ppm(&cart), 190_000);
        cart.content.0.shipping_address = Some(address("US"));
        assert_eq!(ppm(&cart), 0);
        cart.content.0.shipping_address = None;
        cart.content.0.billing_address = Some(address("FR"));
        assert_eq!(ppm(&cart), 200_000);
    }
}
