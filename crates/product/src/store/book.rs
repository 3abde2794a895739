//! The [`Book`] of a transaction: locked and read at its beginning, written at its end. Both take
//! the same few statements for one request and for hundreds.

mod changes;

use std::collections::{BTreeMap, BTreeSet};

use contracts::product::{HolderId, InventoryMode, LocationId, ProductId, VariantId};
use kernel::{Id, Scalar, Timestamp};
use platform::db::{DbError, Tx};
use platform::{from_row, sql};
use uuid::Uuid;

use self::changes::{add_entries, change_holds, change_shelves, settle};
use super::catalogue;
use crate::stock::{Article, Book, Hold, HoldState, Holds, Settled, Shelf, StockRule};

/// A book as it was opened, to write the difference.
#[derive(Debug)]
pub(crate) struct OpenBook {
    /// Where operations happen.
    pub(crate) book: Book,
    holds: BTreeMap<HolderId, Holds>,
    settled: BTreeMap<HolderId, Settled>,
    in_stock: BTreeMap<VariantId, bool>,
}

/// What a book is opened for.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Whose holds; their variants are opened too.
    pub(crate) holders: BTreeSet<HolderId>,
    /// Which variants.
    pub(crate) variants: BTreeSet<VariantId>,
    /// Whether it must be known which orders are settled.
    pub(crate) settled: bool,
}

/// Opens the part of the stock that is wanted, and keeps others from it until the transaction
/// ends. Holders are locked before shelves, and each in one order everywhere, so that instances
/// cannot lock each other out.
pub(crate) async fn open(tx: &Tx, wanted: &Wanted) -> Result<OpenBook, DbError> {
    let holders: Vec<Uuid> = wanted.holders.iter().copied().collect();
    tx.lock_keys(&holders).await?;
    let (articles, holds) = futures_util::future::try_join(
        articles(tx, &wanted.variants, &holders),
        holds(tx, &holders),
    )
    .await?;
    let mut book = Book {
        articles,
        holds,
        ..Book::default()
    };
    if wanted.settled {
        book.settled = settled(tx, &holders).await?;
    }
    let missing = wanted
        .variants
        .iter()
        .filter(|id| !book.articles.contains_key(id));
    let missing: Vec<Uuid> = missing.map(|id| id.uuid()).collect();
    if !missing.is_empty() {
        book.uncounted = known(tx, &missing).await?;
    }
    Ok(OpenBook {
        holds: book.holds.clone(),
        settled: book.settled.clone(),
        in_stock: book
            .articles
            .iter()
            .map(|(id, article)| (*id, article.in_stock()))
            .collect(),
        book,
    })
}

/// Writes what has changed since the book was opened.
pub(crate) async fn save(tx: &Tx, open: OpenBook) -> Result<(), DbError> {
    let OpenBook {
        book,
        holds,
        settled,
        in_stock,
    } = open;
    change_shelves(tx, &book.entries).await?;
    change_holds(tx, &holds, &book.holds).await?;
    settle(tx, &settled, &book.settled).await?;
    add_entries(tx, &book.entries).await?;
    let turned = book
        .articles
        .iter()
        .filter(|(id, article)| in_stock[id] != article.in_stock());
    let products: BTreeSet<Uuid> = turned
        .map(|(_, article)| article.rule.product_id.uuid())
        .collect();
    if !products.is_empty() {
        let products: Vec<Uuid> = products.into_iter().collect();
        catalogue::refresh_in_stock(tx, &products).await?;
    }
    Ok(())
}

struct ShelfRow {
    variant_id: VariantId,
    product_id: ProductId,
    sku: String,
    inventory: InventoryMode,
    backorder: bool,
    priority: i64,
    location_id: LocationId,
    on_hand: i64,
    reserved: i64,
    unbounded: bool,
}

from_row!(ShelfRow {
    variant_id,
    product_id,
    sku,
    inventory,
    backorder,
    priority,
    location_id,
    on_hand,
    reserved,
    unbounded
});

