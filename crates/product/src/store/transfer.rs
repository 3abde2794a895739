//! Statements of the import and the export.

use contracts::product::{LocationId, ProductId, VariantId};
use kernel::{Id, Scalar};
use platform::db::{DbError, Tx};
use platform::{from_row, params, sql};
use serde::Serialize;
use uuid::Uuid;

use super::listing::EVERYTHING;
use super::products::KeptProduct;
use super::{ids, rows};
use crate::model::ProductStatus;

/// Whether there is any product at all.
pub(crate) async fn has_products(tx: &Tx) -> Result<bool, DbError> {
    let any = sql!("SELECT id FROM products LIMIT 1");
    Ok(tx.one::<(ProductId,)>(any, &[]).await?.is_some())
}

/// A page of products in the order of their slugs, those after `slug`.
pub(crate) async fn products_after(
    tx: &Tx,
    slug: &str,
    status: Option<ProductStatus>,
    rows: i64,
) -> Result<Vec<KeptProduct>, DbError> {
    tx.all(
        sql!(
            "SELECT id, status, version, document FROM products
             WHERE slug > $1 AND (CAST($2 AS text) IS NULL OR status = $2)
             ORDER BY slug LIMIT $3"
        ),
        params![slug, status, rows],
    )
    .await
}

/// The currencies that products have prices in, by their codes.
pub(crate) async fn currencies(
    tx: &Tx,
    status: Option<ProductStatus>,
) -> Result<Vec<String>, DbError> {
    let found: Vec<(String,)> = tx
        .all(
            sql!(
                "SELECT DISTINCT currency FROM listing
                 WHERE category_id = $1 AND (CAST($2 AS text) IS NULL OR status = $2)
                   AND currency <> '' ORDER BY currency"
            ),
            &[Scalar::Uuid(EVERYTHING), kernel::Stored::store(&status)],
        )
        .await?;
    Ok(found.into_iter().map(|row| row.0).collect())
}

/// A variant that has an SKU.
#[derive(Debug)]
pub(crate) struct SkuOwner {
    pub(crate) sku: String,
    pub(crate) product_id: ProductId,
    pub(crate) slug: String,
}

from_row!(SkuOwner {
    sku,
    product_id,
    slug
});

/// Which products have variants with these SKUs.
pub(crate) async fn sku_owners(tx: &Tx, skus: &[&str]) -> Result<Vec<SkuOwner>, DbError> {
    tx.all(
        sql!(
            sqlite: "SELECT v.sku, p.id, p.slug FROM variants v JOIN products p ON p.id = v.product_id
                     WHERE v.sku IN (SELECT value FROM json_each($1))",
            postgres: "SELECT v.sku, p.id, p.slug FROM variants v
                       JOIN products p ON p.id = v.product_id
                       WHERE v.sku IN (SELECT json_array_elements_text($1::json))"
        ),
        &[rows(&skus)],
    )
    .await
}

/// What lies on a shelf.
#[derive(Debug)]
pub(crate) struct OnShelf {
    pub(crate) variant_id: VariantId,
    pub(crate) location_id: LocationId,
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
}

from_row!(OnShelf {
    variant_id,
    location_id,
    on_hand,
    reserved
});

/// What lies on the shelves of variants.
pub(crate) async fn on_shelves(tx: &Tx, variants: &[VariantId]) -> Result<Vec<OnShelf>, DbError> {
    tx.all(
        sql!(
            sqlite: "SELECT variant_id, location_id, on_hand, reserved FROM stock
                     WHERE variant_id IN rarray($1)",
            postgres: "SELECT variant_id, location_id, on_hand, reserved FROM stock
                       WHERE variant_id = ANY($1)"
        ),
        &[ids(variants.iter().copied())],
    )
    .await
}

#[derive(Serialize)]
struct ShelfRow {
    #[serde(with = "uuid::serde::simple")]
    variant_id: Uuid,
    #[serde(with = "uuid::serde::simple")]
    location_id: Uuid,
}

/// A row for each variant at its location, unless there is one; see
/// [`add_shelf`](super::stock::add_shelf).
pub(crate) async fn add_shelves(
    tx: &Tx,
    shelves: impl IntoIterator<Item = (VariantId, LocationId)>,
) -> Result<(), DbError> {
    let shelves = shelves.into_iter().map(|(variant, location)| ShelfRow {
        variant_id: variant.uuid(),
        location_id: location.uuid(),
    });
    let shelves: Vec<ShelfRow> = shelves.collect();
    tx.run(
        sql!(
            sqlite: "INSERT INTO stock (variant_id, location_id, on_hand, reserved, unbounded)
                     SELECT r.variant_id, unhex(value ->> 'location_id'), 0, 0,
                            r.backorder OR r.inventory = 'track'
                     FROM json_each($1)
                     JOIN stock_rules r ON r.variant_id = unhex(value ->> 'variant_id')
                     WHERE r.inventory <> 'none' ON CONFLICT DO NOTHING",
            postgres: "INSERT INTO stock (variant_id, location_id, on_hand, reserved, unbounded)
                       SELECT r.variant_id, s.location_id, 0, 0,
                              r.backorder OR r.inventory = 'track'
                       FROM json_to_recordset($1::json) AS s (variant_id uuid, location_id uuid)
                       JOIN stock_rules r ON r.variant_id = s.variant_id
                       WHERE r.inventory <> 'none'
                       ORDER BY r.variant_id, s.location_id ON CONFLICT DO NOTHING"
        ),
        &[rows(&shelves)],
    )
    .await
}
