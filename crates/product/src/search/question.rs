//! What a search asks for.

use contracts::product::CategoryId;
use kernel::{Currency, Id};
use serde::Serialize;
use tantivy::Term;
use tantivy::query::{BooleanQuery, ConstScoreQuery, Query, RangeQuery, TermQuery};
use tantivy::schema::IndexRecordOption;

use super::facets::Facet;
use super::index::Fields;
use super::matching::{Match, Words};
use super::price::Band;
use super::top::Place;

kernel::text_enum! {
    /// In which order results are shown.
    pub(crate) enum Sort {
        /// By how well and where the words match, then the youngest first.
        Relevance = "relevance",
        /// The youngest first.
        Newest = "newest",
        /// By title, without regard to case and accents.
        Name = "name",
        /// The cheapest first, by the lowest price of each product.
        Price = "price",
        /// The most expensive first, by the lowest price of each product.
        PriceDown = "-price",
    }
}

/// A search.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) words: Words,
    pub(crate) filter: Filter,
    pub(crate) sort: Sort,
    /// How the page before was found, and its last result.
    pub(crate) after: Option<(Match, Place)>,
    /// How many results at the most.
    pub(crate) rows: usize,
    /// What is counted.
    pub(crate) facets: Vec<Facet>,
}

/// Which products may be among the results. All of it must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Filter {
    /// In it or below it.
    pub(crate) category: Option<CategoryId>,
    /// With a price in it.
    pub(crate) currency: Option<Currency>,
    pub(crate) price_min: Option<i64>,
    pub(crate) price_max: Option<i64>,
    pub(crate) in_stock: Option<bool>,
    pub(crate) vendor: Option<String>,
    /// With each of them.
    pub(crate) tags: Vec<String>,
}

impl Filter {
    /// What sorts and counts prices.
    pub(super) fn band(&self) -> Option<Band> {
        self.currency.map(Band::of)
    }

    /// Adds what must hold to `clauses`. It does not matter to the order of the results.
    pub(super) fn add(&self, fields: &Fields, clauses: &mut Vec<Box<dyn Query>>) {
        let mut require = |query: Box<dyn Query>| {
            clauses.push(Box::new(ConstScoreQuery::new(query, 0.0)));
        };
        let term = |term| Box::new(TermQuery::new(term, IndexRecordOption::Basic));
        if let Some(category) = self.category {
            let id = category.uuid();
            require(term(Term::from_field_bytes(fields.category, id.as_bytes())));
        }
        if let Some(band) = self.band() {
            let (least, most) = band.numbers(self.price_min, self.price_max).into_inner();
            let bound =
                |number| std::ops::Bound::Included(Term::from_field_u64(fields.price, number));
            require(Box::new(RangeQuery::new(bound(least), bound(most))));
        }
        if let Some(in_stock) = self.in_stock {
            require(term(Term::from_field_bool(fields.in_stock, in_stock)));
        }
        if let Some(vendor) = &self.vendor {
            require(term(Term::from_field_text(fields.vendor, vendor)));
        }
        for tag in &self.tags {
            require(term(Term::from_field_text(fields.tag, tag)));
        }
    }
}

/// All of the queries.
pub(super) fn all_of(mut clauses: Vec<Box<dyn Query>>) -> Box<dyn Query> {
    match clauses.len() {
        1 => clauses.swap_remove(0),
        _ => Box::new(BooleanQuery::intersection(clauses)),
    }
}
