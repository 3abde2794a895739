//! `POST /v1/staff`: somebody begins to work for the shop.

use std::collections::BTreeSet;

use axum::extract::State;
use kernel::{Email, Id, Json, Secret, StaffId, StaffRole, Validate, Violations};
use platform::http::{ApiError, ETag, Reply, Valid};
use platform::idempotency::IdempotencyKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{Staff, StaffView};
use crate::{UserError, UserService, password, store};

/// Somebody who is to work for the shop.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddStaff {
    email: Email,
    #[schema(min_length = 1, max_length = 200, example = "Mia")]
    name: String,
    /// 8 to 128 characters.
    #[serde(skip_serializing)]
    #[schema(value_type = String, min_length = 8, max_length = 128, example = "correct horse")]
    password: Secret<String>,
    /// What they may do, at least one.
    #[schema(min_items = 1)]
    roles: BTreeSet<StaffRole>,
}

impl Validate for AddStaff {
    fn validate(&self, violations: &mut Violations) {
        violations.text("name", &self.name, 1..=200);
        violations.require(
            !self.roles.is_empty(),
            "roles",
            "expected at least one role",
        );
    }
}

/// Adds a member of staff, who can log in at once.
#[utoipa::path(
    post,
    path = "/v1/staff",
    request_body = AddStaff,
    responses((status = 201, body = StaffView, description = "Added.",
        headers(("ETag" = String, description = "The version."),
                ("Location" = String, description = "Where they are to be had."))))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    key: IdempotencyKey,
    Valid(body): Valid<AddStaff>,
) -> Result<Reply, ApiError> {
    Ok(users.add_staff(key, body).await?)
}

impl UserService {
    async fn add_staff(&self, key: IdempotencyKey, body: AddStaff) -> Result<Reply, UserError> {
        password::check(&body.password)?;
        let id = key
            .derived()
            .map_or_else(|| self.db.sources().id(), StaffId::from_uuid);
        let request = key.request(id.uuid(), &body);
        let tx = self.db.read().await?;
        if let Some(reply) = request.replay(&tx).await? {
            return Ok(reply);
        }
        drop(tx);
        let hash = self
            .hasher
            .hash(body.password.clone(), self.db.sources())
            .await?;
        let mine = request.clone();
        let added = self
            .db
            .write(move |tx| async move {
                let staff = new_staff(id, body, &tx);
                if !store::add_staff(&tx, &staff, &hash).await? {
                    return Err(UserError::EmailTaken);
                }
                let (location, tag) = (format!("/v1/staff/{id}"), ETag::version(staff.version));
                let reply = Reply::created(location, &StaffView::from(staff)).tagged(tag);
                request.keep(&tx, &reply).await?;
                Ok(reply)
            })
            .await;
        mine.settle(&self.db, added).await
    }
}

fn new_staff(id: StaffId, body: AddStaff, tx: &platform::db::Tx) -> Staff {
    Staff {
        id,
        email: body.email,
        name: body.name,
        roles: Json(body.roles.into_iter().collect()),
        active: true,
        version: 1,
        created_at: tx.sources().now(),
    }
}
