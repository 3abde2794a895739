//! `GET /v1/inventory/locations`: where stock lies.

use axum::extract::State;
use contracts::product::LocationId;
use kernel::{Cursor, Limit, Page, Timestamp, Validate, Violations};
use platform::http::{ApiError, Query, Reply};
use platform::idempotency::bad_cursor;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::store::inventory;
use crate::{ProductError, ProductService};

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListLocations {
    /// How many at the most.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// Where the page starts: the `next_cursor` of the one before.
    cursor: Option<Cursor>,
}

impl Validate for ListLocations {
    fn validate(&self, _: &mut Violations) {}
}

/// A place where stock lies.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Location {
    pub(crate) id: LocationId,
    /// How the shop calls it.
    pub(crate) name: String,
    /// Goods are taken from the location with the lowest number first.
    pub(crate) priority: i64,
    pub(crate) created_at: Timestamp,
}

/// Lists the locations, in the order in which goods are taken from them.
#[utoipa::path(
    get,
    path = "/v1/inventory/locations",
    params(ListLocations),
    responses((status = 200, body = Page<Location>, description = "A page of locations."))
)]
pub(crate) async fn handler(
    State(products): State<ProductService>,
    Query(query): Query<ListLocations>,
) -> Result<Reply, ApiError> {
    Ok(products.list_locations(query).await?)
}

impl ProductService {
    async fn list_locations(&self, query: ListLocations) -> Result<Reply, ProductError> {
        let after = query
            .cursor
            .map(|cursor| cursor.key::<(i64, LocationId)>(&"locations"));
        let after = after.transpose().map_err(bad_cursor)?;
        let tx = self.db.read().await?;
        let rows = inventory::locations(&tx, after, query.limit.rows()).await?;
        let key = |location: &Location| (location.priority, location.id);
        Ok(Reply::ok(&Page::of(
            rows,
            query.limit.get(),
            &"locations",
            key,
        )))
    }
}
