//! `POST /v1/promotions`: staff let a code take something off.

use std::collections::BTreeSet;

use axum::extract::State;
use kernel::{Json, Money, Rate, Timestamp, Validate, Violations};
use platform::db::Db;
use platform::http::{ApiError, Reply, Valid};
use platform::idempotency::IdempotencyKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::promotion::{Promotion, PromotionView, normal_code};
use crate::{CartError, CartService, store};

/// Currencies of one promotion.
const MOST_AMOUNTS: usize = 20;

/// A promotion: either a rate or amounts.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPromotion {
    /// What customers enter: letters, digits, `-` and `_`. Kept in capitals.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,40}$", example = "WELCOME")]
    code: String,
    /// What part of the order it takes off, in parts per million: 100000 is 10 %.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1_000_000, example = 100_000)]
    rate: Option<Rate>,
    /// What it takes off the order, in each currency in which it applies.
    #[serde(default)]
    #[schema(max_items = 20)]
    amounts: Vec<Money>,
    /// From which subtotal on it applies. If there are any, it applies in these currencies only.
    #[serde(default)]
    #[schema(max_items = 20)]
    min_subtotals: Vec<Money>,
    /// When it begins; at once without.
    #[serde(default)]
    starts_at: Option<Timestamp>,
    /// When it ends; never without.
    #[serde(default)]
    ends_at: Option<Timestamp>,
}

impl Validate for NewPromotion {
    fn validate(&self, violations: &mut Violations) {
        let detail = "expected 1 to 40 letters, digits, hyphens and underscores";
        violations.require(normal_code(&self.code).is_some(), "code", detail);
        let one = self.rate.is_some() == self.amounts.is_empty();
        violations.require(one, "", "expected either a rate or amounts");
        let nothing = self.rate == Some(Rate::ZERO);
        violations.require(!nothing, "rate", "expected 1 to 1000000 parts per million");
        check_amounts("amounts", &self.amounts, 1, violations);
        check_amounts("min_subtotals", &self.min_subtotals, 0, violations);
        let ordered = match (self.starts_at, self.ends_at) {
            (Some(start), Some(end)) => start < end,
            _ => true,
        };
        violations.require(ordered, "ends_at", "must be after starts_at");
    }
}

/// At least `least` minor units, and each currency once.
fn check_amounts(field: &str, amounts: &[Money], least: i64, violations: &mut Violations) {
    let detail = format!("at most {MOST_AMOUNTS} amounts");
    violations.require(amounts.len() <= MOST_AMOUNTS, field, &detail);
    let mut seen = BTreeSet::new();
    violations.within(field, |violations| {
        for (index, amount) in amounts.iter().enumerate().take(MOST_AMOUNTS) {
            let detail = format!("expected an amount of {least} or more");
            violations.require(amount.minor >= least, index, &detail);
            let detail = "each currency once";
            violations.require(seen.insert(amount.currency), index, detail);
        }
    });
}

/// Creates a promotion. Its code can be entered into carts at once, and takes something off while
/// the promotion lasts.
#[utoipa::path(
    post,
    path = "/v1/promotions",
    request_body = NewPromotion,
    responses((
        status = 201,
        body = PromotionView,
        description = "The promotion.",
        headers(("Location" = String, description = "Where it can be removed."))
    ))
)]
pub(crate) async fn handler(
    State(carts): State<CartService>,
    key: IdempotencyKey,
    Valid(body): Valid<NewPromotion>,
) -> Result<Reply, ApiError> {
    Ok(carts.create_promotion(key, body).await?)
}

impl CartService {
    async fn create_promotion(
        &self,
        key: IdempotencyKey,
        body: NewPromotion,
    ) -> Result<Reply, CartError> {
        let request = key.request(key.derived().unwrap_or(Uuid::nil()), &body);
        let promotion = Promotion {
            code: normal_code(&body.code).expect("the body was validated"),
            rate: body.rate,
            amounts: Json(body.amounts),
            min_subtotals: Json(body.min_subtotals),
            starts_at: body.starts_at,
            ends_at: body.ends_at,
            created_at: self.db.sources().now(),
        };
        request
            .once(&self.db, move |tx| async move {
                if !store::add_promotion(&tx, &promotion).await? {
                    return Err(CartError::PromotionExists(promotion.code));
                }
                let location = format!("/v1/promotions/{}", promotion.code);
                Ok(Reply::created(location, &PromotionView::from(promotion)))
            })
            .await
    }
}

/// Adds a promotion that takes a part off every cart, unless there is one with its code; returns
/// whether it was added. For whoever sets up a shop.
pub async fn add_promotion(db: &Db, code: &str, rate: Rate) -> Result<bool, CartError> {
    let promotion = Promotion {
        code: code.to_owned(),
        rate: Some(rate),
        amounts: Json(Vec::new()),
        min_subtotals: Json(Vec::new()),
        starts_at: None,
        ends_at: None,
        created_at: db.sources().now(),
    };
    let work = move |tx| async move { Ok(store::add_promotion(&tx, &promotion).await?) };
    db.write(work).await
}
