//! `GET /v1/customers/{id}`: the staff looks at a customer.

use axum::extract::State;
use kernel::CustomerId;
use platform::http::{ApiError, PathId, Reply};

use crate::UserService;
use crate::model::Profile;

/// Shows a customer.
#[utoipa::path(
    get,
    path = "/v1/customers/{id}",
    params(("id" = CustomerId, Path, description = "The customer.")),
    responses((status = 200, body = Profile, description = "The customer.",
        headers(("ETag" = String, description = "The version."))))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    PathId(id): PathId<CustomerId>,
) -> Result<Reply, ApiError> {
    Ok(users.get_profile(id).await?)
}
