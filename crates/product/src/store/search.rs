//! Statements of the search: what the index is made of, the change log that it follows, and what
//! the results show.

use contracts::product::{CategoryId, ProductId};
use kernel::{Id, Scalar, Timestamp};
use platform::db::{DbError, FromRow, Row, Tx};
use platform::{from_row, params, sql};
use uuid::Uuid;

use super::ids;
use crate::document::Blank;
use crate::model::ProductStatus;

/// Up to where the change log was read: what was committed when it was looked at. Transactions are
/// numbered when they begin to write and committed in any order, so this is a number and the
/// exceptions below it. On SQLite there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// From this number on nothing was committed.
    next: i64,
    /// The numbers below it of those that were not committed yet, by commas.
    open: String,
}

impl Position {
    /// Just before the lowest number that a change may have which this position has not seen.
    fn before_unseen(&self) -> i64 {
        let open = self
            .open
            .split(',')
            .filter_map(|number| number.parse().ok());
        open.fold(self.next, i64::min).saturating_sub(1)
    }
}

impl FromRow for Position {
    fn from_row(row: &Row<'_>) -> Result<Self, DbError> {
        Ok(Self {
            next: row.get(0)?,
            open: row.get(1)?,
        })
    }
}

/// The end of the change log.
pub(crate) async fn position(tx: &Tx) -> Result<Position, DbError> {
    let found = tx
        .one(
            sql!(
                sqlite: "SELECT COALESCE(MAX(seq), 0) + 1, '' FROM product_changes",
                postgres: "SELECT pg_snapshot_xmax(now)::text::bigint,
                                  COALESCE((SELECT string_agg(open::text, ',')
                                            FROM pg_snapshot_xip(now) AS open), '')
                           FROM pg_current_snapshot() AS now"
            ),
            &[],
        )
        .await?;
    Ok(found.expect("a row without a table is always there"))
}

/// A line of the change log.
#[derive(Debug)]
pub(crate) struct Change {
    /// What was committed when this line was read.
    pub(crate) read_at: Position,
    pub(crate) seq: i64,
    pub(crate) product_id: ProductId,
    pub(crate) changed_at: Timestamp,
}

impl FromRow for Change {
    fn from_row(row: &Row<'_>) -> Result<Self, DbError> {
        Ok(Self {
            read_at: Position::from_row(row)?,
            seq: row.get(2)?,
            product_id: row.get(3)?,
            changed_at: row.get(4)?,
        })
    }
}

/// What the log holds that was not committed at `since`, in order, from after `last` on.
///
/// Numbers above those of all transactions come from another server, by way of a backup: what they
/// belong to was there before anybody began to follow this log.
pub(crate) async fn changes(
    tx: &Tx,
    since: &Position,
    last: Option<&Change>,
    limit: i64,
) -> Result<Vec<Change>, DbError> {
    let begin = (since.before_unseen(), Uuid::max());
    let (seq, id) = last.map_or(begin, |last| (last.seq, last.product_id.uuid()));
    tx.all(
        sql!(
            sqlite: "SELECT (SELECT MAX(seq) + 1 FROM product_changes), '',
                            seq, product_id, changed_at
                     FROM product_changes
                     WHERE seq >= $1 AND (seq, product_id) > ($3, $4)
                     ORDER BY seq, product_id LIMIT $5",
            postgres: "SELECT pg_snapshot_xmax(now)::text::bigint,
                              COALESCE((SELECT string_agg(open::text, ',')
                                        FROM pg_snapshot_xip(now) AS open), ''),
                              seq, product_id, changed_at
                       FROM product_changes, pg_current_snapshot() AS now
                       WHERE (seq >= $1 OR seq = ANY (string_to_array($2, ',')::bigint[]))
                         AND seq < pg_snapshot_xmax(now)::text::bigint
                         AND (seq, product_id) > ($3, $4)
                       ORDER BY seq, product_id LIMIT $5"
        ),
        params![since.next, since.open, seq, id, limit],
    )
    .await
}

/// A product as the index is made of it.
#[derive(Debug)]
pub(crate) struct Indexable {
    pub(crate) id: ProductId,
    pub(crate) status: ProductStatus,
    pub(crate) in_stock: bool,
    pub(crate) created_at: Timestamp,
    pub(crate) document: Blank,
}

from_row!(Indexable {
    id,
    status,
    in_stock,
    created_at,
    document
});

/// The products in the shop, in the order of their ids.
pub(crate) async fn active_after(
    tx: &Tx,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Indexable>, DbError> {
    tx.all(
        sql!(
            "SELECT id, status, in_stock, created_at, document FROM products
             WHERE id > $1 AND status = 'active' ORDER BY id LIMIT $2"
        ),
        params![after, limit],
    )
    .await
}

/// Those of the products that are there, in any order and state.
pub(crate) async fn by_ids(tx: &Tx, products: &[ProductId]) -> Result<Vec<Indexable>, DbError> {
    tx.all(
        sql!(
            sqlite: "SELECT id, status, in_stock, created_at, document FROM products
                     WHERE id IN rarray($1)",
            postgres: "SELECT id, status, in_stock, created_at, document FROM products
                       WHERE id = ANY($1)"
        ),
        &[ids(products.iter().copied())],
    )
    .await
}

/// A category that a product lies in or below, and its name.
pub(crate) type Above = (ProductId, CategoryId, String);

/// What each of the products lies in and below.
pub(crate) async fn categories_above(
    tx: &Tx,
    products: &[ProductId],
) -> Result<Vec<Above>, DbError> {
    tx.all(
        sql!(
            sqlite: "SELECT DISTINCT p.product_id, c.id, c.name FROM product_categories p
                     JOIN category_ancestors a ON a.category_id = p.category_id
                     JOIN categories c ON c.id = a.ancestor_id
                     WHERE p.product_id IN rarray($1)",
            postgres: "SELECT DISTINCT p.product_id, c.id, c.name FROM product_categories p
                       JOIN category_ancestors a ON a.category_id = p.category_id
                       JOIN categories c ON c.id = a.ancestor_id
                       WHERE p.product_id = ANY($1)"
        ),
        &[ids(products.iter().copied())],
    )
    .await
}

/// What a result shows.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) id: ProductId,
    pub(crate) in_stock: bool,
    pub(crate) summary: Blank,
}

from_row!(Shown {
    id,
    in_stock,
    summary
});

/// Those of the products that are in the shop now, in any order.
pub(crate) async fn shown(tx: &Tx, products: &[ProductId]) -> Result<Vec<Shown>, DbError> {
    if products.is_empty() {
        return Ok(Vec::new());
    }
    tx.all(
        sql!(
            sqlite: "SELECT id, in_stock, summary FROM products
                     WHERE id IN rarray($1) AND status = 'active'",
            postgres: "SELECT id, in_stock, summary FROM products
                       WHERE id = ANY($1) AND status = 'active'"
        ),
        &[ids(products.iter().copied())],
    )
    .await
}

/// The names of those of the categories that are there, in any order.
pub(crate) async fn category_names(
    tx: &Tx,
    categories: &[CategoryId],
) -> Result<Vec<(CategoryId, String)>, DbError> {
    if categories.is_empty() {
        return Ok(Vec::new());
    }
    tx.all(
        sql!(
            sqlite: "SELECT id, name FROM categories WHERE id IN rarray($1)",
            postgres: "SELECT id, name FROM categories WHERE id = ANY($1)"
        ),
        &[ids(categories.iter().copied())] as &[Scalar<'_>],
    )
    .await
}
