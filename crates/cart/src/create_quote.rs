//! `POST /v1/quotes`: what a cart would cost that the client keeps itself.

use axum::extract::State;
use contracts::cart::LineId;
use contracts::product::VariantId;
use kernel::Id;
use platform::http::{ApiError, Reply, Valid};

use crate::assess::assess;
use crate::create_cart::WholeCart;
use crate::model::Cart;
use crate::view::{QuoteView, quote_view};
use crate::{CartError, CartService};

/// Prices a cart that the client sends as a whole, exactly as a cart with the same content would
/// be. Nothing is stored. A line is named after its variant.
#[utoipa::path(
    post,
    path = "/v1/quotes",
    request_body = WholeCart,
    responses((status = 200, body = QuoteView, description = "What it costs now."))
)]
pub(crate) async fn handler(
    State(carts): State<CartService>,
    Valid(body): Valid<WholeCart>,
) -> Result<Reply, ApiError> {
    Ok(carts.create_quote(body).await?)
}

impl CartService {
    async fn create_quote(&self, body: WholeCart) -> Result<Reply, CartError> {
        let sources = self.db.sources();
        let now = sources.now();
        let empty = Cart::empty(sources.id(), sources.id(), None, body.currency, now);
        let same = |variant: VariantId| LineId::from_uuid(variant.uuid());
        let (cart, known) = self.assemble(empty, &body, same).await?;
        let assessed = assess(&cart, known, &self.config, now)?;
        Ok(Reply::ok(&quote_view(&cart, &assessed)))
    }
}
