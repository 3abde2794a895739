//! What is to be done about a batch of products: read and decided, nothing is written.

use std::collections::BTreeMap;

use contracts::product::{LocationId, VariantId};
use kernel::Timestamp;
use platform::db::{Db, Tx};

use super::candidate::Candidate;
use super::entry::{Entry, Place};
use super::report::{ImportSettings, ImportStock, Rejection};
use super::skus;
use super::tree::Tree;
use crate::category::Category;
use crate::keep::Change;
use crate::list_locations::Location;
use crate::model::Product;
use crate::sheet::{Column, Columns};
use crate::store::{categories, inventory, products, transfer};
use crate::{ProductError, add_location};

/// What is to be done.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) now: Timestamp,
    pub(super) adds: Vec<Product>,
    pub(super) changes: Vec<Change>,
    pub(super) unchanged: u64,
    pub(super) rejected: u64,
    pub(super) rejections: Vec<Rejection>,
    pub(super) categories: Vec<Category>,
    /// Stock that is to lie somewhere.
    pub(super) counts: Vec<Count>,
}

/// How many of a variant are to lie at a location.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count {
    pub(super) variant_id: VariantId,
    pub(super) place: Place,
    pub(super) quantity: i64,
    /// Whether the variant was there before.
    pub(super) known: bool,
}

impl Plan {
    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.adds.is_empty() && self.changes.is_empty() && self.counts.is_empty()
    }
}

/// Reads what is there, and decides.
pub(super) async fn plan(
    db: &Db,
    batch: &[Entry],
    columns: &Columns,
    settings: &ImportSettings,
) -> Result<Plan, ProductError> {
    let tx = db.read().await?;
    let now = tx.sources().now();
    let mut candidates = candidates(&tx, batch, now).await?;
    for candidate in &mut candidates {
        candidate.check(columns);
    }
    let tree = place_in_categories(&tx, &mut candidates, columns, now).await?;
    count(&tx, &mut candidates, columns, settings.stock).await?;
    let owners = skus::owners(&tx, &candidates).await?;
    // A product that is left out keeps its SKUs, which may keep another one out.
    while skus::reject_taken(&mut candidates, &owners, columns) {}
    Ok(decided(candidates, tree, now))
}

async fn candidates<'a>(
    tx: &Tx,
    batch: &'a [Entry],
    now: Timestamp,
) -> Result<Vec<Candidate<'a>>, ProductError> {
    let slugs: Vec<&str> = batch.iter().map(|entry| entry.handle.as_str()).collect();
    let mut known = BTreeMap::new();
    for kept in products::by_slugs(tx, &slugs).await? {
        let product = kept.document.parse()?;
        known.insert(product.slug.clone(), product);
    }
    let candidate = |entry: &'a Entry| {
        let was = known.remove(&entry.handle);
        let is = entry.product(was.as_ref(), tx.sources(), now);
        Candidate::new(entry, was, is)
    };
    Ok(batch.iter().map(candidate).collect())
}

/// Finds the categories of the products, and makes those that are missing.
async fn place_in_categories(
    tx: &Tx,
    candidates: &mut [Candidate<'_>],
    columns: &Columns,
    now: Timestamp,
) -> Result<Tree, ProductError> {
    let named = |candidate: &Candidate<'_>| candidate.entry.categories.is_some();
    if !candidates.iter().any(named) {
        return Ok(Tree::new(Vec::new()));
    }
    let mut tree = Tree::new(categories::all(tx).await?);
    for candidate in candidates
        .iter_mut()
        .filter(|candidate| candidate.accepted())
    {
        let Some(paths) = &candidate.entry.categories else {
            continue;
        };
        candidate.is.category_ids.clear();
        for path in paths {
            match tree.find(path, tx.sources(), now) {
                Ok(found) => {
                    // Two paths may lead to one category.
                    let fresh = found.filter(|id| !candidate.is.category_ids.contains(id));
                    candidate.is.category_ids.extend(fresh);
                }
                Err(reason) => {
                    let column = columns.name(Column::Category);
                    candidate.reject(candidate.entry.line, column, reason);
                }
            }
        }
    }
    Ok(tree)
}

/// Notes where the stock that the file tells differs from what is there.
async fn count(
    tx: &Tx,
    candidates: &mut [Candidate<'_>],
    columns: &Columns,
    stock: ImportStock,
) -> Result<(), ProductError> {
    let (mut shelves, mut locations) = (BTreeMap::new(), Vec::new());
    if stock == ImportStock::Set {
        let known = candidates
            .iter()
            .filter_map(|candidate| candidate.was.as_ref());
        let known = known.flat_map(|was| was.variants.iter().map(|variant| variant.id));
        let known: Vec<VariantId> = known.collect();
        for shelf in transfer::on_shelves(tx, &known).await? {
            shelves.insert((shelf.variant_id, shelf.location_id), shelf);
        }
        locations = inventory::locations(tx, None, add_location::MOST).await?;
    }
    let locate = |place: Place| -> Option<LocationId> {
        let found = match place {
            Place::First => locations.first(),
            Place::Named(index) => {
                let name = &columns.locations()[index];
                locations
                    .iter()
                    .find(|location: &&Location| location.name == *name)
            }
        };
        found.map(|location| location.id)
    };
    let on_shelf = |variant, place| shelves.get(&(variant, locate(place)?));
    for candidate in candidates
        .iter_mut()
        .filter(|candidate| candidate.accepted())
    {
        candidate.count(columns, stock, &on_shelf);
    }
    Ok(())
}

fn decided(candidates: Vec<Candidate<'_>>, tree: Tree, now: Timestamp) -> Plan {
    let mut plan = Plan {
        now,
        adds: Vec::new(),
        changes: Vec::new(),
        unchanged: 0,
        rejected: 0,
        rejections: Vec::new(),
        categories: Vec::new(),
        counts: Vec::new(),
    };
    for candidate in candidates {
        if !candidate.accepted() {
            plan.rejected += 1;
            plan.rejections.extend(candidate.rejections);
            continue;
        }
        plan.counts.extend(candidate.counts);
        match candidate.was {
            None => plan.adds.push(candidate.is),
            Some(was) if was.same_as(&candidate.is) => plan.unchanged += 1,
            Some(was) => {
                let mut is = candidate.is;
                is.version += 1;
                is.updated_at = now;
                plan.changes.push(Change { was, is });
            }
        }
    }
    let changed = plan.changes.iter().map(|change| &change.is);
    let used = plan
        .adds
        .iter()
        .chain(changed)
        .flat_map(|product| product.category_ids.clone());
    plan.categories = tree.needed(used);
    plan
}
