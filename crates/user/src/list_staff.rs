//! `GET /v1/staff`: who works for the shop.

use axum::extract::State;
use kernel::{Cursor, Id, Limit, Page, StaffId, Validate, Violations};
use platform::http::{ApiError, Query, Reply};
use platform::idempotency::bad_cursor;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::model::StaffView;
use crate::{UserError, UserService, store};

/// Which members.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListStaff {
    /// How many at the most.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// Where the page starts: `next_cursor` of the page before.
    #[param(inline)]
    cursor: Option<Cursor>,
}

impl Validate for ListStaff {
    fn validate(&self, _: &mut Violations) {}
}

/// Lists the members of staff, also those who are not active.
#[utoipa::path(
    get,
    path = "/v1/staff",
    params(ListStaff),
    responses((status = 200, body = Page<StaffView>, description = "A page of members."))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    Query(query): Query<ListStaff>,
) -> Result<Reply, ApiError> {
    Ok(users.list_staff(query).await?)
}

impl UserService {
    async fn list_staff(&self, query: ListStaff) -> Result<Reply, UserError> {
        let ListStaff { limit, cursor } = query;
        let filter = "staff";
        let after = cursor
            .map(|cursor| cursor.key(&filter))
            .transpose()
            .map_err(bad_cursor)?;
        let after = after.unwrap_or(StaffId::from_uuid(Uuid::nil()));
        let rows = store::all_staff(&self.db.read().await?, after, limit.rows()).await?;
        let page = Page::of(rows, limit.get(), &filter, |staff| staff.id);
        Ok(Reply::ok(&page.map(StaffView::from)))
    }
}
