//! The lines of a product.

use std::collections::BTreeMap;

use contracts::product::{CategoryId, InventoryMode, LocationId, VariantId};
use kernel::Currency;

use crate::category::Category;
use crate::list_locations::Location;
use crate::model::{Image, Price, Product, ProductStatus, Variant};
use crate::rules::MOST_OPTIONS;
use crate::sheet::Column;
use crate::sheet::amount;
use crate::sheet::category_path::{self, CategoryPath};
use crate::sheet::cells::{self, NO_OPTION};

/// How many of a variant lie where.
pub(super) type Stock = BTreeMap<(VariantId, LocationId), i64>;

/// Which columns the file has, and what is needed to fill them.
pub(super) struct Layout {
    base: Currency,
    locations: Vec<Location>,
    paths: BTreeMap<CategoryId, CategoryPath>,
    columns: Vec<Column>,
}

/// What stands in one line: always a part of the product, a variant and an image while there are
/// some left.
struct Line<'a> {
    product: &'a Product,
    stock: &'a Stock,
    place: usize,
    variant: Option<&'a Variant>,
    image: Option<&'a Image>,
}

impl Layout {
    pub(super) fn new(
        base: Currency,
        currencies: Vec<Currency>,
        locations: Vec<Location>,
        categories: Vec<Category>,
    ) -> Self {
        let others = currencies.into_iter().filter(|currency| *currency != base);
        let others: Vec<Currency> = others.collect();
        Self {
            base,
            columns: columns(base, &others, locations.len()),
            locations,
            paths: paths(&categories),
        }
    }

    pub(super) fn header(&self) -> Vec<String> {
        let names: Vec<String> = self.locations.iter().map(|l| l.name.clone()).collect();
        let name = |column: &Column| column.name(self.base, &names);
        self.columns.iter().map(name).collect()
    }

    pub(super) fn lines<'a>(
        &'a self,
        product: &'a Product,
        stock: &'a Stock,
    ) -> impl Iterator<Item = Vec<String>> + 'a {
        let count = product.variants.len().max(product.images.len());
        (0..count).map(move |place| {
            let line = Line {
                product,
                stock,
                place,
                variant: product.variants.get(place),
                image: product.images.get(place),
            };
            let cell = |column: &Column| self.cell(*column, &line).trim().to_owned();
            self.columns.iter().map(cell).collect()
        })
    }

    fn cell(&self, column: Column, line: &Line<'_>) -> String {
        match column {
            Column::Handle => line.product.slug.clone(),
            Column::ImageUrl => line
                .image
                .map_or_else(String::new, |image| image.url.clone()),
            Column::ImageAlt => line
                .image
                .map_or_else(String::new, |image| image.alt.clone()),
            Column::ImagePosition => {
                let position = line.image.map(|_| (line.place + 1).to_string());
                position.unwrap_or_default()
            }
            column if column.of_variant() => {
                let cell = |variant| self.variant_cell(column, line, variant);
                line.variant.map(cell).unwrap_or_default()
            }
            column if line.place == 0 => self.product_cell(column, line.product),
            _ => String::new(),
        }
    }

    fn product_cell(&self, column: Column, product: &Product) -> String {
        match column {
            Column::Title => product.title.clone(),
            Column::Description => product.description.clone(),
            Column::Vendor => product.vendor.clone().unwrap_or_default(),
            Column::Category => {
                let paths = product
                    .category_ids
                    .iter()
                    .filter_map(|id| self.paths.get(id));
                let cell = category_path::write(&paths.cloned().collect::<Vec<_>>());
                category_path::write(&category_path::read(&cell))
            }
            Column::Tags => cells::tags(&product.tags.join(",")).join(", "),
            Column::Published => (product.status == ProductStatus::Active).to_string(),
            Column::Status => product.status.to_string(),
            Column::OptionName(0) if product.options.is_empty() => NO_OPTION.0.to_owned(),
            Column::OptionName(place) => {
                let option = product.options.get(place);
                option.map_or_else(String::new, |option| option.name.clone())
            }
            _ => String::new(),
        }
    }

    fn variant_cell(&self, column: Column, line: &Line<'_>, variant: &Variant) -> String {
        let price = |currency| {
            variant
                .prices
                .iter()
                .find(move |price| price.currency == currency)
        };
        let counted = variant.inventory != InventoryMode::None;
        match column {
            Column::OptionValue(0) if line.product.options.is_empty() => NO_OPTION.1.to_owned(),
            Column::OptionValue(place) => {
                let option = line.product.options.get(place);
                let value = option.and_then(|option| variant.options.get(&option.name));
                value.cloned().unwrap_or_default()
            }
            Column::Sku => variant.sku.clone(),
            Column::Grams => text(variant.weight_grams),
            Column::Barcode => variant.barcode.clone().unwrap_or_default(),
            Column::RequiresShipping => variant.requires_shipping.to_string(),
            Column::Tracker => cells::tracker_text(variant.inventory).to_owned(),
            Column::Policy => cells::policy_text(variant.backorder).to_owned(),
            Column::Price(currency) => {
                let amount = price(currency).map(|price| amount::decimal(price.amount, currency));
                amount.unwrap_or_default()
            }
            Column::CompareAt(currency) => {
                let compare_at = |price: &Price| price.compare_at;
                let amount = price(currency).and_then(compare_at);
                amount.map_or_else(String::new, |amount| amount::decimal(amount, currency))
            }
            Column::Quantity if counted => {
                let all = self.locations.iter();
                text(Some(
                    all.map(|location| line.on_hand(variant, location)).sum(),
                ))
            }
            Column::QuantityAt(place) if counted => {
                text(Some(line.on_hand(variant, &self.locations[place])))
            }
            _ => String::new(),
        }
    }
}

