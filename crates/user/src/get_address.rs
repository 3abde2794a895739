//! `GET /v1/customers/me/addresses/{id}`: one address of an address book.

use axum::extract::State;
use contracts::user::AddressId;
use kernel::CustomerId;
use platform::http::{ApiError, CallerOf, ETag, PathId, Reply};

use crate::model::AddressView;
use crate::{UserError, UserService, store};

/// Shows one of the caller's addresses.
#[utoipa::path(
    get,
    path = "/v1/customers/me/addresses/{id}",
    params(("id" = AddressId, Path, description = "The address.")),
    responses((status = 200, body = AddressView, description = "The address.",
        headers(("ETag" = String, description = "The version."))))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    caller: CallerOf,
    PathId(id): PathId<AddressId>,
) -> Result<Reply, ApiError> {
    let customer = caller.customer().ok_or(UserError::NotFound("customer"))?;
    Ok(users.get_address(customer, id).await?)
}

impl UserService {
    async fn get_address(&self, customer: CustomerId, id: AddressId) -> Result<Reply, UserError> {
        let saved = store::address(&self.db.read().await?, customer, id).await?;
        let saved = saved.ok_or(UserError::NotFound("address"))?;
        let tag = ETag::version(saved.version);
        Ok(Reply::ok(&AddressView::from(saved)).tagged(tag))
    }
}
