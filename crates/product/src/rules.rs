//! The rules that a product keeps, however it came to be: created, changed or imported.

use std::collections::BTreeSet;
use std::hash::Hash;

use kernel::{Validate, Violations};

use crate::model::{Image, Price, Product, ProductOption, Variant};

pub(crate) const MOST_VARIANTS: usize = 100;
pub(crate) const MOST_OPTIONS: usize = 3;
pub(crate) const MOST_OPTION_VALUES: usize = 250;
pub(crate) const MOST_IMAGES: usize = 50;
pub(crate) const MOST_TAGS: usize = 50;
pub(crate) const MOST_CATEGORIES: usize = 20;
pub(crate) const MOST_PRICES: usize = 20;
const LONGEST_DESCRIPTION: usize = 20_000;
const LONGEST_URL: usize = 2_000;
/// Ten thousand million euros: a line of a million pieces still fits 64 bits.
pub(crate) const HIGHEST_PRICE: i64 = 1_000_000_000_000;
const HEAVIEST: i64 = 1_000_000_000;

impl Validate for Product {
    fn validate(&self, violations: &mut Violations) {
        violations.slug("slug", &self.slug);
        violations.text("title", &self.title, 1..=200);
        violations.prose("description", &self.description, 0..=LONGEST_DESCRIPTION);
        if let Some(vendor) = &self.vendor {
            violations.text("vendor", vendor, 1..=100);
        }
        list(violations, "tags", &self.tags, MOST_TAGS, |v, tag| {
            v.text("", tag, 1..=50);
        });
        distinct(violations, "tags", &self.tags);
        let most = "at most 20 elements";
        violations.require(
            self.category_ids.len() <= MOST_CATEGORIES,
            "category_ids",
            most,
        );
        distinct(violations, "category_ids", &self.category_ids);
        violations.each("images", &self.images, MOST_IMAGES);
        violations.each("options", &self.options, MOST_OPTIONS);
        let names: Vec<&str> = self.options.iter().map(|o| o.name.as_str()).collect();
        distinct(violations, "options", &names);
        violations.each("variants", &self.variants, MOST_VARIANTS);
        variants(violations, self);
    }
}

impl Validate for Image {
    fn validate(&self, violations: &mut Violations) {
        violations.text("url", &self.url, 1..=LONGEST_URL);
        violations.require(
            is_address(&self.url),
            "url",
            "expected an https or http address, or a path",
        );
        violations.text("alt", &self.alt, 0..=500);
    }
}

impl Validate for ProductOption {
    fn validate(&self, violations: &mut Violations) {
        violations.text("name", &self.name, 1..=50);
        violations.require(!self.values.is_empty(), "values", "at least one element");
        list(
            violations,
            "values",
            &self.values,
            MOST_OPTION_VALUES,
            |v, value| v.text("", value, 1..=100),
        );
        distinct(violations, "values", &self.values);
    }
}

impl Validate for Variant {
    fn validate(&self, violations: &mut Violations) {
        violations.text("sku", &self.sku, 1..=100);
        violations.each("prices", &self.prices, MOST_PRICES);
        let currencies: Vec<_> = self.prices.iter().map(|price| price.currency).collect();
        distinct(violations, "prices", &currencies);
        if let Some(grams) = self.weight_grams {
            let bounds = "expected 0 to 1000000000";
            violations.require((0..=HEAVIEST).contains(&grams), "weight_grams", bounds);
        }
        if let Some(barcode) = &self.barcode {
            violations.text("barcode", barcode, 1..=50);
        }
    }
}

impl Validate for Price {
    fn validate(&self, violations: &mut Violations) {
        let bounds = "expected 0 to 1000000000000";
        let within = 0..=HIGHEST_PRICE;
        violations.require(within.contains(&self.amount), "amount", bounds);
        if let Some(compare_at) = self.compare_at {
            violations.require(within.contains(&compare_at), "compare_at", bounds);
            violations.require(
                compare_at > self.amount,
                "compare_at",
                "must be higher than amount",
            );
        }
    }
}

/// What holds between the variants and the options of a product.
fn variants(violations: &mut Violations, product: &Product) {
    violations.require(
        !product.variants.is_empty(),
        "variants",
        "at least one element",
    );
    let skus: Vec<&str> = product.variants.iter().map(|v| v.sku.as_str()).collect();
    distinct(violations, "variants", &skus);
    let mut combinations = BTreeSet::new();
    violations.within("variants", |violations| {
        for (index, variant) in product.variants.iter().enumerate().take(MOST_VARIANTS) {
            violations.within(index, |violations| {
                fits(violations, variant, &product.options);
                violations.require(
                    combinations.insert(&variant.options),
                    "options",
                    "another variant has the same options",
                );
            });
        }
    });
}

/// A variant has one of the offered values of each option, and nothing else.
fn fits(violations: &mut Violations, variant: &Variant, options: &[ProductOption]) {
    for option in options {
        match variant.options.get(&option.name) {
            None => {
                let detail = format!("a value of `{}` is missing", option.name);
                violations.report("options", detail);
            }
            Some(value) if !option.values.contains(value) => violations.report(
                "options",
                format!("`{value}` is not among the values of `{}`", option.name),
            ),
            Some(_) => {}
        }
    }
    let known = |name: &String| options.iter().any(|option| option.name == *name);
    for name in variant.options.keys().filter(|name| !known(name)) {
        violations.report("options", format!("the product has no option `{name}`"));
    }
}

