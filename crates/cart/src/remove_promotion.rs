//! `DELETE /v1/promotions/{code}`: a code takes nothing off any more.

use axum::extract::State;
use platform::http::{ApiError, PathId, Reply};

use crate::promotion::normal_code;
use crate::{CartError, CartService, store};

/// Removes a promotion. Carts that hold its code keep it, and it takes nothing off any more.
#[utoipa::path(
    delete,
    path = "/v1/promotions/{code}",
    params(("code" = String, Path, description = "The code.")),
    responses((status = 204, description = "It is gone."))
)]
pub(crate) async fn handler(
    State(carts): State<CartService>,
    PathId(code): PathId<String>,
) -> Result<Reply, ApiError> {
    Ok(carts.remove_promotion(&code).await?)
}

impl CartService {
    async fn remove_promotion(&self, code: &str) -> Result<Reply, CartError> {
        let code = normal_code(code).ok_or(CartError::NotFound("promotion"))?;
        self.db
            .write(move |tx| async move {
                if store::remove_promotion(&tx, &code).await? {
                    Ok(Reply::no_content())
                } else {
                    Err(CartError::NotFound("promotion"))
                }
            })
            .await
    }
}