/// Locks and reads the shelves of `variants`, and of what `holders` have.
async fn articles(
    tx: &Tx,
    variants: &BTreeSet<VariantId>,
    holders: &[Uuid],
) -> Result<BTreeMap<VariantId, Article>, DbError> {
    let variants: Vec<Uuid> = variants.iter().map(|id| id.uuid()).collect();
    let mut found: Vec<ShelfRow> = tx
        .all(
            sql!(
                sqlite: "SELECT s.variant_id, r.product_id, r.sku, r.inventory, r.backorder,
                                l.priority, s.location_id, s.on_hand, s.reserved, s.unbounded
                         FROM stock s
                         JOIN stock_rules r ON r.variant_id = s.variant_id
                         JOIN locations l ON l.id = s.location_id
                         WHERE s.variant_id IN (
                             SELECT value FROM rarray($1)
                             UNION SELECT variant_id FROM reservations WHERE holder IN rarray($2))",
                postgres: "SELECT s.variant_id, r.product_id, r.sku, r.inventory, r.backorder,
                                  l.priority, s.location_id, s.on_hand, s.reserved, s.unbounded
                           FROM stock s
                           JOIN stock_rules r ON r.variant_id = s.variant_id
                           JOIN locations l ON l.id = s.location_id
                           WHERE s.variant_id IN (
                               SELECT unnest($1::uuid[])
                               UNION SELECT variant_id FROM reservations WHERE holder = ANY($2))
                           ORDER BY s.variant_id, s.location_id FOR UPDATE OF s"
            ),
            &[
                Scalar::Uuids(variants.into()),
                Scalar::Uuids(holders.into()),
            ],
        )
        .await?;
    found.sort_by_key(|row| (row.priority, row.location_id));
    let mut articles: BTreeMap<VariantId, Article> = BTreeMap::new();
    for row in found {
        let shelf = Shelf {
            location_id: row.location_id,
            on_hand: row.on_hand,
            reserved: row.reserved,
            unbounded: row.unbounded,
        };
        let rule = StockRule {
            variant_id: row.variant_id,
            product_id: row.product_id,
            sku: row.sku,
            inventory: row.inventory,
            backorder: row.backorder,
        };
        let fresh = || Article {
            rule,
            shelves: Vec::new(),
        };
        articles
            .entry(row.variant_id)
            .or_insert_with(fresh)
            .shelves
            .push(shelf);
    }
    Ok(articles)
}

struct HoldRow {
    holder: HolderId,
    variant_id: VariantId,
    location_id: LocationId,
    quantity: i64,
    state: HoldState,
    expires_at: Timestamp,
}

from_row!(HoldRow {
    holder,
    variant_id,
    location_id,
    quantity,
    state,
    expires_at
});

async fn holds(tx: &Tx, holders: &[Uuid]) -> Result<BTreeMap<HolderId, Holds>, DbError> {
    let found: Vec<HoldRow> = tx
        .all(
            sql!(
                sqlite: "SELECT holder, variant_id, location_id, quantity, state, expires_at
                         FROM reservations WHERE holder IN rarray($1)",
                postgres: "SELECT holder, variant_id, location_id, quantity, state, expires_at
                           FROM reservations WHERE holder = ANY($1)"
            ),
            &[Scalar::Uuids(holders.into())],
        )
        .await?;
    let mut holds: BTreeMap<HolderId, Holds> = BTreeMap::new();
    for row in found {
        let HoldRow {
            quantity,
            state,
            expires_at,
            ..
        } = row;
        let hold = Hold {
            quantity,
            state,
            expires_at,
        };
        holds
            .entry(row.holder)
            .or_default()
            .insert((row.variant_id, row.location_id), hold);
    }
    Ok(holds)
}

async fn settled(tx: &Tx, holders: &[Uuid]) -> Result<BTreeMap<HolderId, Settled>, DbError> {
    let found: Vec<(HolderId, Settled)> = tx
        .all(
            sql!(
                sqlite: "SELECT holder, state FROM settled_orders WHERE holder IN rarray($1)",
                postgres: "SELECT holder, state FROM settled_orders WHERE holder = ANY($1)"
            ),
            &[Scalar::Uuids(holders.into())],
        )
        .await?;
    Ok(found.into_iter().collect())
}

/// Which of the variants exist.
async fn known(tx: &Tx, variants: &[Uuid]) -> Result<BTreeSet<VariantId>, DbError> {
    let found: Vec<(VariantId,)> = tx
        .all(
            sql!(
                sqlite: "SELECT variant_id FROM stock_rules WHERE variant_id IN rarray($1)",
                postgres: "SELECT variant_id FROM stock_rules WHERE variant_id = ANY($1)"
            ),
            &[Scalar::Uuids(variants.into())],
        )
        .await?;
    Ok(found.into_iter().map(|row| row.0).collect())
}