fn list<T>(
    violations: &mut Violations,
    field: &str,
    items: &[T],
    most: usize,
    check: impl Fn(&mut Violations, &T),
) {
    violations.require(
        items.len() <= most,
        field,
        &format!("at most {most} elements"),
    );
    violations.within(field, |violations| {
        for (index, item) in items.iter().enumerate().take(most) {
            violations.within(index, |violations| check(violations, item));
        }
    });
}

fn distinct<T: Hash + Eq>(violations: &mut Violations, field: &str, items: &[T]) {
    let mut seen = std::collections::HashSet::new();
    if let Some(index) = items.iter().position(|item| !seen.insert(item)) {
        violations.within(field, |violations| {
            violations.report(index, "is there twice")
        });
    }
}

/// An address that a browser loads a picture from: never a script.
fn is_address(url: &str) -> bool {
    let scheme = url
        .split_once(':')
        .map(|(scheme, _)| scheme)
        .filter(|scheme| !scheme.contains(['/', '?', '#']));
    let web = scheme.is_none_or(|scheme| {
        scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http")
    });
    web && !url.contains(char::is_whitespace)
}

/// Whether the text may be the slug of something.
pub(crate) fn is_slug(text: &str) -> bool {
    struct Slug<'a>(&'a str);
    impl Validate for Slug<'_> {
        fn validate(&self, violations: &mut Violations) {
            violations.slug("", self.0);
        }
    }
    Violations::of(&Slug(text)).is_empty()
}

#[cfg(test)]
mod tests {
    use kernel::Currency;

    use super::*;
    use crate::model::tests::{mug, price};

    /// The fields that are wrong once `change` is made to a product that is right.
    fn wrong(change: impl FnOnce(&mut Product)) -> Vec<String> {
        let mut product = mug();
        change(&mut product);
        let errors = Violations::of(&product);
        errors.into_iter().map(|error| error.pointer).collect()
    }

    fn sizes(product: &mut Product) {
        product.options = vec![ProductOption {
            name: String::from("Size"),
            values: vec![String::from("S"), String::from("M")],
        }];
        let mut other = product.variants[0].clone();
        other.sku = String::from("MUG-M");
        product.variants.push(other);
        for (variant, size) in product.variants.iter_mut().zip(["S", "M"]) {
            variant.options = [(String::from("Size"), String::from(size))].into();
        }
    }

    #[test]
    fn a_good_product_breaks_no_rule() {
        assert!(wrong(|_| {}).is_empty());
        assert!(wrong(sizes).is_empty());
    }

    #[test]
    fn variants_fit_the_options_and_differ() {
        let with = |change: fn(&mut Product)| {
            wrong(|product| {
                sizes(product);
                change(product);
            })
        };
        assert_eq!(
            with(|p| p.variants[1].options.clear()),
            ["/variants/1/options"]
        );
        assert_eq!(
            with(|p| p.variants[1].options = [("Size".into(), "L".into())].into()),
            ["/variants/1/options"]
        );
        assert_eq!(
            with(|p| {
                p.variants[1].options.insert("Colour".into(), "Red".into());
            }),
            ["/variants/1/options"]
        );
        assert_eq!(
            with(|p| p.variants[1].options = p.variants[0].options.clone()),
            ["/variants/1/options"]
        );
        assert_eq!(with(|p| p.variants[1].sku = "MUG".into()), ["/variants/1"]);
        assert_eq!(with(|p| p.variants.clear()), ["/variants"]);
        assert_eq!(
            with(|p| p.options.push(p.options[0].clone())),
            ["/options/1"]
        );
    }

    #[test]
    fn every_list_has_an_end() {
        assert_eq!(wrong(|p| p.tags = vec![String::from("a"); 2]), ["/tags/1"]);
        let tags = |count: usize| (0..count).map(|n| n.to_string()).collect();
        assert_eq!(wrong(|p| p.tags = tags(51)), ["/tags"]);
        let image = Image {
            url: String::from("a.jpg"),
            alt: String::new(),
        };
        assert_eq!(wrong(|p| p.images = vec![image; 51]), ["/images"]);
        assert_eq!(
            wrong(|p| p.description = "x".repeat(20_001)),
            ["/description"]
        );
        assert!(wrong(|p| p.description = "x\n".repeat(10_000)).is_empty());
    }

    #[test]
    fn prices_have_bounds() {
        let first = |change: fn(&mut Price)| wrong(|p| change(&mut p.variants[0].prices[0]));
        let amount = ["/variants/0/prices/0/amount"];
        assert_eq!(first(|p| p.amount = -1), amount);
        assert_eq!(first(|p| p.amount = HIGHEST_PRICE + 1), amount);
        assert_eq!(
            first(|p| p.compare_at = Some(p.amount)),
            ["/variants/0/prices/0/compare_at"]
        );
        let twice = |p: &mut Product| p.variants[0].prices.push(price(1, Currency::EUR));
        assert_eq!(wrong(twice), ["/variants/0/prices/1"]);
    }

    #[test]
    fn pictures_are_never_scripts() {
        for good in [
            "https://example.com/a.jpg",
            "images/a.jpg",
            "/a?b=c:d",
            "HTTP://x/",
        ] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "a b.jpg",
            "ftp://x/",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
