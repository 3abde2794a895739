//! Statements that change products: each for any number of them.

use std::collections::BTreeMap;

use contracts::product::{InventoryMode, ProductId};
use kernel::{Id, Scalar, Timestamp};
use platform::db::{DbError, Tx};
use platform::sql;
use serde::Serialize;
use uuid::Uuid;

use super::{ids, listing, rows};
use crate::document::Blank;
use crate::model::{Product, ProductStatus};

#[derive(Serialize)]
struct ProductRow<'a> {
    #[serde(with = "uuid::serde::simple")]
    id: Uuid,
    slug: &'a str,
    status: ProductStatus,
    title: &'a str,
    image_url: Option<&'a str>,
    in_stock: bool,
    version: i64,
    /// JSON as text: it must be kept as it was written.
    summary: String,
    document: String,
}

fn product_rows(products: &[&Product]) -> Scalar<'static> {
    let list: Vec<ProductRow<'_>> = products
        .iter()
        .map(|product| ProductRow {
            id: product.id.uuid(),
            slug: &product.slug,
            status: product.status,
            title: &product.title,
            image_url: product.images.first().map(|image| image.url.as_str()),
            in_stock: product.in_stock,
            version: product.version,
            summary: Blank::summary(product).as_str().to_owned(),
            document: Blank::product(product).as_str().to_owned(),
        })
        .collect();
    rows(&list)
}

/// Adds products but for those whose slug is taken; returns how many.
pub(crate) async fn add_products(
    tx: &Tx,
    products: &[&Product],
    now: Timestamp,
) -> Result<u64, DbError> {
    tx.exec(
        sql!(
            sqlite: "INSERT INTO products (id, slug, status, title, image_url, in_stock, version,
                                           created_at, updated_at, summary, document)
                     SELECT unhex(value ->> 'id'), value ->> 'slug', value ->> 'status',
                            value ->> 'title', value ->> 'image_url', value ->> 'in_stock',
                            value ->> 'version', $2, $2, value ->> 'summary',
                            value ->> 'document'
                     FROM json_each($1) WHERE true ON CONFLICT DO NOTHING",
            postgres: "INSERT INTO products (id, slug, status, title, image_url, in_stock, version,
                                             created_at, updated_at, summary, document)
                       SELECT id, slug, status, title, image_url, in_stock, version, $2, $2,
                              summary::json, document::json
                       FROM json_to_recordset($1::json)
                            AS r (id uuid, slug text, status text, title text, image_url text,
                                    in_stock boolean, version bigint, summary text, document text)
                       ON CONFLICT DO NOTHING"
        ),
        &[product_rows(products), Scalar::Time(now)],
    )
    .await
}

/// Changes those products that still have the version before; returns how many. A slug that is
/// taken breaks a constraint.
pub(crate) async fn change_products(
    tx: &Tx,
    products: &[&Product],
    now: Timestamp,
) -> Result<u64, DbError> {
    tx.exec(
        sql!(
            sqlite: "UPDATE products
                     SET slug = r.slug, status = r.status, title = r.title,
                         image_url = r.image_url, version = r.version, updated_at = $2,
                         summary = r.summary, document = r.document
                     FROM (SELECT unhex(value ->> 'id') AS id, value ->> 'slug' AS slug,
                                  value ->> 'status' AS status, value ->> 'title' AS title,
                                  value ->> 'image_url' AS image_url,
                                  value ->> 'version' AS version,
                                  value ->> 'summary' AS summary,
                                  value ->> 'document' AS document
                           FROM json_each($1)) AS r
                     WHERE products.id = r.id AND products.version = r.version - 1",
            postgres: "UPDATE products
                       SET slug = r.slug, status = r.status, title = r.title,
                           image_url = r.image_url, version = r.version, updated_at = $2,
                           summary = r.summary::json, document = r.document::json
                       FROM json_to_recordset($1::json)
                            AS r (id uuid, slug text, status text, title text, image_url text,
                                  version bigint, summary text, document text)
                       WHERE products.id = r.id AND products.version = r.version - 1"
        ),
        &[product_rows(products), Scalar::Time(now)],
    )
    .await
}

#[derive(Serialize)]
struct VariantRow<'a> {
    #[serde(with = "uuid::serde::simple")]
    id: Uuid,
    #[serde(with = "uuid::serde::simple")]
    product_id: Uuid,
    position: usize,
    sku: &'a str,
    title: &'a str,
    prices: BTreeMap<&'static str, i64>,
    requires_shipping: bool,
    inventory: InventoryMode,
    unbounded: bool,
}

fn variant_rows(products: &[&Product]) -> Scalar<'static> {
    let mut list = Vec::new();
    for product in products {
        let variants = product.variants.iter().enumerate();
        list.extend(variants.map(|(position, variant)| {
            VariantRow {
                id: variant.id.uuid(),
                product_id: product.id.uuid(),
                position,
                sku: &variant.sku,
                title: &variant.title,
                prices: variant
                    .prices
                    .iter()
                    .map(|price| (price.currency.code(), price.amount))
                    .collect(),
                requires_shipping: variant.requires_shipping,
                inventory: variant.inventory,
                unbounded: variant.unbounded(),
            }
        }));
    }
    rows(&list)
}

