//! `PATCH /v1/customers/me`: a customer changes what the shop knows of them.

use axum::extract::State;
use kernel::{CustomerId, Validate, Violations};
use platform::http::{ApiError, CallerOf, ETag, IfMatch, Reply, Valid};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::model::Profile;
use crate::{UserError, UserService, store};

/// What changes; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateProfile {
    /// How the shop addresses the customer.
    #[schema(min_length = 1, max_length = 200, example = "Ada King")]
    name: Option<String>,
}

impl Validate for UpdateProfile {
    fn validate(&self, violations: &mut Violations) {
        if let Some(name) = &self.name {
            violations.text("name", name, 1..=200);
        }
    }
}

/// Changes the customer who is logged in.
#[utoipa::path(
    patch,
    path = "/v1/customers/me",
    params(("If-Match" = Option<String>, Header, description = "The `ETag` of the version to change.")),
    request_body = UpdateProfile,
    responses((status = 200, body = Profile, description = "The customer.",
        headers(("ETag" = String, description = "The version."))))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    caller: CallerOf,
    if_match: IfMatch,
    Valid(body): Valid<UpdateProfile>,
) -> Result<Reply, ApiError> {
    let id = caller.customer().ok_or(UserError::NotFound("customer"))?;
    Ok(users.update_profile(id, if_match, body).await?)
}

impl UserService {
    async fn update_profile(
        &self,
        id: CustomerId,
        if_match: IfMatch,
        body: UpdateProfile,
    ) -> Result<Reply, UserError> {
        self.db
            .write(move |tx| async move {
                let customer = store::lock_customer(&tx, id).await?;
                let mut customer = customer.ok_or(UserError::NotFound("customer"))?;
                if_match.check(customer.version)?;
                if let Some(name) = body.name.filter(|name| *name != customer.name) {
                    customer.name = name;
                    customer.version += 1;
                    store::save_customer(&tx, &customer).await?;
                }
                let version = customer.version;
                Ok(Reply::ok(&Profile::from(customer)).tagged(ETag::version(version)))
            })
            .await
    }
}
