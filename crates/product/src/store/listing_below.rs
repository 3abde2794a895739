//! Statements that list anew what lies in a category and below it, when the category moves. Their
//! number does not depend on how much that is.

use contracts::product::CategoryId;
use kernel::{Scalar, Stored};
use platform::db::{DbError, Tx};
use platform::{params, sql};

use super::ids;
use super::listing::EVERYTHING;

/// Keeps others from changing whether the products below a category are in stock until the
/// transaction ends: what is listed anew would not follow. On SQLite nobody else writes meanwhile.
pub(crate) async fn hold(tx: &Tx, category: CategoryId) -> Result<(), DbError> {
    tx.run(
        sql!(
            sqlite: "SELECT id FROM products WHERE id = $1 AND false",
            postgres: "SELECT id FROM products WHERE id IN (
                           SELECT c.product_id FROM product_categories c
                           JOIN category_ancestors a ON a.category_id = c.category_id
                           WHERE a.ancestor_id = $1)
                       ORDER BY id FOR UPDATE"
        ),
        params![category],
    )
    .await
}

/// Takes the products below a category out of the lists of `categories`.
pub(crate) async fn remove(
    tx: &Tx,
    category: CategoryId,
    categories: &[CategoryId],
) -> Result<(), DbError> {
    tx.run(
        sql!(
            sqlite: "DELETE FROM listing WHERE category_id IN rarray($2) AND product_id IN (
                         SELECT c.product_id FROM product_categories c
                         JOIN category_ancestors a ON a.category_id = c.category_id
                         WHERE a.ancestor_id = $1)",
            postgres: "DELETE FROM listing WHERE category_id = ANY($2) AND product_id IN (
                           SELECT c.product_id FROM product_categories c
                           JOIN category_ancestors a ON a.category_id = c.category_id
                           WHERE a.ancestor_id = $1)"
        ),
        &[category.store(), ids(categories.iter().copied())],
    )
    .await
}

/// Lists the products below a category in those of `categories` that lie above them, as they are
/// listed among everything.
pub(crate) async fn add(
    tx: &Tx,
    category: CategoryId,
    categories: &[CategoryId],
) -> Result<(), DbError> {
    tx.run(
        sql!(
            sqlite: "INSERT INTO listing (product_id, category_id, currency, status, price_minor,
                                          name_key, created_at, in_stock)
                     SELECT l.product_id, a.ancestor_id, l.currency, l.status, l.price_minor,
                            l.name_key, l.created_at, l.in_stock
                     FROM listing l
                     JOIN product_categories c ON c.product_id = l.product_id
                     JOIN category_ancestors a ON a.category_id = c.category_id
                     WHERE l.category_id = $3 AND a.ancestor_id IN rarray($2)
                       AND l.product_id IN (
                           SELECT c.product_id FROM product_categories c
                           JOIN category_ancestors a ON a.category_id = c.category_id
                           WHERE a.ancestor_id = $1)
                     ON CONFLICT DO NOTHING",
            postgres: "INSERT INTO listing (product_id, category_id, currency, status, price_minor,
                                            name_key, created_at, in_stock)
                       SELECT l.product_id, a.ancestor_id, l.currency, l.status, l.price_minor,
                              l.name_key, l.created_at, l.in_stock
                       FROM listing l
                       JOIN product_categories c ON c.product_id = l.product_id
                       JOIN category_ancestors a ON a.category_id = c.category_id
                       WHERE l.category_id = $3 AND a.ancestor_id = ANY($2)
                         AND l.product_id IN (
                             SELECT c.product_id FROM product_categories c
                             JOIN category_ancestors a ON a.category_id = c.category_id
                             WHERE a.ancestor_id = $1)
                       ON CONFLICT DO NOTHING"
        ),
        &[
            category.store(),
            ids(categories.iter().copied()),
            Scalar::Uuid(EVERYTHING),
        ],
    )
    .await
}

/// Notes in the change log that the products below a category have moved, or show another name of
/// it, and wakes those who follow it. They are to be held before: whoever changes products locks
/// them first.
pub(crate) async fn note_changes(tx: &Tx, category: CategoryId) -> Result<(), DbError> {
    tx.note_change();
    tx.run(
        sql!(
            sqlite: "INSERT INTO product_changes (product_id, seq, changed_at)
                     SELECT DISTINCT c.product_id,
                            (SELECT COALESCE(MAX(seq), 0) + 1 FROM product_changes), $2
                     FROM product_categories c
                     JOIN category_ancestors a ON a.category_id = c.category_id
                     WHERE a.ancestor_id = $1
                     ON CONFLICT (product_id)
                         DO UPDATE SET seq = excluded.seq, changed_at = excluded.changed_at",
            postgres: "INSERT INTO product_changes (product_id, changed_at)
                       SELECT DISTINCT c.product_id, $2::timestamptz FROM product_categories c
                       JOIN category_ancestors a ON a.category_id = c.category_id
                       WHERE a.ancestor_id = $1 ORDER BY c.product_id
                       ON CONFLICT (product_id)
                           DO UPDATE SET seq = DEFAULT, changed_at = excluded.changed_at"
        ),
        params![category, tx.sources().now()],
    )
    .await
}
