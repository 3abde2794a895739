//! Products as values: what is kept, shown and compared. Their rules are in [`rules`](crate::rules).

use std::collections::BTreeMap;

use contracts::product::{CategoryId, InventoryMode, ProductId, VariantId};
use kernel::{Currency, Timestamp};
use platform::http::ETag;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;

use crate::document;

kernel::text_enum! {
    /// Where a product stands.
    pub enum ProductStatus {
        /// In the making: only staff see it.
        Draft = "draft",
        /// In the shop.
        Active = "active",
        /// Taken out of the shop: only staff see it.
        Archived = "archived",
    }
}

/// A product. Its JSON is what clients get and, but for what depends on stock, what is kept; see
/// [`document`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Product {
    pub(crate) id: ProductId,
    /// Its address in the shop; no two products share one.
    pub(crate) slug: String,
    pub(crate) title: String,
    /// Text or HTML, as staff wrote it. Whoever shows it as HTML must sanitise it.
    pub(crate) description: String,
    /// Who makes it.
    pub(crate) vendor: Option<String>,
    pub(crate) status: ProductStatus,
    pub(crate) tags: Vec<String>,
    pub(crate) category_ids: Vec<CategoryId>,
    /// The first one is shown in lists.
    pub(crate) images: Vec<Image>,
    /// What its variants differ in; empty if it has only one.
    pub(crate) options: Vec<ProductOption>,
    pub(crate) variants: Vec<Variant>,
    /// Counts the changes; also in the `ETag`.
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// Whether one of its variants can be bought now.
    pub(crate) in_stock: bool,
}

/// A picture of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Image {
    /// An address with `https` or `http`, or a path.
    #[schema(min_length = 1, max_length = 2000, example = "images/mug.jpg")]
    pub(crate) url: String,
    /// What the picture shows, for those who cannot see it.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub(crate) alt: String,
}

/// Something that variants differ in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProductOption {
    #[schema(min_length = 1, max_length = 50, example = "Size")]
    pub(crate) name: String,
    /// Each of 1 to 100 characters, in the order in which they are offered.
    #[schema(min_items = 1, max_items = 250, example = json!(["S", "M"]))]
    pub(crate) values: Vec<String>,
}

/// What is bought, counted and shipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Variant {
    pub(crate) id: VariantId,
    /// Stock keeping unit; no two variants share one.
    pub(crate) sku: String,
    /// What sets it apart, such as `M / Blue`; empty for the only variant.
    pub(crate) title: String,
    /// Its value of each of the product's options.
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) prices: Vec<Price>,
    pub(crate) inventory: InventoryMode,
    /// Whether it is sold when there is none.
    pub(crate) backorder: bool,
    /// Whether it is sent by parcel.
    pub(crate) requires_shipping: bool,
    pub(crate) weight_grams: Option<i64>,
    /// GTIN, ISBN and the like.
    pub(crate) barcode: Option<String>,
    /// How many can be bought now; `null` for no limit.
    pub(crate) available: Option<i64>,
}

/// What a variant costs in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Price {
    /// Minor units.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 1999)]
    pub(crate) amount: i64,
    pub(crate) currency: Currency,
    /// What it is compared with, such as the price before a sale; higher than `amount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub(crate) compare_at: Option<i64>,
}

/// What lists and search results show of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ProductSummary {
    pub(crate) id: ProductId,
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) vendor: Option<String>,
    pub(crate) status: ProductStatus,
    /// The first picture.
    pub(crate) image: Option<Image>,
    /// From lowest to highest, in each currency that it has a price in.
    pub(crate) prices: Vec<PriceRange>,
    pub(crate) created_at: Timestamp,
    /// Whether one of its variants can be bought now.
    pub(crate) in_stock: bool,
}

/// What the variants of a product cost in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct PriceRange {
    /// The lowest price, in minor units.
    pub(crate) amount: i64,
    pub(crate) currency: Currency,
    /// What the variant with the lowest price is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) compare_at: Option<i64>,
    /// The highest price.
    pub(crate) highest: i64,
}

impl Product {
    /// Brings what follows from other fields up to date: the titles of the variants.
    pub(crate) fn derive_titles(&mut self) {
        let Self {
            options, variants, ..
        } = self;
        for variant in variants {
            let value = |option: &ProductOption| variant.options.get(&option.name);
            let values: Vec<&str> = options
                .iter()
                .filter_map(value)
                .map(String::as_str)
                .collect();
            variant.title = values.join(" / ");
        }
    }

    /// Fills in the stock of a product whose variants are all new: nothing lies anywhere yet.
    pub(crate) fn begin_stock(&mut self) {
        let available: Vec<Option<i64>> = self
            .variants
            .iter()
            .map(|variant| (!variant.unbounded()).then_some(0))
            .collect();
        self.fill_stock(&available);
    }

    /// Fills in how many of each variant can be bought, in order; `None` for no limit.
    pub(crate) fn fill_stock(&mut self, available: &[Option<i64>]) {
        self.in_stock = document::in_stock(available);
        for (variant, count) in self.variants.iter_mut().zip(available) {
            variant.available = *count;
        }
    }

    /// The tag of what it shows.
    pub(crate) fn etag(&self) -> ETag {
        let available: Vec<Option<i64>> = self.variants.iter().map(|v| v.available).collect();
        document::etag(self.version, &available)
    }

