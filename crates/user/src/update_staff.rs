//! `PATCH /v1/staff/{id}`: what a member of staff may do changes.

use std::collections::BTreeSet;

use axum::extract::State;
use kernel::{Json, Secret, StaffId, StaffRole, Validate, Violations};
use platform::db::Tx;
use platform::http::{ApiError, ETag, IfMatch, PathId, Reply, Valid};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::model::{Staff, StaffView};
use crate::session::Owner;
use crate::{UserError, UserService, password, store};

/// What changes; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateStaff {
    #[schema(min_length = 1, max_length = 200, example = "Mia")]
    name: Option<String>,
    /// What they may do, at least one. Counts from the next refresh of their session on.
    #[schema(min_items = 1)]
    roles: Option<BTreeSet<StaffRole>>,
    /// Whether they can log in. Who no longer can is logged out.
    active: Option<bool>,
    /// 8 to 128 characters. Who gets another password is logged out.
    #[schema(value_type = Option<String>, min_length = 8, max_length = 128)]
    password: Option<Secret<String>>,
}

impl Validate for UpdateStaff {
    fn validate(&self, violations: &mut Violations) {
        if let Some(name) = &self.name {
            violations.text("name", name, 1..=200);
        }
        let some = self.roles.as_ref().is_none_or(|roles| !roles.is_empty());
        violations.require(some, "roles", "expected at least one role");
    }
}

impl UpdateStaff {
    /// Whether an admin would be one no more.
    fn may_unseat(&self) -> bool {
        let other = |roles: &BTreeSet<_>| !roles.contains(&StaffRole::Admin);
        self.active == Some(false) || self.roles.as_ref().is_some_and(other)
    }

    /// The member as they will be, in the same version.
    fn apply(self, staff: &Staff) -> Staff {
        let roles = self.roles.map(|roles| Json(roles.into_iter().collect()));
        Staff {
            name: self.name.unwrap_or_else(|| staff.name.clone()),
            roles: roles.unwrap_or_else(|| staff.roles.clone()),
            active: self.active.unwrap_or(staff.active),
            ..staff.clone()
        }
    }
}

/// Changes a member of staff. There is always one active admin at the least.
#[utoipa::path(
    patch,
    path = "/v1/staff/{id}",
    params(("id" = StaffId, Path, description = "The member of staff."),
           ("If-Match" = Option<String>, Header, description = "The `ETag` of the version to change.")),
    request_body = UpdateStaff,
    responses((status = 200, body = StaffView, description = "The member as they are now.",
        headers(("ETag" = String, description = "The version."))))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    if_match: IfMatch,
    PathId(id): PathId<StaffId>,
    Valid(body): Valid<UpdateStaff>,
) -> Result<Reply, ApiError> {
    Ok(users.update_staff(id, if_match, body).await?)
}

impl UserService {
    async fn update_staff(
        &self,
        id: StaffId,
        if_match: IfMatch,
        body: UpdateStaff,
    ) -> Result<Reply, UserError> {
        let hash = match &body.password {
            None => None,
            Some(password) => {
                password::check(password)?;
                Some(
                    self.hasher
                        .hash(password.clone(), self.db.sources())
                        .await?,
                )
            }
        };
        let update = move |tx: Tx| async move { update(&tx, id, if_match, body, hash).await };
        let staff = self.db.write(update).await?;
        let tag = ETag::version(staff.version);
        Ok(Reply::ok(&StaffView::from(staff)).tagged(tag))
    }
}

async fn update(
    tx: &Tx,
    id: StaffId,
    if_match: IfMatch,
    body: UpdateStaff,
    hash: Option<String>,
) -> Result<Staff, UserError> {
    // Before the member, so that two who unseat each other do not wait for each other.
    let admins = if body.may_unseat() {
        store::lock_admins(tx).await?
    } else {
        Vec::new()
    };
    let before = store::lock_staff(tx, id).await?;
    let before = before.ok_or(UserError::NotFound("member of staff"))?;
    if_match.check(before.version)?;
    let mut after = body.apply(&before);
    if before.rules() && !after.rules() && admins == [id] {
        return Err(UserError::LastAdmin);
    }
    if after == before && hash.is_none() {
        return Ok(before);
    }
    after.version += 1;
    store::save_staff(tx, &after).await?;
    if let Some(hash) = &hash {
        store::set_staff_password(tx, id, hash).await?;
    }
    if !after.active || hash.is_some() {
        store::end_sessions(tx, Owner::Staff(id), None).await?;
    }
    Ok(after)
}
