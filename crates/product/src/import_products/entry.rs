//! What the lines of one product say: text that was read, and not yet put to what is there.

use kernel::Currency;

use super::line::Line;
use crate::category::DEEPEST;
use crate::model::ProductStatus;
use crate::rules::{MOST_CATEGORIES, MOST_IMAGES, MOST_OPTIONS, MOST_VARIANTS};
use crate::sheet::Column;
use crate::sheet::category_path::{self, CategoryPath};
use crate::sheet::cells::{self, NO_OPTION, Tracker};

const LONGEST_CATEGORY: usize = 100;

/// What a column says: nothing if the file has no such column, nothing within if it is empty.
pub(super) type Cell<T> = Option<Option<T>>;

/// What the file says of a product. What it says nothing of stays as it is.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) handle: String,
    /// The first line.
    pub(super) line: u64,
    /// How much of the file it takes.
    pub(super) bytes: usize,
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) vendor: Cell<String>,
    pub(super) status: Option<ProductStatus>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) categories: Option<Vec<CategoryPath>>,
    /// The names of its options; empty if it has none.
    pub(super) options: Option<Vec<String>>,
    pub(super) images: Option<Vec<ImageLine>>,
    pub(super) variants: Option<Vec<VariantLine>>,
}

/// What a line says of an image.
#[derive(Debug)]
pub(super) struct ImageLine {
    pub(super) line: u64,
    pub(super) url: String,
    pub(super) alt: Option<String>,
    pub(super) position: Option<i64>,
}

/// What a line says of a variant.
#[derive(Debug)]
pub(super) struct VariantLine {
    pub(super) line: u64,
    /// Nothing also if the cell is empty.
    pub(super) sku: Option<String>,
    /// Its value of each option, in the order of their columns.
    pub(super) values: Vec<String>,
    pub(super) prices: Vec<PriceCells>,
    pub(super) tracker: Option<Tracker>,
    pub(super) backorder: Option<bool>,
    pub(super) requires_shipping: Option<bool>,
    pub(super) grams: Cell<i64>,
    pub(super) barcode: Cell<String>,
    /// How many lie where.
    pub(super) stock: Vec<(Place, i64)>,
}

/// What a line says of the price in one currency.
#[derive(Debug, Clone, Copy)]
pub(super) struct PriceCells {
    pub(super) currency: Currency,
    pub(super) amount: Option<i64>,
    pub(super) compare_at: Cell<i64>,
}

/// Where stock lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Where goods lie unless it is said.
    First,
    /// At the location that the file names in this place.
    Named(usize),
}

impl Place {
    /// The column that says how many lie there.
    pub(super) fn column(self) -> Column {
        match self {
            Self::First => Column::Quantity,
            Self::Named(index) => Column::QuantityAt(index),
        }
    }
}

impl Entry {
    /// What the first line says of the product itself.
    pub(super) fn begin(handle: &str, line: &mut Line<'_>) -> Self {
        let has = |column| line.columns().has(column);
        let images = has(Column::ImageUrl).then(Vec::new);
        let variants = line.columns().has_variants().then(Vec::new);
        Self {
            handle: handle.to_owned(),
            line: line.number(),
            bytes: 0,
            title: line.text(Column::Title),
            description: line.text(Column::Description),
            vendor: line.optional(Column::Vendor),
            status: status(line),
            tags: line.text(Column::Tags).as_deref().map(cells::tags),
            categories: categories(line),
            options: options(line),
            images,
            variants,
        }
    }

    /// What a line, also the first one, says of a variant and of an image.
    pub(super) fn add(&mut self, line: &mut Line<'_>) {
        let first = line.number() == self.line;
        if let Some(variants) = &mut self.variants
            && (first || line.says(Column::of_variant))
        {
            if variants.len() == MOST_VARIANTS {
                let reason = format!("a product has at most {MOST_VARIANTS} variants");
                return line.give_up(None, reason);
            }
            variants.push(variant(line));
            check_values(line, self.options.as_deref());
        }
        let Some(images) = &mut self.images else {
            return;
        };
        if let Some(url) = line.optional(Column::ImageUrl).flatten() {
            if images.len() == MOST_IMAGES {
                let reason = format!("a product has at most {MOST_IMAGES} images");
                return line.give_up(Some(Column::ImageUrl), reason);
            }
            images.push(ImageLine {
                line: line.number(),
                url,
                alt: line.text(Column::ImageAlt),
                position: line.parse(Column::ImagePosition, cells::position).flatten(),
            });
        }
    }

    /// Puts the images in the order of their positions.
    pub(super) fn finish(&mut self) {
        if let Some(images) = &mut self.images {
            images.sort_by_key(|image| image.position.unwrap_or(i64::MAX));
        }
    }
}

