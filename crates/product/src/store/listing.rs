//! Statements about what is listed where.

use contracts::product::ProductId;
use kernel::{Id, Scalar, Stored, Timestamp};
use platform::db::{DbError, FromRow, Row, Tx};
use platform::{params, sql};
use serde::Serialize;
use uuid::Uuid;

use super::{ids, rows};
use crate::document::Blank;
use crate::model::{Product, ProductStatus};

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
pub(crate) async fn add(tx: &Tx, products: &[&Product]) -> Result<(), DbError> {
    let keys: Vec<_> = products
        .iter()
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
        .iter()
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

/// Which products are listed. The price and whether it is in stock are looked at within the index.
#[derive(Debug)]
pub(crate) struct Filter {
    /// Or [`EVERYTHING`].
    pub(crate) category: Uuid,
    /// Or [`ANY_CURRENCY`], in which every price is 0.
    pub(crate) currency: &'static str,
    pub(crate) status: ProductStatus,
    /// Minor units.
    pub(crate) price_min: i64,
    /// Minor units.
    pub(crate) price_max: i64,
    /// Only those that are, or are not; `None` for both.
    pub(crate) in_stock: Option<bool>,
    /// How many at the most.
    pub(crate) rows: i64,
}

impl Filter {
    /// The two values of `in_stock` that are listed.
    fn stock(&self) -> (bool, bool) {
        let either = self.in_stock.unwrap_or(true);
        (either, self.in_stock.unwrap_or(false))
    }
}

/// One line of a list: what it shows, and where it stands in it.
#[derive(Debug)]
pub(crate) struct Listed<K> {
    pub(crate) id: ProductId,
    pub(crate) key: K,
    pub(crate) in_stock: bool,
    pub(crate) summary: Blank,
}

impl<K: Stored> FromRow for Listed<K> {
    fn from_row(row: &Row<'_>) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get(0)?,
            key: row.get(1)?,
            in_stock: row.get(2)?,
            summary: row.get(3)?,
        })
    }
}

/// The cheapest first. The lower bound of the price is where `after` begins: a second one would
/// make an engine choose between them.
pub(crate) async fn by_price(
    tx: &Tx,
    filter: &Filter,
    after: &(i64, ProductId),
) -> Result<Vec<Listed<i64>>, DbError> {
    let (either, or) = filter.stock();
    tx.all(
        sql!(
            "SELECT l.product_id, l.price_minor, l.in_stock, p.summary
             FROM listing l JOIN products p ON p.id = l.product_id
             WHERE l.category_id = $1 AND l.currency = $2 AND l.status = $3
               AND (l.price_minor, l.product_id) > ($4, $5) AND l.price_minor <= $6
               AND l.in_stock IN ($7, $8)
             ORDER BY l.price_minor, l.product_id LIMIT $9"
        ),
        params![
            filter.category,
            filter.currency,
            filter.status,
            after.0,
            after.1,
            filter.price_max,
            either,
            or,
            filter.rows
        ],
    )
    .await
}

/// The most expensive first; the upper bound of the price is where `after` begins.
pub(crate) async fn by_price_down(
    tx: &Tx,
    filter: &Filter,
    after: &(i64, ProductId),
) -> Result<Vec<Listed<i64>>, DbError> {
    let (either, or) = filter.stock();
    tx.all(
        sql!(
            "SELECT l.product_id, l.price_minor, l.in_stock, p.summary
             FROM listing l JOIN products p ON p.id = l.product_id
             WHERE l.category_id = $1 AND l.currency = $2 AND l.status = $3
               AND (l.price_minor, l.product_id) < ($4, $5) AND l.price_minor >= $6
               AND l.in_stock IN ($7, $8)
             ORDER BY l.price_minor DESC, l.product_id DESC LIMIT $9"
        ),
        params![
            filter.category,
            filter.currency,
            filter.status,
            after.0,
            after.1,
            filter.price_min,
            either,
            or,
            filter.rows
        ],
    )
    .await
}

/// By the key of the name. The signs before the price keep an engine from walking the index of
/// prices, and sorting all that it finds there: a plan that is made once for all values takes any
/// range for a narrow one.
pub(crate) async fn by_name(
    tx: &Tx,
    filter: &Filter,
    after: &(String, ProductId),
) -> Result<Vec<Listed<String>>, DbError> {
    let (either, or) = filter.stock();
    tx.all(
        sql!(
            "SELECT l.product_id, l.name_key, l.in_stock, p.summary
             FROM listing l JOIN products p ON p.id = l.product_id
             WHERE l.category_id = $1 AND l.currency = $2 AND l.status = $3
               AND (l.name_key, l.product_id) > ($4, $5)
               AND +l.price_minor >= $6 AND +l.price_minor <= $7 AND l.in_stock IN ($8, $9)
             ORDER BY l.name_key, l.product_id LIMIT $10"
        ),
        params![
            filter.category,
            filter.currency,
            filter.status,
            after.0,
            after.1,
            filter.price_min,
            filter.price_max,
            either,
            or,
            filter.rows
        ],
    )
    .await
}

/// The youngest first; for the signs see [`by_name`].
pub(crate) async fn by_age(
    tx: &Tx,
    filter: &Filter,
    after: &(Timestamp, ProductId),
) -> Result<Vec<Listed<Timestamp>>, DbError> {
    let (either, or) = filter.stock();
    tx.all(
        sql!(
            "SELECT l.product_id, l.created_at, l.in_stock, p.summary
             FROM listing l JOIN products p ON p.id = l.product_id
             WHERE l.category_id = $1 AND l.currency = $2 AND l.status = $3
               AND (l.created_at, l.product_id) < ($4, $5)
               AND +l.price_minor >= $6 AND +l.price_minor <= $7 AND l.in_stock IN ($8, $9)
             ORDER BY l.created_at DESC, l.product_id DESC LIMIT $10"
        ),
        params![
            filter.category,
            filter.currency,
            filter.status,
            after.0,
            after.1,
            filter.price_min,
            filter.price_max,
            either,
            or,
            filter.rows
        ],
    )
    .await
}
