//! One variant with the shelves that it lies on.

use contracts::product::{InventoryMode, LocationId, ProductId, VariantId};

use super::Entry;

/// How the stock of a variant is kept, as the catalogue says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StockRule {
    /// Which variant.
    pub(crate) variant_id: VariantId,
    /// Its product, whose listing shows whether it is in stock.
    pub(crate) product_id: ProductId,
    /// Stock keeping unit, for people who read a shortage.
    pub(crate) sku: String,
    /// How its stock is kept.
    pub(crate) inventory: InventoryMode,
    /// Whether it is sold when there is none.
    pub(crate) backorder: bool,
}

impl StockRule {
    /// Whether no wish is too large: there is no limit to what can be bought.
    pub(crate) fn unbounded(&self) -> bool {
        self.backorder || matches!(self.inventory, InventoryMode::None | InventoryMode::Track)
    }

    /// Whether goods are set aside before they are sold.
    pub(crate) fn reserves(&self) -> bool {
        matches!(
            self.inventory,
            InventoryMode::ReserveOnOrder | InventoryMode::ReserveOnCart
        )
    }
}

/// What lies at one location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shelf {
    pub(crate) location_id: LocationId,
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
    /// Whether the database lets more be reserved than is there.
    pub(crate) unbounded: bool,
}

impl Shelf {
    fn free(&self) -> i64 {
        self.on_hand - self.reserved
    }
}

/// A variant that is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Article {
    pub(crate) rule: StockRule,
    /// In the order in which they are taken from.
    pub(crate) shelves: Vec<Shelf>,
}

impl Article {
    /// How many can be bought, where that is limited.
    pub(crate) fn available(&self) -> i64 {
        self.shelves
            .iter()
            .map(Shelf::free)
            .fold(0, i64::saturating_add)
    }

    /// Whether no wish is too large. Both must say so: the rule was read before the shelves were
    /// locked, and the database only lets the shelves decide.
    pub(crate) fn unbounded(&self) -> bool {
        self.rule.unbounded() && self.shelves.iter().all(|shelf| shelf.unbounded)
    }

    /// Whether the shop can sell one.
    pub(crate) fn in_stock(&self) -> bool {
        self.unbounded() || self.available() > 0
    }

    /// Where `quantity` comes from: what is free, shelf by shelf; the rest, which only an
    /// unbounded article can have, from the first shelf that lets it.
    pub(crate) fn pick(&self, quantity: i64) -> Vec<(LocationId, i64)> {
        let mut left = quantity;
        let mut parts = Vec::new();
        for shelf in &self.shelves {
            let part = shelf.free().min(left);
            if part > 0 {
                parts.push((shelf.location_id, part));
                left -= part;
            }
        }
        let rest = self.shelves.iter().find(|shelf| shelf.unbounded);
        if let Some(shelf) = rest.filter(|_| left > 0) {
            match parts
                .iter_mut()
                .find(|(location, _)| *location == shelf.location_id)
            {
                Some((_, part)) => *part += left,
                None => parts.push((shelf.location_id, left)),
            }
        }
        parts
    }

    /// Where it lies, in the order in which it is taken from.
    pub(crate) fn locations(&self) -> Vec<LocationId> {
        self.shelves.iter().map(|shelf| shelf.location_id).collect()
    }

    pub(crate) fn shelf(&self, location: LocationId) -> Option<&Shelf> {
        self.shelves
            .iter()
            .find(|shelf| shelf.location_id == location)
    }

    /// Does what the entry says. A shelf that was oversold under an earlier rule is bounded again
    /// once it is not oversold any more.
    pub(super) fn change(&mut self, entry: &Entry) {
        let unbounded = self.rule.unbounded();
        let mut shelves = self.shelves.iter_mut();
        if let Some(shelf) = shelves.find(|shelf| shelf.location_id == entry.location_id) {
            shelf.on_hand += entry.on_hand_delta;
            shelf.reserved += entry.reserved_delta;
            shelf.unbounded &= unbounded || shelf.free() < 0;
        }
    }
}
