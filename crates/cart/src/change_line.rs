//! `PATCH /v1/carts/{id}/lines/{line_id}`: more or fewer of a line.

use axum::extract::State;
use contracts::cart::{CartId, LineId};
use kernel::{Validate, Violations};
use platform::http::{ApiError, CallerOf, IfMatch, PathIds, Reply, Valid};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::CartError;
use crate::CartService;
use crate::add_line::check_quantity;
use crate::change::{Edit, Facts, Target};
use crate::model::Cart;
use crate::view::CartView;

/// What a line shall be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LineChange {
    /// How many; to have none, remove the line.
    #[schema(minimum = 1, maximum = 10000, example = 2)]
    quantity: i64,
}

impl Validate for LineChange {
    fn validate(&self, violations: &mut Violations) {
        check_quantity(self.quantity, violations);
    }
}

/// Sets how many pieces a line has.
#[utoipa::path(
    patch,
    path = "/v1/carts/{id}/lines/{line_id}",
    params(
        ("id" = CartId, Path, description = "The cart."),
        ("line_id" = LineId, Path, description = "The line."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version to change."),
    ),
    request_body = LineChange,
    responses((
        status = 200,
        body = CartView,
        description = "The cart, with the line changed.",
        headers(("ETag" = String, description = "The version, and what it costs now."))
    ))
)]
pub(crate) async fn handler(
    State(carts): State<CartService>,
    caller: CallerOf,
    if_match: IfMatch,
    PathIds(id, line): PathIds<CartId, LineId>,
    Valid(body): Valid<LineChange>,
) -> Result<Reply, ApiError> {
    let edit = SetQuantity {
        line,
        quantity: body.quantity,
    };
    let target = Target::new(id, &caller, if_match);
    Ok(carts.change(target, edit).await?)
}

#[derive(Debug, Clone)]
struct SetQuantity {
    line: LineId,
    quantity: i64,
}

impl Edit for SetQuantity {
    fn apply(&self, cart: &mut Cart, _: &Facts<'_>) -> Result<(), CartError> {
        cart.set_quantity(self.line, self.quantity)
    }
}