impl Line<'_> {
    /// What was sold beyond what was there is not there.
    fn on_hand(&self, variant: &Variant, location: &Location) -> i64 {
        let on_hand = self.stock.get(&(variant.id, location.id));
        on_hand.copied().unwrap_or_default().max(0)
    }
}

fn text(number: Option<i64>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

/// In the order in which Shopify writes them; what it does not know comes last.
fn columns(base: Currency, others: &[Currency], locations: usize) -> Vec<Column> {
    let mut columns = vec![
        Column::Handle,
        Column::Title,
        Column::Description,
        Column::Vendor,
        Column::Category,
        Column::Tags,
        Column::Published,
    ];
    for place in 0..MOST_OPTIONS {
        columns.extend([Column::OptionName(place), Column::OptionValue(place)]);
    }
    columns.extend([
        Column::Sku,
        Column::Grams,
        Column::Tracker,
        Column::Quantity,
        Column::Policy,
        Column::Price(base),
        Column::CompareAt(base),
        Column::RequiresShipping,
        Column::Barcode,
        Column::ImageUrl,
        Column::ImagePosition,
        Column::ImageAlt,
    ]);
    for currency in others {
        columns.extend([Column::Price(*currency), Column::CompareAt(*currency)]);
    }
    columns.push(Column::Status);
    columns.extend((0..locations).map(Column::QuantityAt));
    columns
}

/// The path of each category.
fn paths(categories: &[Category]) -> BTreeMap<CategoryId, CategoryPath> {
    let known: BTreeMap<CategoryId, &Category> = categories.iter().map(|c| (c.id, c)).collect();
    let path = |category: &Category| {
        let mut path = vec![category.name.trim().to_owned()];
        let mut above = category.parent_id;
        while let Some(parent) = above.and_then(|id| known.get(&id)) {
            path.push(parent.name.trim().to_owned());
            above = parent.parent_id;
        }
        path.reverse();
        (category.id, path)
    };
    categories.iter().map(path).collect()
}
