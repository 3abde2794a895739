//! Writes a plan: everything in one transaction, in the same few statements for one product and
//! for hundreds.

use std::collections::{BTreeMap, BTreeSet};

use contracts::product::{LocationId, VariantId};
use platform::db::Tx;
use uuid::Uuid;

use super::entry::Place;
use super::plan::{Count, Plan};
use crate::model::Product;
use crate::stock::{Adjustment, Entry, EntryKind};
use crate::store::book::{self, Wanted};
use crate::store::{categories, inventory, transfer};
use crate::{ProductError, add_location, create_category, keep};

/// What the ledger says of stock that comes from a file.
const NOTE: &str = "imported";

/// Does what is planned. Fails if something has changed since, in a way that matters.
pub(super) async fn write(tx: &Tx, plan: &Plan, names: &[String]) -> Result<(), ProductError> {
    let named = ensure_locations(tx, names).await?;
    if !plan.categories.is_empty() {
        categories::change_tree(tx).await?;
        for category in &plan.categories {
            create_category::add(tx, category).await?;
        }
    }
    // Reservations lock stock first and products after it, so imports must do so, too.
    let known = plan.counts.iter().filter(|count| count.known);
    let known: BTreeSet<VariantId> = known.map(|count| count.variant_id).collect();
    if !known.is_empty() {
        open(tx, known).await?;
    }
    // What is given up by one product may be taken by another one that is new.
    if !plan.changes.is_empty() {
        keep::change(tx, &plan.changes, plan.now).await?;
    }
    if !plan.adds.is_empty() {
        let adds: Vec<&Product> = plan.adds.iter().collect();
        keep::add(tx, &adds, plan.now).await?;
    }
    set_stock(tx, &plan.counts, &named).await
}

/// The locations that the file names; those that are missing are made, in its order.
async fn ensure_locations(tx: &Tx, names: &[String]) -> Result<Vec<LocationId>, ProductError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let known = async || -> Result<BTreeMap<String, LocationId>, ProductError> {
        let all = inventory::locations(tx, None, add_location::MOST).await?;
        Ok(all
            .into_iter()
            .map(|location| (location.name, location.id))
            .collect())
    };
    let mut locations = known().await?;
    if names.iter().any(|name| !locations.contains_key(name)) {
        // Locations are counted, so they are added one after the other.
        tx.lock_keys(&[Uuid::nil()]).await?;
        locations = known().await?;
        for name in names.iter().filter(|name| !locations.contains_key(*name)) {
            if inventory::count_locations(tx).await? >= add_location::MOST {
                return Err(ProductError::TooManyLocations(add_location::MOST));
            }
            inventory::add_location(tx, tx.sources().id(), name, None).await?;
        }
        locations = known().await?;
    }
    let named = names.iter().filter_map(|name| locations.get(name).copied());
    Ok(named.collect())
}

async fn open(tx: &Tx, variants: BTreeSet<VariantId>) -> Result<book::OpenBook, ProductError> {
    let wanted = Wanted {
        variants,
        ..Wanted::default()
    };
    Ok(book::open(tx, &wanted).await?)
}

/// Puts onto the shelves what is to lie there, and writes it into the ledger.
async fn set_stock(tx: &Tx, counts: &[Count], named: &[LocationId]) -> Result<(), ProductError> {
    if counts.is_empty() {
        return Ok(());
    }
    let first = inventory::first_location(tx).await?;
    let locate = |count: &Count| {
        let location = match count.place {
            Place::First => first,
            Place::Named(index) => named.get(index).copied(),
        };
        location.ok_or(ProductError::NotFound("location"))
    };
    let mut places = Vec::with_capacity(counts.len());
    for count in counts {
        places.push((count.variant_id, locate(count)?));
    }
    transfer::add_shelves(tx, places.iter().copied()).await?;
    let variants = places.iter().map(|(variant, _)| *variant).collect();
    let mut open = open(tx, variants).await?;
    for (count, (variant, location)) in counts.iter().zip(places) {
        let kind = if count.known {
            EntryKind::Corrected
        } else {
            EntryKind::Received
        };
        let entry = Entry {
            note: Some(NOTE.to_owned()),
            ..Entry::of(kind, variant, location, None)
        };
        open.book.adjust(Adjustment::To(count.quantity), entry)?;
    }
    Ok(book::save(tx, open).await?)
}
