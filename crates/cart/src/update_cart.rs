//! `PATCH /v1/carts/{id}`: whom it goes to, how it is sent and paid, which codes apply.

use axum::extract::State;
use contracts::cart::{CartId, PaymentChoice};
use kernel::validate::nullable;
use kernel::{Address, Email, Validate, Violations};
use platform::http::{ApiError, CallerOf, IfMatch, PathId, Reply, Valid};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::change::{Edit, Facts, Target};
use crate::model::{Cart, MOST_CODES};
use crate::promotion::{LONGEST_CODE, normal_code};
use crate::view::CartView;
use crate::{CartError, CartService};

/// Characters of the name of a shipping option.
const LONGEST_OPTION: usize = 50;
/// Characters of the name of a payment provider.
const LONGEST_PROVIDER: usize = 50;
/// Characters of what a provider gave the client.
const LONGEST_TOKEN: usize = 500;

/// What shall be different. What is left out stays; `null` removes.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Details {
    /// Where the shop writes to.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<Email>)]
    pub(crate) email: Option<Option<Email>>,
    /// Where the goods go.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<Address>)]
    pub(crate) shipping_address: Option<Option<Address>>,
    /// Where the invoice goes.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<Address>)]
    pub(crate) billing_address: Option<Option<Address>>,
    /// One of the shipping options of the cart.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 50, example = "standard")]
    pub(crate) shipping_option: Option<Option<String>>,
    /// How the customer pays.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<PaymentChoice>)]
    pub(crate) payment: Option<Option<PaymentChoice>>,
    /// All codes that shall apply, in this order. Capitals or not is the same.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<Vec<String>>, max_items = 10, example = json!(["WELCOME"]))]
    pub(crate) promotion_codes: Option<Option<Vec<String>>>,
}

impl Validate for Details {
    fn validate(&self, violations: &mut Violations) {
        let addresses = [
            ("shipping_address", &self.shipping_address),
            ("billing_address", &self.billing_address),
        ];
        for (field, address) in addresses {
            if let Some(Some(address)) = address {
                violations.nested(field, address);
            }
        }
        if let Some(Some(option)) = &self.shipping_option {
            violations.text("shipping_option", option, 1..=LONGEST_OPTION);
        }
        if let Some(Some(payment)) = &self.payment {
            violations.within("payment", |violations| check_payment(payment, violations));
        }
        if let Some(Some(codes)) = &self.promotion_codes {
            check_codes(codes, violations);
        }
    }
}

fn check_payment(payment: &PaymentChoice, violations: &mut Violations) {
    violations.text("provider", &payment.provider, 1..=LONGEST_PROVIDER);
    if let Some(token) = &payment.token {
        violations.text("token", token, 1..=LONGEST_TOKEN);
    }
}

fn check_codes(codes: &[String], violations: &mut Violations) {
    let detail = format!("at most {MOST_CODES} codes");
    violations.require(codes.len() <= MOST_CODES, "promotion_codes", &detail);
    violations.within("promotion_codes", |violations| {
        for (index, code) in codes.iter().enumerate().take(MOST_CODES) {
            let count = code.chars().count();
            let detail = format!("expected 1 to {LONGEST_CODE} characters");
            violations.require((1..=LONGEST_CODE).contains(&count), index, &detail);
        }
    });
}

/// Changes the details of a cart: e-mail address, addresses, ways of sending and paying,
/// promotion codes. What is missing for an order is told in `requirements`.
#[utoipa::path(
    patch,
    path = "/v1/carts/{id}",
    params(
        ("id" = CartId, Path, description = "The cart."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version to change."),
    ),
    request_body = Details,
    responses((
        status = 200,
        body = CartView,
        description = "The cart, changed.",
        headers(("ETag" = String, description = "The version, and what it costs now."))
    ))
)]
pub(crate) async fn handler(
    State(carts): State<CartService>,
    caller: CallerOf,
    if_match: IfMatch,
    PathId(id): PathId<CartId>,
    Valid(body): Valid<Details>,
) -> Result<Reply, ApiError> {
    let target = Target::new(id, &caller, if_match);
    Ok(carts.change(target, body).await?)
}

impl Edit for Details {
    fn apply(&self, cart: &mut Cart, facts: &Facts<'_>) -> Result<(), CartError> {
        let content = &mut cart.content.0;
        set(&mut content.email, &self.email);
        set(&mut content.shipping_address, &self.shipping_address);
        set(&mut content.billing_address, &self.billing_address);
        set(&mut content.shipping_option, &self.shipping_option);
        set(&mut content.payment, &self.payment);
        if let Some(Some(_)) = self.shipping_option {
            check_option(cart, facts)?;
        }
        if let Some(Some(payment)) = &self.payment
            && !facts.config.providers.contains(&payment.provider)
        {
            return Err(CartError::BadPaymentProvider(payment.provider.clone()));
        }
        if let Some(codes) = &self.promotion_codes {
            cart.content.0.promotion_codes = accepted(codes.as_deref(), cart, facts)?;
        }
        Ok(())
    }

    fn codes(&self) -> Vec<String> {
        let codes = self.promotion_codes.iter().flatten().flatten();
        codes.filter_map(|code| normal_code(code)).collect()
    }
}

fn set<T: Clone>(detail: &mut Option<T>, new: &Option<Option<T>>) {
    if let Some(new) = new {
        detail.clone_from(new);
    }
}

/// A way of sending that is chosen now must exist and go there. One that was chosen before, and
/// goes not to a new address, becomes a requirement.
fn check_option(cart: &Cart, facts: &Facts<'_>) -> Result<(), CartError> {
    let content = &cart.content.0;
    let option = content.shipping_option.as_deref().unwrap_or_default();
    let to = content.shipping_address.as_ref();
    let why = match facts.config.shipping_option(option) {
        None => "does not exist",
        Some(known) if !known.sold_in(cart.currency) => "is not offered in this currency",
        Some(known) if !known.reaches(to.map(|to| to.country)) => "does not go to this country",
        Some(_) => return Ok(()),
    };
    let option = option.to_owned();
    Err(CartError::BadShippingOption { option, why })
}

/// The codes as they are kept, each once. Every one must take something off the cart now.
fn accepted(
    codes: Option<&[String]>,
    cart: &Cart,
    facts: &Facts<'_>,
) -> Result<Vec<String>, CartError> {
    let mut accepted = Vec::new();
    for (index, text) in codes.unwrap_or_default().iter().enumerate() {
        let code = normal_code(text);
        let promotion = code.as_deref().and_then(|code| facts.known.promotion(code));
        let why = match promotion {
            None => Some(String::from("does not exist")),
            Some(promotion) => promotion.refusal(facts.known.subtotal(cart)?, facts.now),
        };
        if let Some(why) = why {
            let code = text.clone();
            return Err(CartError::BadPromotionCode { code, index, why });
        }
        let code = code.unwrap_or_default();
        if !accepted.contains(&code) {
            accepted.push(code);
        }
    }
    Ok(accepted)
}
