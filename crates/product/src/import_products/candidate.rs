//! A product of the file beside the one that is there.

use std::collections::BTreeSet;

use contracts::product::{InventoryMode, VariantId};
use kernel::Violations;

use super::entry::{Entry, Place};
use super::plan::Count;
use super::report::{ImportStock, Rejection};
use crate::model::{Product, ProductStatus};
use crate::sheet::Columns;
use crate::store::transfer::OnShelf;

/// A product that may be written, if nothing speaks against it.
pub(super) struct Candidate<'a> {
    pub(super) entry: &'a Entry,
    pub(super) was: Option<Product>,
    pub(super) is: Product,
    /// Where stock is not as the file says.
    pub(super) counts: Vec<Count>,
    pub(super) rejections: Vec<Rejection>,
}

impl<'a> Candidate<'a> {
    pub(super) fn new(entry: &'a Entry, was: Option<Product>, is: Product) -> Self {
        Self {
            entry,
            was,
            is,
            counts: Vec::new(),
            rejections: Vec::new(),
        }
    }

    /// Whether nothing speaks against it so far.
    pub(super) fn accepted(&self) -> bool {
        self.rejections.is_empty()
    }

    /// Rejects it if it breaks a rule.
    pub(super) fn check(&mut self, columns: &Columns) {
        for error in Violations::of(&self.is) {
            let rejection = self.entry.rejection(columns, &self.is, error);
            self.rejections.push(rejection);
        }
        let archived = |was: &Product| was.status == ProductStatus::Archived;
        if self.was.as_ref().is_some_and(archived) && self.entry.status.is_none() {
            let reason = String::from("the product is archived; a column `Status` can restore it");
            self.reject(self.entry.line, None, reason);
        }
    }

    pub(super) fn reject(&mut self, line: u64, column: Option<String>, reason: String) {
        self.rejections.push(Rejection {
            line,
            column,
            handle: Some(self.entry.handle.clone()),
            reason,
        });
    }

    /// Where in the file the variant in this place is.
    pub(super) fn line_of(&self, variant: usize) -> u64 {
        let lines = self.entry.variants.as_deref().unwrap_or_default();
        lines.get(variant).map_or(self.entry.line, |line| line.line)
    }

    /// Notes where the stock that the file tells differs from what is there. What is set aside for
    /// orders and carts cannot be taken.
    pub(super) fn count<'s>(
        &mut self,
        columns: &Columns,
        stock: ImportStock,
        on_shelf: &impl Fn(VariantId, Place) -> Option<&'s OnShelf>,
    ) {
        let were = self.was.iter().flat_map(|was| &was.variants);
        let were: BTreeSet<VariantId> = were.map(|variant| variant.id).collect();
        let lines = self.entry.variants.as_deref().unwrap_or_default();
        let mut refused = Vec::new();
        for (variant, line) in self.is.variants.iter().zip(lines) {
            let known = were.contains(&variant.id);
            if variant.inventory == InventoryMode::None || (known && stock == ImportStock::New) {
                continue;
            }
            for (place, quantity) in line.stock.iter().copied() {
                let shelf = on_shelf(variant.id, place);
                let (on_hand, reserved) =
                    shelf.map_or((0, 0), |shelf| (shelf.on_hand, shelf.reserved));
                if quantity < reserved.min(on_hand) && !variant.unbounded() {
                    refused.push((line.line, place, reserved));
                } else if quantity != on_hand {
                    self.counts.push(Count {
                        variant_id: variant.id,
                        place,
                        quantity,
                        known,
                    });
                }
            }
        }
        for (line, place, reserved) in refused {
            let reason = format!("{reserved} are set aside for orders and carts");
            self.reject(line, columns.name(place.column()), reason);
        }
    }
}
