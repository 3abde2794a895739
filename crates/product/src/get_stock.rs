//! `GET /v1/inventory/{variant_id}`: how much there is of a variant, and where.

use axum::extract::State;
use contracts::product::{InventoryMode, LocationId, VariantId};
use platform::db::Tx;
use platform::http::{ApiError, PathId, Reply};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::inventory::{self, StockRow};
use crate::{ProductError, ProductService};

/// How much there is of a variant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StockView {
    variant_id: VariantId,
    /// Stock keeping unit.
    sku: String,
    /// How its stock is kept.
    inventory: InventoryMode,
    /// Whether it is sold when there is none.
    backorder: bool,
    #[serde(flatten)]
    total: Amounts,
    /// By location, in the order in which goods are taken.
    locations: Vec<ShelfView>,
}

/// How much there is at one location.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShelfView {
    location_id: LocationId,
    /// How the shop calls the location.
    name: String,
    #[serde(flatten)]
    amounts: Amounts,
}

/// Pieces.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
pub(crate) struct Amounts {
    /// What lies there. Negative where more was sold than had been counted.
    on_hand: i64,
    /// What of it is set aside for orders and carts.
    reserved: i64,
    /// The rest. Negative where more is promised than is there.
    available: i64,
}

/// Shows how much there is of a variant.
#[utoipa::path(
    get,
    path = "/v1/inventory/{variant_id}",
    params(("variant_id" = VariantId, Path)),
    responses((status = 200, body = StockView, description = "The stock."))
)]
pub(crate) async fn handler(
    State(products): State<ProductService>,
    PathId(variant_id): PathId<VariantId>,
) -> Result<Reply, ApiError> {
    let tx = products.db.read().await?;
    Ok(Reply::ok(&StockView::read(&tx, variant_id).await?))
}

impl StockView {
    /// Reads the stock of a variant.
    pub(crate) async fn read(tx: &Tx, variant_id: VariantId) -> Result<Self, ProductError> {
        let rows = inventory::stock(tx, variant_id).await?;
        let first = rows.first().ok_or(ProductError::NotFound("variant"))?;
        let (sku, inventory, backorder) = (first.sku.clone(), first.inventory, first.backorder);
        let locations: Vec<ShelfView> = rows.into_iter().filter_map(ShelfView::of).collect();
        let mut total = Amounts::default();
        for ShelfView { amounts, .. } in &locations {
            total.on_hand += amounts.on_hand;
            total.reserved += amounts.reserved;
            total.available += amounts.available;
        }
        Ok(Self {
            variant_id,
            sku,
            inventory,
            backorder,
            total,
            locations,
        })
    }
}

impl ShelfView {
    fn of(row: StockRow) -> Option<Self> {
        let (on_hand, reserved) = (row.on_hand?, row.reserved?);
        let amounts = Amounts {
            on_hand,
            reserved,
            available: on_hand - reserved,
        };
        Some(Self {
            location_id: row.location_id?,
            name: row.location?,
            amounts,
        })
    }
}
