//! What columns say, and what they are called.

use kernel::Currency;

/// What a column says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Column {
    Handle,
    Title,
    Description,
    Vendor,
    Category,
    Type,
    Tags,
    Published,
    OptionName(usize),
    OptionValue(usize),
    Sku,
    Grams,
    Tracker,
    /// At the first location.
    Quantity,
    Policy,
    Price(Currency),
    CompareAt(Currency),
    RequiresShipping,
    Barcode,
    ImageUrl,
    ImagePosition,
    ImageAlt,
    Status,
    /// At a location that the file names.
    QuantityAt(usize),
}

/// The names that Shopify has given columns: the one that we write first, then the newer one.
pub(super) const NAMES: &[(Column, &[&str])] = &[
    (Column::Handle, &["Handle", "URL handle"]),
    (Column::Title, &["Title"]),
    (Column::Description, &["Body (HTML)", "Description"]),
    (Column::Vendor, &["Vendor"]),
    (Column::Category, &["Product Category"]),
    (Column::Type, &["Type"]),
    (Column::Tags, &["Tags"]),
    (
        Column::Published,
        &["Published", "Published on online store"],
    ),
    (Column::OptionName(0), &["Option1 Name"]),
    (Column::OptionValue(0), &["Option1 Value"]),
    (Column::OptionName(1), &["Option2 Name"]),
    (Column::OptionValue(1), &["Option2 Value"]),
    (Column::OptionName(2), &["Option3 Name"]),
    (Column::OptionValue(2), &["Option3 Value"]),
    (Column::Sku, &["Variant SKU", "SKU"]),
    (Column::Grams, &["Variant Grams", "Weight value (grams)"]),
    (
        Column::Tracker,
        &["Variant Inventory Tracker", "Inventory tracker"],
    ),
    (
        Column::Quantity,
        &["Variant Inventory Qty", "Inventory quantity"],
    ),
    (
        Column::Policy,
        &[
            "Variant Inventory Policy",
            "Continue selling when out of stock",
        ],
    ),
    (
        Column::RequiresShipping,
        &["Variant Requires Shipping", "Requires shipping"],
    ),
    (Column::Barcode, &["Variant Barcode", "Barcode"]),
    (Column::ImageUrl, &["Image Src", "Product image URL"]),
    (Column::ImagePosition, &["Image Position"]),
    (Column::ImageAlt, &["Image Alt Text"]),
    (Column::Status, &["Status"]),
];
const PRICE: &[&str] = &["Variant Price", "Price"];
const COMPARE_AT: &[&str] = &["Variant Compare At Price", "Compare-at price"];
const PRICE_IN: &[&str] = &["Price /"];
const COMPARE_AT_IN: &[&str] = &["Compare At Price /", "Compare-at price /"];
const QUANTITY_AT: &[&str] = &["Inventory Qty /"];
const INCLUDED: &[&str] = &["Included /"];

impl Column {
    /// What the files that we write call the column.
    pub(crate) fn name(self, base: Currency, locations: &[String]) -> String {
        match self {
            Self::Price(currency) if currency == base => PRICE[0].to_owned(),
            Self::Price(currency) => format!("{} {currency}", PRICE_IN[0]),
            Self::CompareAt(currency) if currency == base => COMPARE_AT[0].to_owned(),
            Self::CompareAt(currency) => format!("{} {currency}", COMPARE_AT_IN[0]),
            Self::QuantityAt(index) => format!("{} {}", QUANTITY_AT[0], locations[index]),
            other => {
                let named = NAMES.iter().find(|(column, _)| *column == other);
                named.map_or_else(String::new, |(_, names)| names[0].to_owned())
            }
        }
    }

    /// Whether it says something of a variant, so that a line with it has one.
    pub(crate) fn of_variant(self) -> bool {
        matches!(
            self,
            Self::OptionValue(_)
                | Self::Sku
                | Self::Grams
                | Self::Tracker
                | Self::Quantity
                | Self::Policy
                | Self::Price(_)
                | Self::CompareAt(_)
                | Self::RequiresShipping
                | Self::Barcode
                | Self::QuantityAt(_)
        )
    }
}

/// What a name of a column stands for.
pub(super) enum Named<'a> {
    Column(Column),
    /// How many lie at a location.
    Location(&'a str),
    /// Whether a market has the product; here that is whether it has a price.
    Included,
    Unknown,
}

/// What the name of a column stands for; `base` is the currency where it names none.
pub(super) fn named(name: &str, base: Currency) -> Named<'_> {
    let is = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    // Markets that are not called after a currency are none of ours.
    let currency = |prefixes| after(prefixes, name)?.parse::<Currency>().ok();
    if let Some((column, _)) = NAMES.iter().find(|(_, names)| is(names)) {
        Named::Column(*column)
    } else if is(PRICE) {
        Named::Column(Column::Price(base))
    } else if is(COMPARE_AT) {
        Named::Column(Column::CompareAt(base))
    } else if let Some(currency) = currency(PRICE_IN) {
        Named::Column(Column::Price(currency))
    } else if let Some(currency) = currency(COMPARE_AT_IN) {
        Named::Column(Column::CompareAt(currency))
    } else if let Some(location) = after(QUANTITY_AT, name) {
        Named::Location(location)
    } else if after(INCLUDED, name).is_some() {
        Named::Included
    } else {
        Named::Unknown
    }
}

/// What follows one of the prefixes in a name.
fn after<'a>(prefixes: &[&str], name: &'a str) -> Option<&'a str> {
    prefixes.iter().find_map(|prefix| {
        let (head, rest) = name.split_at_checked(prefix.len())?;
        head.eq_ignore_ascii_case(prefix).then(|| rest.trim())
    })
}
