//! Statements about categories.

use std::collections::BTreeSet;

use contracts::product::CategoryId;
use platform::db::{DbError, Tx};
use platform::{params, sql};

use super::ids;

/// Keeps the tree of categories as it is until the transaction ends: what is listed follows from
/// it. On SQLite nobody else writes meanwhile.
pub(crate) async fn hold_tree(tx: &Tx) -> Result<(), DbError> {
    tx.run(
        sql!(
            sqlite: "SELECT version FROM category_tree WHERE false",
            postgres: "SELECT version FROM category_tree FOR SHARE"
        ),
        params![],
    )
    .await
}

/// Those of the categories that are there.
pub(crate) async fn known(
    tx: &Tx,
    named: &BTreeSet<CategoryId>,
) -> Result<BTreeSet<CategoryId>, DbError> {
    let found: Vec<(CategoryId,)> = tx
        .all(
            sql!(
                sqlite: "SELECT id FROM categories WHERE id IN rarray($1)",
                postgres: "SELECT id FROM categories WHERE id = ANY($1)"
            ),
            &[ids(named.iter().copied())],
        )
        .await?;
    Ok(found.into_iter().map(|row| row.0).collect())
}