/// Not published means not in the shop, whatever else is said.
fn status(line: &mut Line<'_>) -> Option<ProductStatus> {
    let status = line.parse(Column::Status, cells::status).flatten();
    let published = line.parse(Column::Published, cells::flag).flatten();
    match (status, published) {
        (Some(ProductStatus::Active), Some(false)) | (None, Some(false)) => {
            Some(ProductStatus::Draft)
        }
        (None, Some(true)) => Some(ProductStatus::Active),
        (status, _) => status,
    }
}

/// The category, or else the type.
fn categories(line: &mut Line<'_>) -> Option<Vec<CategoryPath>> {
    let columns = [Column::Category, Column::Type];
    let there = columns
        .into_iter()
        .filter(|column| line.columns().has(*column));
    let there: Vec<Column> = there.collect();
    let full = there.iter().find(|column| line.says(|c| c == **column));
    let column = *full.or(there.first())?;
    let paths = category_path::read(&line.text(column)?);
    if paths.len() > MOST_CATEGORIES {
        line.reject(
            column,
            format!("a product is in at most {MOST_CATEGORIES} categories"),
        );
    }
    let deepest = usize::try_from(DEEPEST).unwrap_or(usize::MAX);
    if paths.iter().any(|path| path.len() > deepest) {
        line.reject(column, format!("categories may lie {DEEPEST} levels deep"));
    }
    let odd = |name: &String| {
        name.chars().count() > LONGEST_CATEGORY || name.chars().any(char::is_control)
    };
    if paths.iter().flatten().any(odd) {
        let reason = format!("the name of a category has at most {LONGEST_CATEGORY} characters");
        line.reject(column, reason);
    }
    Some(paths)
}

fn options(line: &mut Line<'_>) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for option in 0..MOST_OPTIONS {
        let column = Column::OptionName(option);
        let name = line.optional(column);
        if option == 0 {
            name.as_ref()?;
        }
        match name.flatten() {
            Some(name) if names.len() == option => names.push(name),
            Some(_) => line.reject(column, String::from("the option before it has no name")),
            None => {}
        }
    }
    let value = line.text(Column::OptionValue(0)).unwrap_or_default();
    if names == [NO_OPTION.0] && (value.is_empty() || value == NO_OPTION.1) {
        names.clear();
    }
    Some(names)
}

fn variant(line: &mut Line<'_>) -> VariantLine {
    let value = |option| line.text(Column::OptionValue(option)).unwrap_or_default();
    let values = (0..MOST_OPTIONS).map(value).collect();
    let currencies: Vec<Currency> = line.columns().currencies().collect();
    VariantLine {
        line: line.number(),
        sku: line.optional(Column::Sku).flatten(),
        values,
        prices: currencies
            .into_iter()
            .map(|currency| price(line, currency))
            .collect(),
        tracker: line.text(Column::Tracker).as_deref().map(cells::tracker),
        backorder: line.parse(Column::Policy, cells::policy).flatten(),
        requires_shipping: line.parse(Column::RequiresShipping, cells::flag).flatten(),
        grams: line.parse(Column::Grams, cells::grams),
        barcode: line.optional(Column::Barcode),
        stock: stock(line),
    }
}

/// Every value belongs to an option that the first line names.
fn check_values(line: &mut Line<'_>, options: Option<&[String]>) {
    let Some(options) = options else { return };
    for option in options.len()..MOST_OPTIONS {
        let column = Column::OptionValue(option);
        let value = line.text(column).unwrap_or_default();
        let none = option == 0 && value == NO_OPTION.1;
        if !value.is_empty() && !none {
            let reason = String::from("the first line of the product does not name this option");
            line.reject(column, reason);
        }
    }
}

fn price(line: &mut Line<'_>, currency: Currency) -> PriceCells {
    let amount = line.amount(Column::Price(currency), currency).flatten();
    let compare_at = line.amount(Column::CompareAt(currency), currency);
    if amount.is_none() && line.says(|column| column == Column::CompareAt(currency)) {
        let reason = String::from("there is no price beside it");
        line.reject(Column::CompareAt(currency), reason);
    }
    PriceCells {
        currency,
        amount,
        compare_at,
    }
}

/// Where locations have columns of their own, the one without a location is their sum.
fn stock(line: &mut Line<'_>) -> Vec<(Place, i64)> {
    let locations = line.columns().locations().len();
    let mut places: Vec<Place> = (0..locations).map(Place::Named).collect();
    if places.is_empty() {
        places.push(Place::First);
    }
    let count = |place: Place| {
        let quantity = line.parse(place.column(), cells::quantity).flatten()?;
        Some((place, quantity))
    };
    places.into_iter().filter_map(count).collect()
}
