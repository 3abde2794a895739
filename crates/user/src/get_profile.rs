//! `GET /v1/customers/me`: what the shop knows of the caller.

use axum::extract::State;
use kernel::CustomerId;
use platform::http::{ApiError, CallerOf, ETag, Reply};

use crate::model::Profile;
use crate::{UserError, UserService, store};

/// Shows the customer who is logged in.
#[utoipa::path(
    get,
    path = "/v1/customers/me",
    responses((status = 200, body = Profile, description = "The customer.",
        headers(("ETag" = String, description = "The version."))))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    caller: CallerOf,
) -> Result<Reply, ApiError> {
    let id = caller.customer().ok_or(UserError::NotFound("customer"))?;
    Ok(users.get_profile(id).await?)
}

impl UserService {
    /// Shows a customer.
    pub(crate) async fn get_profile(&self, id: CustomerId) -> Result<Reply, UserError> {
        let tx = self.db.read().await?;
        let customer = store::customer(&tx, id)
            .await?
            .ok_or(UserError::NotFound("customer"))?;
        let version = customer.version;
        Ok(Reply::ok(&Profile::from(customer)).tagged(ETag::version(version)))
    }
}
