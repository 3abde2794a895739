//! `GET /v1/staff/{id}`: one member of staff.

use axum::extract::State;
use kernel::StaffId;
use platform::http::{ApiError, ETag, PathId, Reply};

use crate::model::StaffView;
use crate::{UserError, UserService, store};

/// Shows a member of staff.
#[utoipa::path(
    get,
    path = "/v1/staff/{id}",
    params(("id" = StaffId, Path, description = "The member of staff.")),
    responses((status = 200, body = StaffView, description = "The member of staff.",
        headers(("ETag" = String, description = "The version."))))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    PathId(id): PathId<StaffId>,
) -> Result<Reply, ApiError> {
    Ok(users.get_staff(id).await?)
}

impl UserService {
    /// Shows a member of staff.
    pub(crate) async fn get_staff(&self, id: StaffId) -> Result<Reply, UserError> {
        let staff = store::staff(&self.db.read().await?, id).await?;
        let staff = staff.ok_or(UserError::NotFound("member of staff"))?;
        let tag = ETag::version(staff.version);
        Ok(Reply::ok(&StaffView::from(staff)).tagged(tag))
    }
}
