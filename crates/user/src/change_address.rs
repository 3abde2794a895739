//! `PUT /v1/customers/me/addresses/{id}`: an address is out of date.

use axum::extract::State;
use contracts::user::AddressId;
use kernel::{CustomerId, Json};
use platform::http::{ApiError, CallerOf, ETag, IfMatch, PathId, Reply, Valid};

use crate::add_address::KeepAddress;
use crate::model::AddressView;
use crate::{UserError, UserService, store};

/// Puts another address in the place of one of the caller's.
#[utoipa::path(
    put,
    path = "/v1/customers/me/addresses/{id}",
    params(("id" = AddressId, Path, description = "The address."),
           ("If-Match" = Option<String>, Header, description = "The `ETag` of the version to change.")),
    request_body = KeepAddress,
    responses((status = 200, body = AddressView, description = "The address as it is now.",
        headers(("ETag" = String, description = "The version."))))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    caller: CallerOf,
    if_match: IfMatch,
    PathId(id): PathId<AddressId>,
    Valid(body): Valid<KeepAddress>,
) -> Result<Reply, ApiError> {
    let customer = caller.customer().ok_or(UserError::NotFound("customer"))?;
    Ok(users.change_address(customer, id, if_match, body).await?)
}

impl UserService {
    async fn change_address(
        &self,
        customer: CustomerId,
        id: AddressId,
        if_match: IfMatch,
        body: KeepAddress,
    ) -> Result<Reply, UserError> {
        self.db
            .write(move |tx| async move {
                let saved = store::lock_address(&tx, customer, id).await?;
                let mut saved = saved.ok_or(UserError::NotFound("address"))?;
                if_match.check(saved.version)?;
                if saved.address.0 != body.address {
                    saved.address = Json(body.address);
                    saved.version += 1;
                    saved.updated_at = tx.sources().now();
                    store::save_address(&tx, customer, &saved).await?;
                }
                let tag = ETag::version(saved.version);
                Ok(Reply::ok(&AddressView::from(saved)).tagged(tag))
            })
            .await
    }
}
