//! `GET /v1/inventory/{variant_id}/ledger`: what has happened to the stock of a variant.

use axum::extract::State;
use contracts::product::{LocationId, VariantId};
use kernel::{Cursor, Id, Limit, Page, Timestamp, Validate, Violations};
use platform::http::{ApiError, PathId, Query, Reply};
use platform::idempotency::bad_cursor;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::stock::EntryKind;
use crate::store::inventory;
use crate::{ProductError, ProductService};

kernel::id_type!(
    /// Names one change of stock.
    pub(crate) LedgerEntryId, "led"
);

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListLedger {
    /// How many at the most.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// Where the page starts: the `next_cursor` of the one before.
    cursor: Option<Cursor>,
}

impl Validate for ListLedger {
    fn validate(&self, _: &mut Violations) {}
}

/// A change of stock. The sums over all changes are the stock.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LedgerEntry {
    pub(crate) id: LedgerEntryId,
    /// Where.
    pub(crate) location_id: LocationId,
    /// Why.
    pub(crate) kind: EntryKind,
    /// How many more lie there since.
    pub(crate) on_hand_delta: i64,
    /// How many more are set aside since.
    pub(crate) reserved_delta: i64,
    /// The UUID of the order or cart that it happened for. The last bits count the tries of an order
    /// that took more than one.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub(crate) reference: Option<Uuid>,
    pub(crate) note: Option<String>,
    /// When.
    pub(crate) at: Timestamp,
}

/// Lists what has happened to the stock of a variant, the youngest first.
#[utoipa::path(
    get,
    path = "/v1/inventory/{variant_id}/ledger",
    params(("variant_id" = VariantId, Path), ListLedger),
    responses((status = 200, body = Page<LedgerEntry>, description = "A page of changes."))
)]
pub(crate) async fn handler(
    State(products): State<ProductService>,
    PathId(variant_id): PathId<VariantId>,
    Query(query): Query<ListLedger>,
) -> Result<Reply, ApiError> {
    Ok(products.list_ledger(variant_id, query).await?)
}

impl ProductService {
    async fn list_ledger(
        &self,
        variant: VariantId,
        query: ListLedger,
    ) -> Result<Reply, ProductError> {
        let before = query
            .cursor
            .map(|cursor| cursor.key::<LedgerEntryId>(&variant));
        let before = before.transpose().map_err(bad_cursor)?.map(Id::uuid);
        let tx = self.db.read().await?;
        let rows = inventory::ledger(&tx, variant, before, query.limit.rows()).await?;
        if rows.is_empty() && !inventory::known(&tx, variant).await? {
            return Err(ProductError::NotFound("variant"));
        }
        Ok(Reply::ok(&Page::of(
            rows,
            query.limit.get(),
            &variant,
            |entry| entry.id,
        )))
    }
}