/// Adds the variants of products but for those whose SKU is taken; returns how many.
pub(crate) async fn add_variants(tx: &Tx, products: &[&Product]) -> Result<u64, DbError> {
    tx.exec(
        sql!(
            sqlite: "INSERT INTO variants (id, product_id, position, sku, title, prices,
                                           requires_shipping, inventory, unbounded)
                     SELECT unhex(value ->> 'id'), unhex(value ->> 'product_id'),
                            value ->> 'position', value ->> 'sku', value ->> 'title',
                            value -> 'prices', value ->> 'requires_shipping',
                            value ->> 'inventory', value ->> 'unbounded'
                     FROM json_each($1) WHERE true ON CONFLICT DO NOTHING",
            postgres: "INSERT INTO variants (id, product_id, position, sku, title, prices,
                                             requires_shipping, inventory, unbounded)
                       SELECT id, product_id, position, sku, title, prices, requires_shipping,
                              inventory, unbounded
                       FROM json_to_recordset($1::json)
                            AS r (id uuid, product_id uuid, position bigint, sku text,
                                    title text, prices json, requires_shipping boolean,
                                    inventory text, unbounded boolean)
                       ON CONFLICT DO NOTHING"
        ),
        &[variant_rows(products)],
    )
    .await
}

/// Takes all variants off products. What is known of their stock stays.
pub(crate) async fn remove_variants(tx: &Tx, products: &[ProductId]) -> Result<(), DbError> {
    tx.run(
        sql!(
            sqlite: "DELETE FROM variants WHERE product_id IN rarray($1)",
            postgres: "DELETE FROM variants WHERE product_id = ANY($1)"
        ),
        &[ids(products.iter().copied())],
    )
    .await
}

#[derive(Serialize)]
struct LinkRow {
    #[serde(with = "uuid::serde::simple")]
    product_id: Uuid,
    #[serde(with = "uuid::serde::simple")]
    category_id: Uuid,
}

/// Puts products into their categories.
pub(crate) async fn add_to_categories(tx: &Tx, products: &[&Product]) -> Result<(), DbError> {
    let mut links = Vec::new();
    for product in products {
        links.extend(product.category_ids.iter().map(|category| LinkRow {
            product_id: product.id.uuid(),
            category_id: category.uuid(),
        }));
    }
    if links.is_empty() {
        return Ok(());
    }
    tx.run(
        sql!(
            sqlite: "INSERT INTO product_categories (product_id, category_id)
                     SELECT unhex(value ->> 'product_id'), unhex(value ->> 'category_id')
                     FROM json_each($1)",
            postgres: "INSERT INTO product_categories (product_id, category_id)
                       SELECT product_id, category_id FROM json_to_recordset($1::json)
                              AS r (product_id uuid, category_id uuid)"
        ),
        &[rows(&links)],
    )
    .await
}

/// Takes products out of all categories.
pub(crate) async fn remove_from_categories(tx: &Tx, products: &[ProductId]) -> Result<(), DbError> {
    tx.run(
        sql!(
            sqlite: "DELETE FROM product_categories WHERE product_id IN rarray($1)",
            postgres: "DELETE FROM product_categories WHERE product_id = ANY($1)"
        ),
        &[ids(products.iter().copied())],
    )
    .await
}

/// Notes in the change log that products are not what they were, and wakes those who follow it. A
/// product stands there once, under the number of its last change.
pub(crate) async fn note_changes(tx: &Tx, products: &[Uuid]) -> Result<(), DbError> {
    tx.note_change();
    tx.run(
        sql!(
            sqlite: "INSERT INTO product_changes (product_id, seq, changed_at)
                     SELECT id, (SELECT COALESCE(MAX(seq), 0) + 1 FROM product_changes), $2
                     FROM products WHERE id IN rarray($1)
                     ON CONFLICT (product_id)
                         DO UPDATE SET seq = excluded.seq, changed_at = excluded.changed_at",
            postgres: "INSERT INTO product_changes (product_id, changed_at)
                       SELECT id, $2 FROM products WHERE id = ANY($1) ORDER BY id
                       ON CONFLICT (product_id) DO UPDATE SET seq = DEFAULT, changed_at = $2"
        ),
        &[
            Scalar::Uuids(products.into()),
            Scalar::Time(tx.sources().now()),
        ],
    )
    .await
}

/// Brings up to date whether products are in stock, and what lists show of it. Called when the
/// availability of one of their variants crosses zero, in the same transaction.
pub(crate) async fn refresh_in_stock(tx: &Tx, product_ids: &[Uuid]) -> Result<(), DbError> {
    let list = [Scalar::Uuids(product_ids.into())];
    // Two transactions may each take the last piece of another variant. The one that comes second
    // must see what the first one did, so each product is locked before its stock is looked at.
    tx.run(
        sql!(
            sqlite: "SELECT value FROM rarray($1) WHERE false",
            postgres: "SELECT id FROM products WHERE id = ANY($1) ORDER BY id FOR UPDATE"
        ),
        &list,
    )
    .await?;
    let crossed: Vec<(ProductId,)> = tx
        .all(
            sql!(
                sqlite: "UPDATE products SET in_stock = NOT in_stock
                         WHERE id IN rarray($1) AND in_stock <> EXISTS (
                             SELECT 1 FROM variants v WHERE v.product_id = products.id
                             AND (v.unbounded OR (SELECT SUM(s.on_hand - s.reserved) FROM stock s
                                                  WHERE s.variant_id = v.id) > 0))
                         RETURNING id",
                postgres: "UPDATE products SET in_stock = NOT in_stock
                           WHERE id = ANY($1) AND in_stock <> EXISTS (
                               SELECT 1 FROM variants v WHERE v.product_id = products.id
                               AND (v.unbounded OR (SELECT SUM(s.on_hand - s.reserved) FROM stock s
                                                    WHERE s.variant_id = v.id) > 0))
                           RETURNING id"
            ),
            &list,
        )
        .await?;
    if crossed.is_empty() {
        return Ok(());
    }
    let crossed: Vec<Uuid> = crossed.into_iter().map(|row| row.0.uuid()).collect();
    listing::copy_in_stock(tx, &crossed).await?;
    note_changes(tx, &crossed).await
}
