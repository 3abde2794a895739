//! Statements about locations, and about what staff see of the stock.

use contracts::product::{InventoryMode, LocationId, VariantId};
use kernel::Id;
use platform::db::{DbError, Tx};
use platform::{from_row, params, sql};
use uuid::Uuid;

use crate::list_ledger::LedgerEntry;
use crate::list_locations::Location;

from_row!(Location {
    id,
    name,
    priority,
    created_at
});

/// A page of locations, in the order in which they are taken from.
pub(crate) async fn locations(
    tx: &Tx,
    after: Option<(i64, LocationId)>,
    rows: i64,
) -> Result<Vec<Location>, DbError> {
    // Priorities are not negative: this is before all.
    let (priority, id) = after.unwrap_or((-1, LocationId::from_uuid(Uuid::nil())));
    tx.all(
        sql!(
            "SELECT id, name, priority, created_at FROM locations
             WHERE (priority, id) > ($1, $2)
             ORDER BY priority, id LIMIT $3"
        ),
        params![priority, id, rows],
    )
    .await
}

pub(crate) async fn count_locations(tx: &Tx) -> Result<i64, DbError> {
    let count = tx.one::<(i64,)>(sql!("SELECT COUNT(*) FROM locations"), &[]);
    Ok(count.await?.map_or(0, |row| row.0))
}

/// Adds a location, the last one unless it has a priority; `None` if its name is taken.
pub(crate) async fn add_location(
    tx: &Tx,
    id: LocationId,
    name: &str,
    priority: Option<i64>,
) -> Result<Option<Location>, DbError> {
    tx.one(
        sql!(
            "INSERT INTO locations (id, name, priority, created_at)
             SELECT $1, $2, COALESCE($3, MAX(priority) + 1, 0), $4 FROM locations WHERE true
             ON CONFLICT DO NOTHING
             RETURNING id, name, priority, created_at"
        ),
        params![id, name, priority, tx.sources().now()],
    )
    .await
}

/// Where goods lie unless it is said.
pub(crate) async fn first_location(tx: &Tx) -> Result<Option<LocationId>, DbError> {
    let first = sql!("SELECT id FROM locations ORDER BY priority, id LIMIT 1");
    Ok(tx.one::<(LocationId,)>(first, &[]).await?.map(|row| row.0))
}

/// How a variant is kept, and one shelf of it, if it has any.
#[derive(Debug)]
pub(crate) struct StockRow {
    pub(crate) sku: String,
    pub(crate) inventory: InventoryMode,
    pub(crate) backorder: bool,
    pub(crate) location_id: Option<LocationId>,
    pub(crate) location: Option<String>,
    pub(crate) on_hand: Option<i64>,
    pub(crate) reserved: Option<i64>,
}

from_row!(StockRow {
    sku,
    inventory,
    backorder,
    location_id,
    location,
    on_hand,
    reserved
});

/// The shelves of a variant, in the order in which they are taken from; one row at least if the
/// variant exists.
pub(crate) async fn stock(tx: &Tx, variant: VariantId) -> Result<Vec<StockRow>, DbError> {
    tx.all(
        sql!(
            "SELECT r.sku, r.inventory, r.backorder, s.location_id, l.name, s.on_hand, s.reserved
             FROM stock_rules r
             LEFT JOIN stock s ON s.variant_id = r.variant_id
             LEFT JOIN locations l ON l.id = s.location_id
             WHERE r.variant_id = $1 ORDER BY l.priority, l.id"
        ),
        params![variant],
    )
    .await
}

from_row!(LedgerEntry {
    id,
    location_id,
    kind,
    on_hand_delta,
    reserved_delta,
    reference,
    note,
    at
});

/// A page of what has happened to the stock of a variant, the youngest first.
pub(crate) async fn ledger(
    tx: &Tx,
    variant: VariantId,
    before: Option<Uuid>,
    rows: i64,
) -> Result<Vec<LedgerEntry>, DbError> {
    tx.all(
        sql!(
            "SELECT id, location_id, kind, on_hand_delta, reserved_delta, reference, note, at
             FROM ledger WHERE variant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
        ),
        params![variant, before.unwrap_or(Uuid::max()), rows],
    )
    .await
}

/// Whether the variant exists.
pub(crate) async fn known(tx: &Tx, variant: VariantId) -> Result<bool, DbError> {
    let known = sql!("SELECT sku FROM stock_rules WHERE variant_id = $1");
    Ok(tx
        .one::<(String,)>(known, params![variant])
        .await?
        .is_some())
}
