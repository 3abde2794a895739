//! `GET /v1/staff/me`: what the shop knows of the member of staff who asks.

use axum::extract::State;
use kernel::Caller;
use platform::http::{ApiError, CallerOf, Reply};

use crate::model::StaffView;
use crate::{UserError, UserService};

/// Shows the member of staff who is logged in.
#[utoipa::path(
    get,
    path = "/v1/staff/me",
    responses((status = 200, body = StaffView, description = "The member of staff.",
        headers(("ETag" = String, description = "The version."))))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    caller: CallerOf,
) -> Result<Reply, ApiError> {
    let Caller::Staff { id, .. } = caller.0 else {
        return Err(UserError::NotFound("member of staff").into());
    };
    Ok(users.get_staff(id).await?)
}
