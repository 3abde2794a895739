//! What is known of a product in the index.

use std::collections::HashSet;

use contracts::product::CategoryId;
use kernel::{Currency, Id};
use serde::Deserialize;
use uuid::Uuid;

use super::plain::plain;
use super::price::Band;
use super::words::{keep, whole};
use crate::model::name_key;
use crate::store::search::Indexable;

/// A product as the index takes it: words and keys, ready to be compared.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: Uuid,
    /// The words of the title.
    pub(super) title: String,
    /// The words of what it is filed under: tags, vendor, categories.
    pub(super) labels: String,
    /// The words of the description.
    pub(super) description: String,
    /// What is compared as a whole: title, SKUs, barcodes.
    pub(super) whole: Vec<String>,
    pub(super) categories: Vec<CategoryId>,
    pub(super) vendor: Option<String>,
    pub(super) tags: Vec<String>,
    /// The lowest price in each currency, as [`Band`] numbers it.
    pub(super) prices: Vec<u64>,
    pub(super) in_stock: bool,
    /// Microseconds.
    pub(super) created_at: u64,
    /// As lists by name sort it.
    pub(super) name_key: String,
}

/// What is read of the document that is kept of a product.
#[derive(Deserialize)]
struct Document {
    title: String,
    description: String,
    vendor: Option<String>,
    tags: Vec<String>,
    variants: Vec<Variant>,
}

#[derive(Deserialize)]
struct Variant {
    sku: String,
    barcode: Option<String>,
    prices: Vec<Price>,
}

#[derive(Deserialize)]
struct Price {
    amount: i64,
    currency: Currency,
}

impl Entry {
    /// Makes an entry of what is kept of a product and of the categories that it lies in and below.
    pub(super) fn of(
        product: &Indexable,
        categories: &[(CategoryId, String)],
    ) -> Result<Self, serde_json::Error> {
        let document: Document = serde_json::from_str(product.document.as_str())?;
        let names = categories.iter().map(|(_, name)| name);
        let labels = document.tags.iter().chain(&document.vendor).chain(names);
        let codes = document
            .variants
            .iter()
            .flat_map(|v| [Some(&v.sku), v.barcode.as_ref()]);
        let codes = codes.flatten().chain([&document.title]);
        Ok(Self {
            id: product.id.uuid(),
            title: words([&document.title]),
            labels: words(labels),
            description: words([&plain(&document.description)]),
            whole: codes
                .map(|code| whole(code))
                .collect::<HashSet<_>>()
                .into_iter()
                .collect(),
            prices: lowest(&document.variants),
            categories: categories.iter().map(|(id, _)| *id).collect(),
            name_key: name_key(&document.title),
            vendor: document.vendor,
            tags: document.tags,
            in_stock: product.in_stock,
            created_at: u64::try_from(product.created_at.micros()).unwrap_or(0),
        })
    }
}

/// All words of the texts.
fn words<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    let mut words = String::new();
    for text in texts {
        keep(text.as_ref(), &mut words);
    }
    words
}

fn lowest(variants: &[Variant]) -> Vec<u64> {
    let mut lowest = std::collections::BTreeMap::new();
    for price in variants.iter().flat_map(|variant| &variant.prices) {
        let least = lowest.entry(price.currency.code()).or_insert(price);
        if price.amount < least.amount {
            *least = price;
        }
    }
    let numbers = lowest
        .into_values()
        .map(|price| Band::of(price.currency).number(price.amount));
    numbers.collect()
}

#[cfg(test)]
mod tests {
    use kernel::Timestamp;

    use super::*;
    use crate::document::Blank;
    use crate::model::ProductStatus;
    use crate::model::tests::{mug, price};

    #[test]
    fn an_entry_holds_what_is_looked_for() {
        let mut product = mug();
        product.title = String::from("Blue Mug");
        product.description = String::from("<b>Blue</b> glaze, blue inside");
        product.vendor = Some(String::from("Filatura"));
        product.tags = vec![String::from("Kitchen ware")];
        product.variants[0].barcode = Some(String::from("40 06381"));
        let mut cheap = product.variants[0].clone();
        cheap.prices = vec![price(900, Currency::EUR), price(1100, Currency::USD)];
        product.variants.push(cheap);
        let category = CategoryId::from_uuid(Uuid::from_u128(7));
        let stored = Indexable {
            id: product.id,
            status: ProductStatus::Active,
            in_stock: true,
            created_at: Timestamp::from_micros(5),
            document: Blank::product(&product),
        };
        let entry = Entry::of(&stored, &[(category, String::from("Étagères"))]).expect("readable");
        assert_eq!(entry.title, "blue mug ");
        assert_eq!(entry.labels, "kitchen ware filatura etageres ");
        assert_eq!(entry.description, "blue glaze blue inside ");
        let mut whole = entry.whole.clone();
        whole.sort();
        assert_eq!(whole, ["40 06381", "blue mug", "mug"]);
        assert_eq!(entry.prices.len(), 2);
        assert!(entry.prices.contains(&Band::of(Currency::EUR).number(900)));
        assert_eq!(entry.categories, [category]);
    }
}
