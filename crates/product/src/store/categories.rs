//! Statements about categories.

use std::collections::BTreeSet;

use contracts::product::CategoryId;
use kernel::Stored;
use platform::db::{DbError, Tx};
use platform::{from_row, params, sql};

use super::ids;
use crate::category::{Category, CategoryStep};

from_row!(Category {
    id,
    parent_id,
    slug,
    name,
    position,
    version,
    created_at,
    updated_at
});

from_row!(CategoryStep { id, slug, name });

/// Keeps the tree of categories as it is until the transaction ends: what is listed follows from
/// it. On SQLite nobody else writes meanwhile.
pub(crate) async fn hold_tree(tx: &Tx) -> Result<(), DbError> {
    tx.run(
        sql!(
            sqlite: "SELECT version FROM category_tree WHERE false",
            postgres: "SELECT version FROM category_tree FOR SHARE"
        ),
        &[],
    )
    .await
}

/// Counts a change of the tree, and keeps everybody else from changing it until the transaction
/// ends; returns the version that it has now.
pub(crate) async fn change_tree(tx: &Tx) -> Result<i64, DbError> {
    let update = sql!("UPDATE category_tree SET version = version + 1 RETURNING version");
    Ok(tx.one(update, &[]).await?.map_or(0, |row: (i64,)| row.0))
}

