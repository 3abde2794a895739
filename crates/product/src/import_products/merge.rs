//! Puts what the file says to what is there: the product that comes of both.

use std::collections::BTreeMap;

use contracts::product::{InventoryMode, VariantId};
use kernel::{FieldError, Sources, Timestamp};

use super::entry::{Entry, ImageLine, PriceCells, VariantLine};
use super::report::Rejection;
use crate::create_product::NewVariant;
use crate::model::{Image, Price, Product, ProductOption, ProductStatus, Variant};
use crate::sheet::category_path;
use crate::sheet::cells::Tracker;
use crate::sheet::{Column, Columns};

impl Entry {
    /// The product as the file wants it; its categories are not looked at.
    pub(super) fn product(
        &self,
        was: Option<&Product>,
        sources: &Sources,
        now: Timestamp,
    ) -> Product {
        let mut is = was.cloned().unwrap_or_else(|| self.blank(sources, now));
        set(&mut is.title, self.title.clone());
        set(&mut is.description, self.description.clone());
        set(&mut is.vendor, self.vendor.clone());
        set(&mut is.status, self.status);
        set(&mut is.tags, self.tags.clone());
        if let Some(images) = &self.images {
            is.images = images.iter().map(|image| image.merge(&is.images)).collect();
        }
        let none = [self.lone_variant()];
        let lines = match (&self.variants, was) {
            (Some(lines), _) => lines.as_slice(),
            (None, None) => &none,
            (None, Some(_)) => &[],
        };
        if !lines.is_empty() {
            let names = self.option_names(was);
            let variants = self.variants(lines, &names, &is.variants, sources);
            is.options = options(&names, &variants, &is);
            is.variants = variants;
        }
        is.derive_titles();
        if was.is_none() {
            is.begin_stock();
        }
        is
    }

    fn blank(&self, sources: &Sources, now: Timestamp) -> Product {
        Product {
            id: sources.id(),
            slug: self.handle.clone(),
            title: String::new(),
            description: String::new(),
            vendor: None,
            status: ProductStatus::Active,
            tags: Vec::new(),
            category_ids: Vec::new(),
            images: Vec::new(),
            options: Vec::new(),
            variants: Vec::new(),
            version: 1,
            created_at: now,
            updated_at: now,
            in_stock: false,
        }
    }

    /// What a new product has of which the file says nothing but its name.
    fn lone_variant(&self) -> VariantLine {
        VariantLine {
            line: self.line,
            sku: None,
            values: Vec::new(),
            prices: Vec::new(),
            tracker: None,
            backorder: None,
            requires_shipping: None,
            grams: None,
            barcode: None,
            stock: Vec::new(),
        }
    }

    fn option_names(&self, was: Option<&Product>) -> Vec<String> {
        let known = || was.map(|was| was.options.iter().map(|option| option.name.clone()));
        match &self.options {
            Some(names) => names.clone(),
            None => known().into_iter().flatten().collect(),
        }
    }

    /// A line is about the variant with its SKU, or else about the one with its options. Without
    /// an SKU it is about the one that it would give the same, whatever the options are called.
    fn variants(
        &self,
        lines: &[VariantLine],
        names: &[String],
        were: &[Variant],
        sources: &Sources,
    ) -> Vec<Variant> {
        let by_sku = |line: &VariantLine| {
            let sku = line.sku.as_ref()?;
            were.iter().find(|variant| variant.sku == *sku)
        };
        let mut left: BTreeMap<VariantId, &Variant> = were.iter().map(|v| (v.id, v)).collect();
        for known in lines.iter().filter_map(by_sku) {
            left.remove(&known.id);
        }
        let mut variants = Vec::with_capacity(lines.len());
        for line in lines {
            let options = line.options(names);
            let alike = |variant: &&&Variant| match &options {
                Some(options) => variant.options == *options,
                None => were.len() == 1 && lines.len() == 1,
            };
            let sku = line.sku.clone().unwrap_or_else(|| self.sku(line));
            let known = by_sku(line)
                .or_else(|| left.values().find(alike).copied())
                .or_else(|| left.values().find(|variant| variant.sku == sku).copied());
            if let Some(known) = known {
                left.remove(&known.id);
            }
            let known = known.cloned();
            let fresh = || NewVariant::with_sku(sku).into_variant(sources);
            variants.push(line.merge(known.unwrap_or_else(fresh), options));
        }
        variants
    }

    /// An SKU for a variant that comes without one.
    fn sku(&self, line: &VariantLine) -> String {
        let values = line.values.iter().filter(|value| !value.is_empty());
        let values = values.filter(|_| self.options.as_ref().is_none_or(|names| !names.is_empty()));
        let parts = values.map(|value| category_path::slug(value));
        let parts: Vec<String> = std::iter::once(self.handle.clone()).chain(parts).collect();
        parts.join("-").to_ascii_uppercase()
    }

