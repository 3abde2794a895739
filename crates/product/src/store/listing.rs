//! Statements about what is listed where.

use contracts::product::ProductId;
use kernel::{Id, Scalar};
use platform::db::{DbError, Tx};
use platform::sql;
use serde::Serialize;
use uuid::Uuid;

use super::{ids, rows};
use crate::model::Product;

/// The category that everything is in.
pub(crate) const EVERYTHING: Uuid = Uuid::nil();
/// The currency of the rows that stand for no particular one.
pub(crate) const ANY_CURRENCY: &str = "";

#[derive(Serialize)]
struct ListingRow<'a> {
    #[serde(with = "uuid::serde::simple")]
    product_id: Uuid,
    currency: &'a str,
    price_minor: i64,
    name_key: &'a str,
}

/// Lists products that are not listed yet: among everything, then wherever else they belong.
pub(crate) async fn add<'a>(
    tx: &Tx,
    products: impl IntoIterator<Item = &'a Product> + Clone,
) -> Result<(), DbError> {
    let keys: Vec<_> = products
        .clone()
        .into_iter()
        .map(|product| (product.id, product.name_key(), product.price_ranges()))
        .collect();
    let mut list = Vec::new();
    for (id, name_key, ranges) in &keys {
        let row = |currency: &'static str, price_minor| ListingRow {
            product_id: id.uuid(),
            currency,
            price_minor,
            name_key,
        };
        list.push(row(ANY_CURRENCY, 0));
        let priced = ranges.iter();
        list.extend(priced.map(|range| row(range.currency.code(), range.amount)));
    }
    tx.run(
        sql!(
            sqlite: "INSERT INTO listing (product_id, category_id, currency, status, price_minor,
                                          name_key, created_at, in_stock)
                     SELECT p.id, $2, r.value ->> 'currency', p.status,
                            r.value ->> 'price_minor', r.value ->> 'name_key', p.created_at,
                            p.in_stock
                     FROM json_each($1) AS r
                     JOIN products p ON p.id = unhex(r.value ->> 'product_id')",
            postgres: "INSERT INTO listing (product_id, category_id, currency, status, price_minor,
                                            name_key, created_at, in_stock)
                       SELECT p.id, $2, r.currency, p.status, r.price_minor, r.name_key,
                              p.created_at, p.in_stock
                       FROM json_to_recordset($1::json)
                            AS r (product_id uuid, currency text, price_minor bigint,
                                    name_key text)
                       JOIN products p ON p.id = r.product_id"
        ),
        &[rows(&list), Scalar::Uuid(EVERYTHING)],
    )
    .await?;
    let placed = products
        .into_iter()
        .filter(|product| !product.category_ids.is_empty());
    let placed: Vec<ProductId> = placed.map(|product| product.id).collect();
    if placed.is_empty() {
        return Ok(());
    }
    spread(tx, &placed).await
}

/// Lists products in their categories and all that lie above, as they are listed among everything.
async fn spread(tx: &Tx, products: &[ProductId]) -> Result<(), DbError> {
    tx.run(
        sql!(
            sqlite: "INSERT INTO listing (product_id, category_id, currency, status, price_minor,
                                          name_key, created_at, in_stock)
                     SELECT l.product_id, a.ancestor_id, l.currency, l.status, l.price_minor,
                            l.name_key, l.created_at, l.in_stock
                     FROM listing l
                     JOIN product_categories c ON c.product_id = l.product_id
                     JOIN category_ancestors a ON a.category_id = c.category_id
                     WHERE l.product_id IN rarray($1) AND l.category_id = $2
                     ON CONFLICT DO NOTHING",
            postgres: "INSERT INTO listing (product_id, category_id, currency, status, price_minor,
                                            name_key, created_at, in_stock)
                       SELECT l.product_id, a.ancestor_id, l.currency, l.status, l.price_minor,
                              l.name_key, l.created_at, l.in_stock
                       FROM listing l
                       JOIN product_categories c ON c.product_id = l.product_id
                       JOIN category_ancestors a ON a.category_id = c.category_id
                       WHERE l.product_id = ANY($1) AND l.category_id = $2
                       ON CONFLICT DO NOTHING"
        ),
        &[ids(products.iter().copied()), Scalar::Uuid(EVERYTHING)],
    )
    .await
}

/// Takes products out of every list.
pub(crate) async fn remove(tx: &Tx, products: &[ProductId]) -> Result<(), DbError> {
    tx.run(
        sql!(
            sqlite: "DELETE FROM listing WHERE product_id IN rarray($1)",
            postgres: "DELETE FROM listing WHERE product_id = ANY($1)"
        ),
        &[ids(products.iter().copied())],
    )
    .await
}

/// Brings every list up to date with whether the products are in stock.
pub(super) async fn copy_in_stock(tx: &Tx, products: &[Uuid]) -> Result<(), DbError> {
    tx.run(
        sql!(
            sqlite: "UPDATE listing SET in_stock = p.in_stock FROM products p
                     WHERE p.id = listing.product_id AND listing.product_id IN rarray($1)",
            postgres: "UPDATE listing SET in_stock = p.in_stock FROM products p
                       WHERE p.id = listing.product_id AND listing.product_id = ANY($1)"
        ),
        &[Scalar::Uuids(products.into())],
    )
    .await
}
