//! `DELETE /v1/customers/me/addresses/{id}`: an address is needed no more.

use axum::extract::State;
use contracts::user::AddressId;
use kernel::CustomerId;
use platform::http::{ApiError, CallerOf, IfMatch, PathId, Reply};

use crate::{UserError, UserService, store};

/// Removes one of the caller's addresses. Orders keep the address that they were placed with.
#[utoipa::path(
    delete,
    path = "/v1/customers/me/addresses/{id}",
    params(("id" = AddressId, Path, description = "The address."),
           ("If-Match" = Option<String>, Header, description = "The `ETag` of the version to remove.")),
    responses((status = 204, description = "Removed."))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    caller: CallerOf,
    if_match: IfMatch,
    PathId(id): PathId<AddressId>,
) -> Result<Reply, ApiError> {
    let customer = caller.customer().ok_or(UserError::NotFound("customer"))?;
    Ok(users.remove_address(customer, id, if_match).await?)
}

impl UserService {
    async fn remove_address(
        &self,
        customer: CustomerId,
        id: AddressId,
        if_match: IfMatch,
    ) -> Result<Reply, UserError> {
        self.db
            .write(move |tx| async move {
                let saved = store::lock_address(&tx, customer, id).await?;
                let saved = saved.ok_or(UserError::NotFound("address"))?;
                if_match.check(saved.version)?;
                store::remove_address(&tx, customer, id).await?;
                Ok(Reply::no_content())
            })
            .await
    }
}