    /// Where in the file it is that breaks a rule.
    pub(super) fn rejection(
        &self,
        columns: &Columns,
        product: &Product,
        error: FieldError,
    ) -> Rejection {
        let steps: Vec<&str> = error.pointer.split('/').skip(1).collect();
        let index = |step: &str| step.parse::<usize>().unwrap_or(usize::MAX);
        let mut line = self.line;
        let column = match steps[..] {
            ["variants", variant, ref rest @ ..] => {
                let variant = index(variant);
                let lines = self.variants.as_deref().unwrap_or_default();
                line = lines.get(variant).map_or(line, |found| found.line);
                variant_column(rest, product.variants.get(variant))
            }
            ["images", image, ref rest @ ..] => {
                let lines = self.images.as_deref().unwrap_or_default();
                line = lines.get(index(image)).map_or(line, |found| found.line);
                let alt = rest == ["alt"];
                Some(if alt {
                    Column::ImageAlt
                } else {
                    Column::ImageUrl
                })
            }
            ["options", option, "name"] => Some(Column::OptionName(index(option))),
            ["options", option, ..] => Some(Column::OptionValue(index(option))),
            ["slug", ..] => Some(Column::Handle),
            ["title", ..] => Some(Column::Title),
            ["description", ..] => Some(Column::Description),
            ["vendor", ..] => Some(Column::Vendor),
            ["tags", ..] => Some(Column::Tags),
            _ => None,
        };
        Rejection {
            line,
            column: column.and_then(|column| columns.name(column)),
            handle: Some(self.handle.clone()),
            reason: error.detail,
        }
    }
}

fn variant_column(steps: &[&str], variant: Option<&Variant>) -> Option<Column> {
    Some(match steps {
        ["prices", price, rest @ ..] => {
            let index: usize = price.parse().ok()?;
            let currency = variant?.prices.get(index)?.currency;
            match rest {
                ["compare_at"] => Column::CompareAt(currency),
                _ => Column::Price(currency),
            }
        }
        ["options", ..] => Column::OptionValue(0),
        ["weight_grams"] => Column::Grams,
        ["barcode"] => Column::Barcode,
        // An SKU that is there twice is the variant's own fault.
        _ => Column::Sku,
    })
}

/// The options with the values that variants have, in the order in which they were offered before.
fn options(names: &[String], is: &[Variant], was: &Product) -> Vec<ProductOption> {
    let option = |name: &String| {
        let used = |variants: &[Variant], value: &String| {
            variants
                .iter()
                .any(|variant| variant.options.get(name) == Some(value))
        };
        let before = was.options.iter().find(|option| option.name == *name);
        let mut values = before
            .map(|option| option.values.clone())
            .unwrap_or_default();
        // What no variant has had is offered for a reason that the file does not know.
        values.retain(|value| used(is, value) || !used(&was.variants, value));
        for value in is.iter().filter_map(|variant| variant.options.get(name)) {
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
        ProductOption {
            name: name.clone(),
            values,
        }
    };
    names.iter().map(option).collect()
}

impl VariantLine {
    /// Its values by the names of the options; nothing if the file does not say.
    fn options(&self, names: &[String]) -> Option<BTreeMap<String, String>> {
        let pairs = names.iter().cloned().zip(self.values.iter().cloned());
        let pairs: BTreeMap<String, String> =
            pairs.filter(|(_, value)| !value.is_empty()).collect();
        (!pairs.is_empty() || names.is_empty()).then_some(pairs)
    }

    fn merge(&self, mut variant: Variant, options: Option<BTreeMap<String, String>>) -> Variant {
        set(&mut variant.sku, self.sku.clone());
        set(&mut variant.options, options);
        for price in &self.prices {
            price.merge(&mut variant.prices);
        }
        match self.tracker {
            Some(Tracker::Mode(mode)) => variant.inventory = mode,
            Some(Tracker::Counted) if variant.inventory == InventoryMode::None => {
                variant.inventory = InventoryMode::ReserveOnOrder;
            }
            Some(Tracker::Counted) | None => {}
        }
        set(&mut variant.backorder, self.backorder);
        set(&mut variant.requires_shipping, self.requires_shipping);
        set(&mut variant.weight_grams, self.grams);
        set(&mut variant.barcode, self.barcode.clone());
        variant
    }
}

impl PriceCells {
    fn merge(&self, prices: &mut Vec<Price>) {
        let place = prices
            .iter()
            .position(|price| price.currency == self.currency);
        let Some(amount) = self.amount else {
            prices.retain(|price| price.currency != self.currency);
            return;
        };
        let before = place.and_then(|place| prices[place].compare_at);
        let price = Price {
            amount,
            currency: self.currency,
            compare_at: self.compare_at.unwrap_or(before),
        };
        match place {
            Some(place) => prices[place] = price,
            None => prices.push(price),
        }
    }
}

impl ImageLine {
    fn merge(&self, were: &[Image]) -> Image {
        let before = || were.iter().find(|image| image.url == self.url);
        let alt = self
            .alt
            .clone()
            .or_else(|| before().map(|image| image.alt.clone()));
        Image {
            url: self.url.clone(),
            alt: alt.unwrap_or_default(),
        }
    }
}

fn set<T>(field: &mut T, says: Option<T>) {
    if let Some(value) = says {
        *field = value;
    }
}
