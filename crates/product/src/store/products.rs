//! Statements that read products.

use std::collections::{BTreeMap, HashSet};

use contracts::product::{InventoryMode, ProductId, VariantId};
use kernel::{Json, Scalar, Stored};
use platform::db::{DbError, Tx};
use platform::{from_row, params, sql};

use super::{ids, rows};
use crate::document::Blank;
use crate::model::ProductStatus;

/// A product as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct KeptProduct {
    pub(crate) id: ProductId,
    pub(crate) status: ProductStatus,
    pub(crate) version: i64,
    pub(crate) document: Blank,
}

from_row!(KeptProduct {
    id,
    status,
    version,
    document
});

pub(crate) async fn by_id(tx: &Tx, id: ProductId) -> Result<Option<KeptProduct>, DbError> {
    tx.one(
        sql!("SELECT id, status, version, document FROM products WHERE id = $1"),
        params![id],
    )
    .await
}

pub(crate) async fn by_slug(tx: &Tx, slug: &str) -> Result<Option<KeptProduct>, DbError> {
    tx.one(
        sql!("SELECT id, status, version, document FROM products WHERE slug = $1"),
        params![slug],
    )
    .await
}

/// Those of the products that are active, in any order.
pub(crate) async fn on_sale(
    tx: &Tx,
    products: &[ProductId],
) -> Result<HashSet<ProductId>, DbError> {
    let active: Vec<(ProductId,)> = tx
        .all(
            sql!(
                sqlite: "SELECT id FROM products WHERE id IN rarray($1) AND status = $2",
                postgres: "SELECT id FROM products WHERE id = ANY($1) AND status = $2"
            ),
            &[ids(products.iter().copied()), ProductStatus::Active.store()],
        )
        .await?;
    Ok(active.into_iter().map(|(id,)| id).collect())
}

/// Those of the slugs that products have, in any order.
pub(crate) async fn by_slugs(tx: &Tx, slugs: &[&str]) -> Result<Vec<KeptProduct>, DbError> {
    tx.all(
        sql!(
            sqlite: "SELECT id, status, version, document FROM products
                     WHERE slug IN (SELECT value FROM json_each($1))",
            postgres: "SELECT id, status, version, document FROM products
                       WHERE slug IN (SELECT json_array_elements_text($1::json))"
        ),
        &[rows(&slugs)],
    )
    .await
}

/// How many of each variant of a product can be bought, in the order of the variants; `None` for
/// no limit.
pub(crate) async fn available(tx: &Tx, id: ProductId) -> Result<Vec<Option<i64>>, DbError> {
    let found: Vec<(Option<i64>,)> = tx
        .all(
            sql!(
                "SELECT CASE WHEN v.unbounded THEN NULL ELSE COALESCE(
                            (SELECT CAST(SUM(s.on_hand - s.reserved) AS bigint)
                             FROM stock s WHERE s.variant_id = v.id), 0) END
                 FROM variants v WHERE v.product_id = $1 ORDER BY v.position"
            ),
            params![id],
        )
        .await?;
    Ok(found.into_iter().map(|row| at_least_none(row.0)).collect())
}

/// More may be promised than is there, where stock was not always limited.
fn at_least_none(count: Option<i64>) -> Option<i64> {
    count.map(|count| count.max(0))
}

/// A variant as carts need it.
#[derive(Debug)]
pub(crate) struct CartVariant {
    pub(crate) id: VariantId,
    pub(crate) product_id: ProductId,
    pub(crate) slug: String,
    pub(crate) sku: String,
    pub(crate) title: String,
    pub(crate) variant_title: String,
    pub(crate) image_url: Option<String>,
    pub(crate) prices: Json<BTreeMap<String, i64>>,
    pub(crate) status: ProductStatus,
    pub(crate) requires_shipping: bool,
    pub(crate) inventory: InventoryMode,
    pub(crate) available: Option<i64>,
}

from_row!(CartVariant {
    id,
    product_id,
    slug,
    sku,
    title,
    variant_title,
    image_url,
    prices,
    status,
    requires_shipping,
    inventory,
    available,
});

/// Those of the variants that are there, in any order.
pub(crate) async fn cart_variants(
    tx: &Tx,
    variants: &[VariantId],
) -> Result<Vec<CartVariant>, DbError> {
    let mut found: Vec<CartVariant> = tx
        .all(
            sql!(
                sqlite: "SELECT v.id, v.product_id, p.slug, v.sku, p.title, v.title, p.image_url,
                                v.prices, p.status, v.requires_shipping, v.inventory,
                                CASE WHEN v.unbounded THEN NULL ELSE COALESCE(
                                    (SELECT SUM(s.on_hand - s.reserved)
                                     FROM stock s WHERE s.variant_id = v.id), 0) END
                         FROM variants v JOIN products p ON p.id = v.product_id
                         WHERE v.id IN rarray($1)",
                postgres: "SELECT v.id, v.product_id, p.slug, v.sku, p.title, v.title, p.image_url,
                                  v.prices, p.status, v.requires_shipping, v.inventory,
                                  CASE WHEN v.unbounded THEN NULL ELSE COALESCE(
                                      (SELECT CAST(SUM(s.on_hand - s.reserved) AS bigint)
                                       FROM stock s WHERE s.variant_id = v.id), 0) END
                           FROM variants v JOIN products p ON p.id = v.product_id
                           WHERE v.id = ANY($1)"
            ),
            &[ids(variants.iter().copied())],
        )
        .await?;
    for variant in &mut found {
        variant.available = at_least_none(variant.available);
    }
    Ok(found)
}

/// Those of the SKUs that variants of other products have.
pub(crate) async fn taken_skus(
    tx: &Tx,
    products: &[ProductId],
    skus: &[&str],
) -> Result<Vec<String>, DbError> {
    let found: Vec<(String,)> = tx
        .all(
            sql!(
                sqlite: "SELECT sku FROM variants
                         WHERE sku IN (SELECT value FROM json_each($1))
                           AND product_id NOT IN rarray($2) ORDER BY sku",
                postgres: "SELECT sku FROM variants
                           WHERE sku IN (SELECT json_array_elements_text($1::json))
                             AND product_id <> ALL($2) ORDER BY sku"
            ),
            &[rows(&skus), ids(products.iter().copied())] as &[Scalar<'_>],
        )
        .await?;
    Ok(found.into_iter().map(|row| row.0).collect())
}
