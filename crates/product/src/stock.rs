//! The rules of stock: pure, no async.

use contracts::product::{InventoryMode, ProductId, VariantId};

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
}
