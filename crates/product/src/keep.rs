//! Keeps products: writes them with everything that follows from them (variants, rules of stock,
//! places in lists, the change log), any number of them in the same few statements.

use std::collections::BTreeSet;

use contracts::product::{CategoryId, ProductArchived, ProductChanged, ProductCreated, ProductId};
use kernel::{FieldError, Id, Timestamp, Validate, Violations};
use platform::db::{DbError, Tx};
use platform::events;
use uuid::Uuid;

use crate::ProductError;
use crate::model::{Product, ProductStatus};
use crate::stock::StockRule;
use crate::store::{catalogue, categories, listing, products, stock};

/// A product that was changed, and what it was before.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) was: Product,
    pub(crate) is: Product,
}

/// Fails if the product breaks a rule.
pub(crate) fn check(product: &Product) -> Result<(), ProductError> {
    valid(|violations| product.validate(violations))
}

/// Fails if a rule is broken.
pub(crate) fn valid(check: impl FnOnce(&mut Violations)) -> Result<(), ProductError> {
    let mut violations = Violations::default();
    check(&mut violations);
    let errors = violations.into_errors();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(ProductError::Invalid(errors))
    }
}

/// Adds products that keep the rules. Their variants are new, too.
pub(crate) async fn add(tx: &Tx, new: &[&Product], now: Timestamp) -> Result<(), ProductError> {
    if new.iter().any(|product| !product.category_ids.is_empty()) {
        categories::hold_tree(tx).await?;
        demand_categories(tx, new).await?;
    }
    let added = catalogue::add_products(tx, new, now).await?;
    if added < count(new.len()) {
        return Err(slug_taken(new));
    }
    add_variants(tx, new).await?;
    stock::set_rules(tx, &rules(new)).await?;
    catalogue::add_to_categories(tx, new).await?;
    listing::add(tx, new).await?;
    let ids: Vec<Uuid> = new.iter().map(|product| product.id.uuid()).collect();
    catalogue::note_changes(tx, &ids).await?;
    for product in new {
        let event = ProductCreated {
            product_id: product.id,
            slug: product.slug.clone(),
            title: product.title.clone(),
        };
        events::emit(tx, &event).await?;
    }
    Ok(())
}

/// Writes products that keep the rules, and which nobody else has changed since they were read.
pub(crate) async fn change(
    tx: &Tx,
    changes: &[Change],
    now: Timestamp,
) -> Result<(), ProductError> {
    let those = |differ: fn(&Change) -> bool| {
        let differing = changes.iter().filter(move |change| differ(change));
        differing.map(|change| &change.is).collect::<Vec<_>>()
    };
    let revised = those(|change| change.was.variants != change.is.variants);
    let moved = those(|change| change.was.category_ids != change.is.category_ids);
    let relisted = those(relisted);
    let list = |products: &[&Product]| products.iter().map(|p| p.id).collect::<Vec<_>>();
    if !relisted.is_empty() {
        categories::hold_tree(tx).await?;
        demand_categories(tx, &moved).await?;
    }
    // Reservations lock stock first and products after it, so changes must do so, too.
    if !revised.is_empty() {
        stock::set_rules(tx, &rules(&revised)).await?;
    }
    let all: Vec<&Product> = changes.iter().map(|change| &change.is).collect();
    let changed = catalogue::change_products(tx, &all, now).await;
    let changed = changed.map_err(|error| match (error, changes) {
        (DbError::Constraint { .. }, [one]) => ProductError::SlugTaken(one.is.slug.clone()),
        (error, _) => error.into(),
    })?;
    if changed < count(changes.len()) {
        return Err(ProductError::Stale);
    }
    if !moved.is_empty() {
        catalogue::remove_from_categories(tx, &list(&moved)).await?;
        catalogue::add_to_categories(tx, &moved).await?;
    }
    if !revised.is_empty() {
        catalogue::remove_variants(tx, &list(&revised)).await?;
        add_variants(tx, &revised).await?;
    }
    if !relisted.is_empty() {
        listing::remove(tx, &list(&relisted)).await?;
        listing::add(tx, &relisted).await?;
    }
    if !revised.is_empty() {
        let ids: Vec<Uuid> = revised.iter().map(|product| product.id.uuid()).collect();
        catalogue::refresh_in_stock(tx, &ids).await?;
    }
    let ids: Vec<Uuid> = changes.iter().map(|change| change.is.id.uuid()).collect();
    catalogue::note_changes(tx, &ids).await?;
    for change in changes {
        announce(tx, change).await?;
    }
    Ok(())
}

/// Fails if a product names a category that is not there.
async fn demand_categories(tx: &Tx, products: &[&Product]) -> Result<(), ProductError> {
    let named = products.iter().flat_map(|product| &product.category_ids);
    let named: BTreeSet<CategoryId> = named.copied().collect();
    if named.is_empty() {
        return Ok(());
    }
    let known = categories::known(tx, &named).await?;
    for product in products {
        let missing = |id: &CategoryId| !known.contains(id);
        if let Some(index) = product.category_ids.iter().position(missing) {
            return Err(ProductError::Invalid(vec![FieldError {
                pointer: format!("/category_ids/{index}"),
                code: kernel::problem::codes::INVALID.into(),
                detail: String::from("there is no such category"),
            }]));
        }
    }
    Ok(())
}

async fn announce(tx: &Tx, change: &Change) -> Result<(), DbError> {
    let Change { was, is } = change;
    if is.status == ProductStatus::Archived && was.status != ProductStatus::Archived {
        let event = ProductArchived { product_id: is.id };
        return events::emit(tx, &event).await;
    }
    let event = ProductChanged {
        product_id: is.id,
        version: is.version,
    };
    events::emit(tx, &event).await
}

/// Whether lists show the product elsewhere than before. What they show of it is not kept there.
fn relisted(change: &Change) -> bool {
    let Change { was, is } = change;
    let prices = |product: &Product| -> Vec<_> {
        let ranges = product.price_ranges().into_iter();
        ranges.map(|range| (range.currency, range.amount)).collect()
    };
    was.status != is.status
        || was.category_ids != is.category_ids
        || was.name_key() != is.name_key()
        || prices(was) != prices(is)
}

async fn add_variants(tx: &Tx, products: &[&Product]) -> Result<(), ProductError> {
    let added = catalogue::add_variants(tx, products).await?;
    if added
        == products
            .iter()
            .map(|p| count(p.variants.len()))
            .sum::<u64>()
    {
        return Ok(());
    }
    let ids: Vec<ProductId> = products.iter().map(|product| product.id).collect();
    let variants = products.iter().flat_map(|product| &product.variants);
    let skus: Vec<&str> = variants.map(|variant| variant.sku.as_str()).collect();
    let taken = products::taken_skus(tx, &ids, &skus).await?;
    // Only an SKU that is taken keeps a variant out: its id is fresh, or was there before.
    Err(ProductError::SkuTaken(
        taken.into_iter().next().unwrap_or_default(),
    ))
}

fn rules(products: &[&Product]) -> Vec<StockRule> {
    let rules = products.iter().flat_map(|product| {
        product.variants.iter().map(|variant| StockRule {
            variant_id: variant.id,
            product_id: product.id,
            sku: variant.sku.clone(),
            inventory: variant.inventory,
            backorder: variant.backorder,
        })
    });
    rules.collect()
}

fn slug_taken(new: &[&Product]) -> ProductError {
    let slugs: Vec<&str> = new.iter().map(|product| product.slug.as_str()).collect();
    ProductError::SlugTaken(slugs.join(", "))
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
