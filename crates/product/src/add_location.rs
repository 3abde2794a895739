//! `POST /v1/inventory/locations`: another place where stock lies.

use axum::extract::State;
use contracts::product::LocationId;
use kernel::{Id, Validate, Violations};
use platform::http::{ApiError, Reply, Valid};
use platform::idempotency::IdempotencyKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::list_locations::Location;
use crate::store::{inventory, stock};
use crate::{ProductError, ProductService};

/// Every reservation looks at every location of its goods.
pub(crate) const MOST: i64 = 100;
const LOWEST_PRIORITY: i64 = 1_000_000;

/// A place where stock will lie.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddLocation {
    /// How the shop calls it; no two have the same name.
    #[schema(min_length = 1, max_length = 100, example = "Mestre")]
    name: String,
    /// Goods are taken from the location with the lowest number first. Left out, it comes last.
    #[schema(minimum = 0, maximum = 1_000_000)]
    priority: Option<i64>,
}

impl Validate for AddLocation {
    fn validate(&self, violations: &mut Violations) {
        violations.text("name", &self.name, 1..=100);
        let fits = self
            .priority
            .is_none_or(|number| (0..=LOWEST_PRIORITY).contains(&number));
        violations.require(fits, "priority", "expected 0 to 1000000");
    }
}

/// Adds a location.
#[utoipa::path(
    post,
    path = "/v1/inventory/locations",
    request_body = AddLocation,
    responses((status = 201, body = Location, description = "Added."))
)]
pub(crate) async fn handler(
    State(products): State<ProductService>,
    key: IdempotencyKey,
    Valid(body): Valid<AddLocation>,
) -> Result<Reply, ApiError> {
    Ok(products.add_location(key, body).await?)
}

impl ProductService {
    async fn add_location(
        &self,
        key: IdempotencyKey,
        body: AddLocation,
    ) -> Result<Reply, ProductError> {
        let id = key.derived().unwrap_or_else(|| self.db.sources().uuid());
        let request = key.request(id, &body);
        request
            .once(&self.db, move |tx| async move {
                // Locations are counted, so they are added one after the other.
                tx.lock_keys(&[Uuid::nil()]).await?;
                stock::ensure_location(&tx).await?;
                if inventory::count_locations(&tx).await? >= MOST {
                    return Err(ProductError::TooManyLocations(MOST));
                }
                let id = LocationId::from_uuid(id);
                let added = inventory::add_location(&tx, id, &body.name, body.priority).await?;
                let location = added.ok_or(ProductError::LocationTaken)?;
                Ok(Reply::created("/v1/inventory/locations", &location))
            })
            .await
    }
}
