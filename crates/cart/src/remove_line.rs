//! `DELETE /v1/carts/{id}/lines/{line_id}`: takes something out of a cart.

use axum::extract::State;
use contracts::cart::{CartId, LineId};
use platform::http::{ApiError, CallerOf, IfMatch, PathIds, Reply};

use crate::change::{Edit, Facts, Target};
use crate::model::Cart;
use crate::view::CartView;
use crate::{CartError, CartService};

/// Takes a line out of a cart.
#[utoipa::path(
    delete,
    path = "/v1/carts/{id}/lines/{line_id}",
    params(
        ("id" = CartId, Path, description = "The cart."),
        ("line_id" = LineId, Path, description = "The line."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version to change."),
    ),
    responses((
        status = 200,
        body = CartView,
        description = "The cart, without the line.",
        headers(("ETag" = String, description = "The version, and what it costs now."))
    ))
)]
pub(crate) async fn handler(
    State(carts): State<CartService>,
    caller: CallerOf,
    if_match: IfMatch,
    PathIds(id, line): PathIds<CartId, LineId>,
) -> Result<Reply, ApiError> {
    let target = Target::new(id, &caller, if_match);
    Ok(carts.change(target, RemoveLine { line }).await?)
}

#[derive(Debug, Clone)]
struct RemoveLine {
    line: LineId,
}

impl Edit for RemoveLine {
    fn apply(&self, cart: &mut Cart, _: &Facts<'_>) -> Result<(), CartError> {
        cart.remove(self.line)
    }
}
