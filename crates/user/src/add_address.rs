//! `POST /v1/customers/me/addresses`: a customer keeps an address.

use axum::extract::State;
use contracts::user::AddressId;
use kernel::{Address, CustomerId, Id, Json, Validate, Violations};
use platform::db::Tx;
use platform::http::{ApiError, CallerOf, ETag, Reply, Valid};
use platform::idempotency::IdempotencyKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{AddressView, SavedAddress};
use crate::{UserError, UserService, store};

/// How many addresses a book can have.
const LIMIT: i64 = 50;

/// An address to keep.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeepAddress {
    pub(crate) address: Address,
}

impl Validate for KeepAddress {
    fn validate(&self, violations: &mut Violations) {
        violations.nested("address", &self.address);
    }
}

/// Adds an address to the caller's address book, which can have 50.
#[utoipa::path(
    post,
    path = "/v1/customers/me/addresses",
    request_body = KeepAddress,
    responses((status = 201, body = AddressView, description = "Added.",
        headers(("ETag" = String, description = "The version."),
                ("Location" = String, description = "Where it is to be had."))))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    caller: CallerOf,
    key: IdempotencyKey,
    Valid(body): Valid<KeepAddress>,
) -> Result<Reply, ApiError> {
    let id = caller.customer().ok_or(UserError::NotFound("customer"))?;
    Ok(users.add_address(id, key, body).await?)
}

impl UserService {
    async fn add_address(
        &self,
        customer: CustomerId,
        key: IdempotencyKey,
        body: KeepAddress,
    ) -> Result<Reply, UserError> {
        let request = key.request(customer.uuid(), &body);
        request
            .once(
                &self.db,
                move |tx| async move { add(&tx, customer, body).await },
            )
            .await
    }
}

async fn add(tx: &Tx, customer: CustomerId, body: KeepAddress) -> Result<Reply, UserError> {
    // One at a time for each customer, so that the count is true.
    let known = store::lock_customer(tx, customer).await?;
    known.ok_or(UserError::NotFound("customer"))?;
    if store::count_addresses(tx, customer).await? >= LIMIT {
        return Err(UserError::AddressLimit { limit: LIMIT });
    }
    let now = tx.sources().now();
    let saved = SavedAddress {
        id: tx.sources().id::<AddressId>(),
        address: Json(body.address),
        version: 1,
        created_at: now,
        updated_at: now,
    };
    store::add_address(tx, customer, &saved).await?;
    let location = format!("/v1/customers/me/addresses/{}", saved.id);
    let tag = ETag::version(saved.version);
    Ok(Reply::created(location, &AddressView::from(saved)).tagged(tag))
}
