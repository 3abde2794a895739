//! `POST /v1/carts/{id}/lines`: puts something into a cart.

use axum::extract::State;
use contracts::cart::{CartId, LineId};
use contracts::product::VariantId;
use kernel::{Id, Validate, Violations};
use platform::http::{ApiError, CallerOf, IfMatch, PathId, Reply, Valid};
use platform::idempotency::IdempotencyKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::change::{Edit, Facts, Target};
use crate::model::{Cart, MOST_PIECES};
use crate::view::CartView;
use crate::{CartError, CartService};

/// What to put into a cart.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewLine {
    pub(crate) variant_id: VariantId,
    /// How many.
    #[schema(minimum = 1, maximum = 10000, example = 1)]
    pub(crate) quantity: i64,
}

impl Validate for NewLine {
    fn validate(&self, violations: &mut Violations) {
        check_quantity(self.quantity, violations);
    }
}

/// The rule of every quantity.
pub(crate) fn check_quantity(quantity: i64, violations: &mut Violations) {
    let detail = "expected 1 to 10000";
    violations.require((1..=MOST_PIECES).contains(&quantity), "quantity", detail);
}

/// Puts a variant into a cart. If it is there already, its quantity grows. The variant must be on
/// sale and have a price in the cart's currency. Whether enough is left is decided when the order
/// is placed, and told in `requirements` until then; only variants that are reserved on cart are
/// refused here (409 `product.out_of_stock`).
#[utoipa::path(
    post,
    path = "/v1/carts/{id}/lines",
    params(
        ("id" = CartId, Path, description = "The cart."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version to change."),
    ),
    request_body = NewLine,
    responses((
        status = 200,
        body = CartView,
        description = "The cart, with the line.",
        headers(("ETag" = String, description = "The version, and what it costs now."))
    ))
)]
pub(crate) async fn handler(
    State(carts): State<CartService>,
    caller: CallerOf,
    if_match: IfMatch,
    key: IdempotencyKey,
    PathId(id): PathId<CartId>,
    Valid(body): Valid<NewLine>,
) -> Result<Reply, ApiError> {
    let target = Target::new(id, &caller, if_match).once(key.request(id.uuid(), &body));
    Ok(carts.add_line(target, body).await?)
}

impl CartService {
    async fn add_line(&self, target: Target, body: NewLine) -> Result<Reply, CartError> {
        let line_id = self.db.sources().id();
        self.change(target, AddLine { line_id, body }).await
    }
}

#[derive(Debug, Clone)]
struct AddLine {
    line_id: LineId,
    body: NewLine,
}

impl Edit for AddLine {
    fn apply(&self, cart: &mut Cart, facts: &Facts<'_>) -> Result<(), CartError> {
        let NewLine {
            variant_id,
            quantity,
        } = self.body;
        let field = || String::from("/variant_id");
        let variant = facts.known.purchasable(variant_id, field)?;
        cart.add(self.line_id, variant, quantity)
    }

    fn variants(&self) -> Vec<VariantId> {
        vec![self.body.variant_id]
    }
}
