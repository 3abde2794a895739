//! The product service: catalogue, prices, stock and its reservations, search.

use kernel::{Currency, Event, Money, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

kernel::id_type!(
    /// Names one product: what a page of the shop shows.
    pub ProductId, "prod"
);
kernel::id_type!(
    /// Names one variant: what is bought, counted and shipped.
    pub VariantId, "var"
);
kernel::id_type!(
    /// Names one category.
    pub CategoryId, "cat"
);
kernel::id_type!(
    /// Names one place where stock lies.
    pub LocationId, "loc"
);

kernel::text_enum! {
    /// How a variant's stock is kept.
    pub enum InventoryMode {
        /// Not at all: there is always enough.
        None = "none",
        /// Counted when an order is placed; nothing is refused.
        Track = "track",
        /// Reserved while an order is placed; what is not there is refused.
        ReserveOnOrder = "reserve_on_order",
        /// Reserved, for a while, as soon as it is put into a cart.
        ReserveOnCart = "reserve_on_cart",
    }
}

kernel::service_contract! {
    /// What other services may ask of the catalogue and the stock.
    pub trait ProductApi, client ProductClient, server ProductServer, service "product" {
        /// What variants are and cost now. Unknown ones are left out.
        price_variants(PriceVariants) -> Vec<PricedVariant>;
        /// Those of the products that are on sale, in the order in which they were asked for.
        find_products(FindProducts) -> Vec<ProductId>;
        /// Reserves stock for an order, all or nothing; `product.out_of_stock` names what is
        /// missing. The same holder and lines again change nothing, but a later expiry counts.
        /// Other lines of the same holder replace its reservation.
        reserve_stock(ReserveStock) -> Reservation;
        /// Lets go of what a holder has reserved and not committed; nothing if there is nothing.
        release_stock(ReleaseStock) -> ();
    }
}

/// Asks which products are on sale.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FindProducts {
    /// Which are looked for.
    pub product_ids: Vec<ProductId>,
}

/// Asks what variants are and cost now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PriceVariants {
    /// Which.
    pub variant_ids: Vec<VariantId>,
    /// In which currency.
    pub currency: Currency,
}

/// A variant as a cart needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PricedVariant {
    /// The variant.
    pub variant_id: VariantId,
    /// Its product.
    pub product_id: ProductId,
    /// The product's address in the shop.
    pub slug: String,
    /// Stock keeping unit.
    pub sku: String,
    /// The product's title.
    pub title: String,
    /// What sets the variant apart, such as `M / Blue`; empty for the only variant.
    pub variant_title: String,
    /// The picture to show.
    pub image_url: Option<String>,
    /// Its price; `None` if it has none in the currency.
    pub unit_price: Option<Money>,
    /// Whether its product is on sale: active, not archived.
    pub purchasable: bool,
    /// Whether it is sent by parcel.
    pub requires_shipping: bool,
    /// How its stock is kept.
    pub inventory: InventoryMode,
    /// How many can be bought now; `None` for no limit (not counted, or to be had on backorder).
    pub available: Option<i64>,
}

/// Who a reservation is for: the UUID of a cart for what is reserved there, or the
/// [name of a try](crate::order::holder) to place an order.
pub type HolderId = Uuid;

/// Asks to reserve stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReserveStock {
    /// Who for.
    pub holder: HolderId,
    /// Who held the same goods until now, and lets go of them in the same step: the cart of the
    /// order, and tries before that came to nothing.
    #[serde(default)]
    pub instead_of: Vec<HolderId>,
    /// What. At most one line for each variant.
    pub lines: Vec<ReserveLine>,
    /// When it lapses if it is not committed.
    pub expires_at: Timestamp,
}

/// One line of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReserveLine {
    /// What.
    pub variant_id: VariantId,
    /// How many, at least one.
    pub quantity: i64,
}

/// Stock is reserved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Who for.
    pub holder: HolderId,
    /// When it lapses if it is not committed.
    pub expires_at: Timestamp,
}

/// Asks to let go of a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseStock {
    /// Whose.
    pub holder: HolderId,
}

/// A line that cannot be reserved; the `context.lines` of `product.out_of_stock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shortage {
    /// What.
    pub variant_id: VariantId,
    /// Its stock keeping unit.
    pub sku: String,
    /// How many were wanted.
    pub wanted: i64,
    /// How many are left.
    pub left: i64,
}

/// A product was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductCreated {
    /// The product.
    pub product_id: ProductId,
    /// Its address in the shop.
    pub slug: String,
    /// Its title.
    pub title: String,
}

impl Event for ProductCreated {
    const TYPE: &'static str = "rialto.product.created.v1";
    fn subject(&self) -> String {
        self.product_id.to_string()
    }
}

/// A product, its variants or its prices were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductChanged {
    /// The product.
    pub product_id: ProductId,
    /// The version that it has now.
    pub version: i64,
}

impl Event for ProductChanged {
    const TYPE: &'static str = "rialto.product.changed.v1";
    fn subject(&self) -> String {
        self.product_id.to_string()
    }
}

/// A product was taken out of the shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductArchived {
    /// The product.
    pub product_id: ProductId,
}

impl Event for ProductArchived {
    const TYPE: &'static str = "rialto.product.archived.v1";
    fn subject(&self) -> String {
        self.product_id.to_string()
    }
}

/// Error codes of the product service.
pub mod codes {
    kernel::codes! {
        /// No such product, variant, category or location.
        NOT_FOUND = "product.not_found",
        /// Another product, or another category, has this slug.
        SLUG_TAKEN = "product.slug_taken",
        /// Another variant has this SKU.
        SKU_TAKEN = "product.sku_taken",
        /// Less is left than was wanted; `context.lines` tells of what.
        OUT_OF_STOCK = "product.out_of_stock",
        /// The change would leave less than nothing.
        STOCK_BELOW_ZERO = "product.stock_below_zero",
        /// The stock of the variant is not kept.
        NOT_COUNTED = "product.not_counted",
        /// Another location has this name.
        LOCATION_TAKEN = "product.location_taken",
        /// There are as many locations as there may be.
        TOO_MANY_LOCATIONS = "product.too_many_locations",
        /// The product is archived.
        ARCHIVED = "product.archived",
        /// The category has children, or would become its own ancestor, or lie too deep.
        BAD_CATEGORY_TREE = "product.bad_category_tree",
        /// Products are in the category.
        CATEGORY_IN_USE = "product.category_in_use",
        /// There are as many categories as there may be.
        TOO_MANY_CATEGORIES = "product.too_many_categories",
        /// The reservation is committed and cannot be replaced.
        RESERVATION_COMMITTED = "product.reservation_committed",
    }
}
