//! No two variants share an SKU, whatever the file says.

use std::collections::{BTreeMap, BTreeSet};

use contracts::product::ProductId;
use platform::db::Tx;

use super::candidate::Candidate;
use crate::ProductError;
use crate::sheet::{Column, Columns};
use crate::store::transfer;

/// The products that have SKUs before the batch is written, by SKU: id and handle.
pub(super) type Owners = BTreeMap<String, (ProductId, String)>;

/// Who has the SKUs that the batch wants. Fails if a product of the batch has come to be since the
/// batch was read.
pub(super) async fn owners(tx: &Tx, batch: &[Candidate<'_>]) -> Result<Owners, ProductError> {
    let accepted = batch.iter().filter(|candidate| candidate.accepted());
    let variants = accepted.flat_map(|candidate| &candidate.is.variants);
    let skus: Vec<&str> = variants.map(|variant| variant.sku.as_str()).collect();
    let owners = transfer::sku_owners(tx, &skus).await?;
    let known: BTreeMap<&str, ProductId> = batch
        .iter()
        .map(|candidate| (candidate.is.slug.as_str(), candidate.is.id))
        .collect();
    let moved = |owner: &transfer::SkuOwner| {
        let known = known.get(owner.slug.as_str());
        known.is_some_and(|id| *id != owner.product_id)
    };
    if owners.iter().any(moved) {
        return Err(ProductError::Stale);
    }
    let owners = owners.into_iter();
    Ok(owners
        .map(|owner| (owner.sku, (owner.product_id, owner.slug)))
        .collect())
}

/// Rejects products that want an SKU which another one keeps; returns whether there was one.
pub(super) fn reject_taken(
    batch: &mut [Candidate<'_>],
    owners: &Owners,
    columns: &Columns,
) -> bool {
    let mut wanted: BTreeMap<ProductId, BTreeSet<&str>> = BTreeMap::new();
    for candidate in batch.iter().filter(|candidate| candidate.accepted()) {
        let skus = candidate
            .is
            .variants
            .iter()
            .map(|variant| variant.sku.as_str());
        wanted.insert(candidate.is.id, skus.collect());
    }
    let kept = owners.iter().filter(|(sku, (id, _))| {
        let wants = wanted.get(id);
        wants.is_none_or(|wants| wants.contains(sku.as_str()))
    });
    let mut taken: BTreeMap<&str, (ProductId, &str)> = BTreeMap::new();
    taken.extend(kept.map(|(sku, (id, slug))| (sku.as_str(), (*id, slug.as_str()))));
    let mut refused = Vec::new();
    for (index, candidate) in batch.iter().enumerate().filter(|(_, c)| c.accepted()) {
        let own = (candidate.is.id, candidate.is.slug.as_str());
        for (place, variant) in candidate.is.variants.iter().enumerate() {
            let (id, slug) = *taken.entry(&variant.sku).or_insert(own);
            if id != own.0 {
                let reason = format!("the product `{slug}` has the SKU `{}`", variant.sku);
                refused.push((index, candidate.line_of(place), reason));
            }
        }
    }
    let any = !refused.is_empty();
    for (index, line, reason) in refused {
        batch[index].reject(line, columns.name(Column::Sku), reason);
    }
    any
}