    /// Whether staff would see no difference: everything is the same but version and times.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        let comparable = |product: &Self| {
            let mut product = product.clone();
            (product.version, product.in_stock) = (0, false);
            (product.created_at, product.updated_at) =
                (Timestamp::from_micros(0), Timestamp::from_micros(0));
            for variant in &mut product.variants {
                variant.available = None;
            }
            product
        };
        comparable(self) == comparable(other)
    }

    /// What lists show of it.
    pub(crate) fn summary(&self) -> ProductSummary {
        ProductSummary {
            id: self.id,
            slug: self.slug.clone(),
            title: self.title.clone(),
            vendor: self.vendor.clone(),
            status: self.status,
            image: self.images.first().cloned(),
            prices: self.price_ranges(),
            created_at: self.created_at,
            in_stock: self.in_stock,
        }
    }

    /// What its variants cost, by currency.
    pub(crate) fn price_ranges(&self) -> Vec<PriceRange> {
        let mut ranges: BTreeMap<Currency, PriceRange> = BTreeMap::new();
        for price in self.variants.iter().flat_map(|variant| &variant.prices) {
            let range = ranges.entry(price.currency).or_insert(PriceRange {
                amount: price.amount,
                currency: price.currency,
                compare_at: price.compare_at,
                highest: price.amount,
            });
            if price.amount < range.amount {
                (range.amount, range.compare_at) = (price.amount, price.compare_at);
            }
            range.highest = range.highest.max(price.amount);
        }
        ranges.into_values().collect()
    }

    /// What lists by name sort it under: the first letters of its title, without case and accents.
    pub(crate) fn name_key(&self) -> String {
        name_key(&self.title)
    }
}

impl Variant {
    /// Whether it can always be bought, however many there are.
    pub(crate) fn unbounded(&self) -> bool {
        self.backorder || matches!(self.inventory, InventoryMode::None | InventoryMode::Track)
    }
}

/// Enough to tell names apart; what is longer only makes indexes large.
const NAME_KEY_CHARS: usize = 48;

/// What a title is sorted under.
pub(crate) fn name_key(title: &str) -> String {
    let plain = title
        .nfkd()
        .filter(|letter| !unicode_normalization::char::is_combining_mark(*letter));
    plain
        .flat_map(char::to_lowercase)
        .take(NAME_KEY_CHARS)
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use kernel::Id;
    use uuid::Uuid;

    use super::*;

    /// A product with one variant for 19.99 EUR.
    pub(crate) fn mug() -> Product {
        let variant = Variant {
            id: VariantId::from_uuid(Uuid::from_u128(2)),
            sku: String::from("MUG"),
            title: String::new(),
            options: BTreeMap::new(),
            prices: vec![price(1999, Currency::EUR)],
            inventory: InventoryMode::ReserveOnOrder,
            backorder: false,
            requires_shipping: true,
            weight_grams: Some(350),
            barcode: None,
            available: None,
        };
        Product {
            id: ProductId::from_uuid(Uuid::from_u128(1)),
            slug: String::from("mug"),
            title: String::from("Mug"),
            description: String::new(),
            vendor: None,
            status: ProductStatus::Active,
            tags: Vec::new(),
            category_ids: Vec::new(),
            images: Vec::new(),
            options: Vec::new(),
            variants: vec![variant],
            version: 1,
            created_at: Timestamp::from_micros(0),
            updated_at: Timestamp::from_micros(0),
            in_stock: false,
        }
    }

    pub(crate) fn price(amount: i64, currency: Currency) -> Price {
        Price {
            amount,
            currency,
            compare_at: None,
        }
    }

    #[test]
    fn names_sort_without_case_and_accents() {
        let mut names = ["zebra", "Éclair", "apple", "eclair b", "Ångström"];
        names.sort_by_key(|name| name_key(name));
        assert_eq!(names, ["Ångström", "apple", "Éclair", "eclair b", "zebra"]);
        assert_eq!(name_key(&"é".repeat(200)).len(), NAME_KEY_CHARS);
    }

    #[test]
    fn a_range_has_the_lowest_price_with_what_it_is_compared_with() {
        let mut product = mug();
        let mut sale = product.variants[0].clone();
        sale.prices = vec![
            Price {
                compare_at: Some(2500),
                ..price(1500, Currency::EUR)
            },
            price(900, Currency::JPY),
        ];
        product.variants.push(sale);
        let [eur, jpy] = &product.price_ranges()[..] else {
            panic!("two currencies");
        };
        assert_eq!((eur.amount, eur.highest), (1500, 1999));
        assert_eq!(eur.compare_at, Some(2500));
        assert_eq!((jpy.amount, jpy.highest, jpy.compare_at), (900, 900, None));
    }

    #[test]
    fn titles_follow_the_order_of_the_options() {
        let mut product = mug();
        let option = |name: &str, value: &str| ProductOption {
            name: name.into(),
            values: vec![value.into()],
        };
        product.options = vec![option("Size", "M"), option("Colour", "Blue")];
        product.variants[0].options = BTreeMap::from([
            (String::from("Colour"), String::from("Blue")),
            (String::from("Size"), String::from("M")),
        ]);
        product.derive_titles();
        assert_eq!(product.variants[0].title, "M / Blue");
    }
}