pub(crate) async fn tree_version(tx: &Tx) -> Result<i64, DbError> {
    let select = sql!("SELECT version FROM category_tree");
    Ok(tx.one(select, &[]).await?.map_or(0, |row: (i64,)| row.0))
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

/// All categories, those with one parent in the order in which they are shown.
pub(crate) async fn all(tx: &Tx) -> Result<Vec<Category>, DbError> {
    tx.all(
        sql!(
            "SELECT id, parent_id, slug, name, position, version, created_at, updated_at
             FROM categories ORDER BY position, name, id"
        ),
        &[],
    )
    .await
}

pub(crate) async fn by_id(tx: &Tx, id: CategoryId) -> Result<Option<Category>, DbError> {
    tx.one(
        sql!(
            "SELECT id, parent_id, slug, name, position, version, created_at, updated_at
             FROM categories WHERE id = $1"
        ),
        params![id],
    )
    .await
}

/// What lies above a category, the top one first.
pub(crate) async fn path(tx: &Tx, id: CategoryId) -> Result<Vec<CategoryStep>, DbError> {
    tx.all(
        sql!(
            "SELECT c.id, c.slug, c.name
             FROM category_ancestors a JOIN categories c ON c.id = a.ancestor_id
             WHERE a.category_id = $1 AND a.distance > 0 ORDER BY a.distance DESC"
        ),
        params![id],
    )
    .await
}

/// A category and everything above it.
pub(crate) async fn ancestors(tx: &Tx, id: CategoryId) -> Result<Vec<CategoryId>, DbError> {
    let select = sql!("SELECT ancestor_id FROM category_ancestors WHERE category_id = $1");
    let found: Vec<(CategoryId,)> = tx.all(select, params![id]).await?;
    Ok(found.into_iter().map(|row| row.0).collect())
}

pub(crate) async fn count(tx: &Tx) -> Result<i64, DbError> {
    let select = sql!("SELECT COUNT(*) FROM categories");
    Ok(tx.one(select, &[]).await?.map_or(0, |row: (i64,)| row.0))
}

/// How deep a category lies, 1 at the top; 0 if it is not there.
pub(crate) async fn depth(tx: &Tx, id: CategoryId) -> Result<i64, DbError> {
    let select = sql!("SELECT COUNT(*) FROM category_ancestors WHERE category_id = $1");
    let found = tx.one(select, params![id]).await?;
    Ok(found.map_or(0, |row: (i64,)| row.0))
}

/// How many levels a category has with what lies below it, 1 without.
pub(crate) async fn height(tx: &Tx, id: CategoryId) -> Result<i64, DbError> {
    let select = sql!("SELECT MAX(distance) + 1 FROM category_ancestors WHERE ancestor_id = $1");
    let found: Option<(Option<i64>,)> = tx.one(select, params![id]).await?;
    Ok(found.and_then(|row| row.0).unwrap_or(0))
}

/// Whether products are in the category itself.
pub(crate) async fn in_use(tx: &Tx, id: CategoryId) -> Result<bool, DbError> {
    let select = sql!("SELECT product_id FROM product_categories WHERE category_id = $1 LIMIT 1");
    Ok(tx
        .one::<(uuid::Uuid,)>(select, params![id])
        .await?
        .is_some())
}

/// Whether no other category has the slug.
pub(crate) async fn slug_free(tx: &Tx, category: &Category) -> Result<bool, DbError> {
    let select = sql!("SELECT id FROM categories WHERE slug = $1 AND id <> $2");
    let other: Option<(CategoryId,)> = tx.one(select, params![category.slug, category.id]).await?;
    Ok(other.is_none())
}

/// Adds a category; `false` if its slug is taken.
pub(crate) async fn add(tx: &Tx, category: &Category) -> Result<bool, DbError> {
    let added = tx
        .exec(
            sql!(
                "INSERT INTO categories (id, parent_id, slug, name, position, version, created_at,
                                         updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING"
            ),
            params![
                category.id,
                category.parent_id,
                category.slug,
                category.name,
                category.position,
                category.version,
                category.created_at,
                category.updated_at
            ],
        )
        .await?;
    Ok(added == 1)
}

/// Notes what lies above a new category.
pub(crate) async fn add_ancestors(
    tx: &Tx,
    id: CategoryId,
    parent: Option<CategoryId>,
) -> Result<(), DbError> {
    tx.run(
        sql!(
            "INSERT INTO category_ancestors (category_id, ancestor_id, distance)
             SELECT c.id, a.ancestor_id, a.distance + 1 FROM categories c, category_ancestors a
             WHERE c.id = $1 AND a.category_id = $2
             UNION ALL SELECT id, id, 0 FROM categories WHERE id = $1"
        ),
        params![id, parent],
    )
    .await
}

pub(crate) async fn change(tx: &Tx, category: &Category) -> Result<(), DbError> {
    tx.run(
        sql!(
            "UPDATE categories SET parent_id = $2, slug = $3, name = $4, position = $5,
                                   version = $6, updated_at = $7
             WHERE id = $1"
        ),
        params![
            category.id,
            category.parent_id,
            category.slug,
            category.name,
            category.position,
            category.version,
            category.updated_at
        ],
    )
    .await
}

/// Notes, for a category and everything below it, that `parent` lies above them now, with what
/// lies above that, and no longer `before`.
pub(crate) async fn move_below(
    tx: &Tx,
    id: CategoryId,
    parent: Option<CategoryId>,
    before: &BTreeSet<CategoryId>,
) -> Result<(), DbError> {
    tx.run(
        sql!(
            sqlite: "DELETE FROM category_ancestors WHERE ancestor_id IN rarray($2)
                     AND category_id IN (SELECT category_id FROM category_ancestors
                                         WHERE ancestor_id = $1)",
            postgres: "DELETE FROM category_ancestors WHERE ancestor_id = ANY($2)
                       AND category_id IN (SELECT category_id FROM category_ancestors
                                           WHERE ancestor_id = $1)"
        ),
        &[id.store(), ids(before.iter().copied())],
    )
    .await?;
    tx.run(
        sql!(
            "INSERT INTO category_ancestors (category_id, ancestor_id, distance)
             SELECT lower.category_id, upper.ancestor_id, lower.distance + upper.distance + 1
             FROM category_ancestors lower, category_ancestors upper
             WHERE lower.ancestor_id = $1 AND upper.category_id = $2"
        ),
        params![id, parent],
    )
    .await
}

/// Removes a category that has nothing below it.
pub(crate) async fn remove(tx: &Tx, id: CategoryId) -> Result<(), DbError> {
    let ancestors = sql!("DELETE FROM category_ancestors WHERE category_id = $1");
    tx.run(ancestors, params![id]).await?;
    let category = sql!("DELETE FROM categories WHERE id = $1");
    tx.run(category, params![id]).await
}
