//! `GET /v1/search`: products by words, filters and order, with counts of what there is.

use std::collections::HashMap;

use axum::extract::State;
use contracts::product::{CategoryId, ProductId};
use futures_util::future::try_join;
use kernel::page::CursorError;
use kernel::{Currency, Cursor, Limit, Validate, Violations};
use platform::http::{ApiError, Query, Reply};
use platform::idempotency::bad_cursor;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::model::ProductSummary;
use crate::rules::{HIGHEST_PRICE, MOST_TAGS};
use crate::search::{Facet, FacetCounts, Filter, Found, Match, Place, Question, Sort, Words};
use crate::store::search::{self, Shown};
use crate::{ProductError, ProductService, tags};

const LONGEST_TEXT: usize = 200;

/// What is looked for, and in which order it is shown.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchProducts {
    /// Words to find in titles, tags, vendors, names of categories and descriptions; or a whole
    /// SKU or barcode. The last word may be unfinished. Left out, everything is found.
    #[serde(default)]
    #[param(max_length = 200, example = "blue mu")]
    q: String,
    /// Only those in this category or below it.
    category_id: Option<CategoryId>,
    /// Only those that have a price in this currency. Needed to sort, filter and count by price.
    currency: Option<Currency>,
    /// Only those whose lowest price is at least this, in minor units.
    #[param(minimum = 0, maximum = 1_000_000_000_000_i64)]
    price_min: Option<i64>,
    /// Only those whose lowest price is at most this, in minor units.
    #[param(minimum = 0, maximum = 1_000_000_000_000_i64)]
    price_max: Option<i64>,
    /// Only those that are, or are not, in stock.
    in_stock: Option<bool>,
    /// Only those of this vendor, spelled as facets spell it.
    vendor: Option<String>,
    /// Only those with all of these tags, spelled as facets spell them and joined by commas; a
    /// comma in a tag is `\,`.
    #[serde(default, deserialize_with = "by_commas")]
    #[param(value_type = Option<String>, example = "kitchen,gift")]
    tag: Vec<String>,
    /// `relevance` if it is left out.
    #[serde(default = "relevance")]
    #[param(inline)]
    sort: Sort,
    /// How many at the most.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// Where the page starts: the `next_cursor` of the one before.
    cursor: Option<Cursor>,
    /// What is counted over all pages, by commas: `category`, `vendor`, `tag`, `price`, `in_stock`.
    #[serde(default, deserialize_with = "by_commas")]
    #[param(value_type = Option<String>, example = "category,price")]
    facets: Vec<Facet>,
}

fn relevance() -> Sort {
    Sort::Relevance
}

/// Reads a list that is joined by commas.
fn by_commas<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    let items = split(&text).into_iter().filter(|item| !item.is_empty());
    let read = items.map(|item| item.parse().map_err(serde::de::Error::custom));
    read.collect()
}

/// The parts between commas; a backslash takes what follows it as it is.
fn split(text: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let item = items.last_mut().expect("there is always one");
        match letter {
            ',' => items.push(String::new()),
            '\\' => item.extend(letters.next()),
            letter => item.push(letter),
        }
    }
    items
}

impl Validate for SearchProducts {
    fn validate(&self, violations: &mut Violations) {
        let short = self.q.chars().count() <= LONGEST_TEXT;
        violations.require(short, "q", "expected at most 200 characters");
        let bounds = [("price_min", self.price_min), ("price_max", self.price_max)];
        for (field, bound) in bounds {
            let within = bound.is_none_or(|bound| (0..=HIGHEST_PRICE).contains(&bound));
            violations.require(within, field, "expected 0 to 1000000000000");
        }
        let by_price = matches!(self.sort, Sort::Price | Sort::PriceDown)
            || self.price_min.is_some()
            || self.price_max.is_some()
            || self.facets.contains(&Facet::Price);
        violations.require(
            self.currency.is_some() || !by_price,
            "currency",
            "is needed to sort, filter and count by price",
        );
        let few = self.tag.len() <= MOST_TAGS;
        violations.require(few, "tag", "expected at most 50 tags");
    }
}

/// A page of results.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the shape that is written")]
pub(crate) struct SearchPage {
    /// What each product is at this moment.
    items: Vec<ProductSummary>,
    next_cursor: Option<Cursor>,
    /// How many there are on all pages, as far as the index knows.
    total: u64,
    /// How far the results are from `q`.
    r#match: Match,
    /// What was asked for in `facets`, each with at most 50 kinds.
    facets: Facets,
}

/// How many results there are of each kind, most first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Facets {
    /// Also those that the results' categories lie below.
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<Vec<CategoryCount>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vendor: Option<Vec<TextCount>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<Vec<TextCount>>,
    /// From the lowest to the highest.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Vec<PriceCount>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_stock: Option<Vec<StockCount>>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CategoryCount {
    value: CategoryId,
    name: String,
    count: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TextCount {
    value: String,
    count: u64,
}

/// Those whose lowest price lies in a range, both ends included.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PriceCount {
    price_min: i64,
    price_max: i64,
    count: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StockCount {
    value: bool,
    count: u64,
}

/// Searches products.
#[utoipa::path(
    get,
    path = "/v1/search",
    params(SearchProducts),
    responses((status = 200, body = SearchPage, description = "A page of results."))
)]
pub(crate) async fn handler(
    State(service): State<ProductService>,
    Query(query): Query<SearchProducts>,
) -> Result<Reply, ApiError> {
    Ok(service.search_products(query).await?)
}

impl ProductService {
    async fn search_products(&self, query: SearchProducts) -> Result<Reply, ProductError> {
        let question = query.question()?;
        let limit = query.limit.get();
        let mut found = self.search.find(question).await?;
        let more = found.places.len() > limit;
        found.places.truncate(limit);
        let last = found.places.last().filter(|_| more);
        let next = last.map(|place| Cursor::new(&(found.matched, place), &query.identity()));

        let tx = self.db.read().await?;
        let ids: Vec<ProductId> = found.places.iter().map(Place::product).collect();
        let counted = found.facets.category.iter().flatten();
        let categories: Vec<CategoryId> = counted.map(|(id, _)| *id).collect();
        let shown = search::shown(&tx, &ids);
        let names = search::category_names(&tx, &categories);
        let (shown, names) = try_join(shown, names).await?;
        let page = write(&found, shown, names.into_iter().collect(), next)?;
        Ok(Reply::written(page).public().purged_by(tags::of_lists()))
    }
}

impl SearchProducts {
    fn question(&self) -> Result<Question, ProductError> {
        let after: Option<(Match, Place)> = match &self.cursor {
            None => None,
            Some(cursor) => Some(cursor.key(&self.identity()).map_err(bad_cursor)?),
        };
        if after
            .as_ref()
            .is_some_and(|(_, place)| !place.fits(self.sort))
        {
            return Err(bad_cursor(CursorError).into());
        }
        Ok(Question {
            words: Words::of(&self.q),
            filter: self.filter(),
            sort: self.sort,
            after,
            rows: self.limit.get() + 1,
            facets: self.facets.clone(),
        })
    }

    fn filter(&self) -> Filter {
        Filter {
            category: self.category_id,
            currency: self.currency,
            price_min: self.price_min,
            price_max: self.price_max,
            in_stock: self.in_stock,
            vendor: self.vendor.clone(),
            tags: self.tag.clone(),
        }
    }

    /// What a cursor is bound to: everything but the size of the page and what is counted.
    fn identity(&self) -> impl Serialize {
        (self.q.clone(), self.filter(), self.sort)
    }
}

/// Writes the page as JSON, from summaries that are JSON already. What has left the shop since the
/// index was told is left out.
fn write(
    found: &Found,
    shown: Vec<Shown>,
    names: HashMap<CategoryId, String>,
    next: Option<Cursor>,
) -> Result<Vec<u8>, ProductError> {
    let mut page = Vec::with_capacity(
        shown
            .iter()
            .map(|item| item.summary.as_str().len() + 1)
            .sum(),
    );
    let shown: HashMap<ProductId, Shown> = shown.into_iter().map(|item| (item.id, item)).collect();
    let items = found
        .places
        .iter()
        .filter_map(|place| shown.get(&place.product()));
    page.extend_from_slice(b"{\"items\":[");
    for (index, item) in items.enumerate() {
        if index > 0 {
            page.push(b',');
        }
        item.summary.fill_summary(item.in_stock, &mut page)?;
    }
    page.extend_from_slice(b"],\"next_cursor\":");
    serde_json::to_writer(&mut page, &next)?;
    page.extend_from_slice(b",\"total\":");
    serde_json::to_writer(&mut page, &found.total)?;
    page.extend_from_slice(b",\"match\":");
    serde_json::to_writer(&mut page, &found.matched)?;
    page.extend_from_slice(b",\"facets\":");
    serde_json::to_writer(&mut page, &Facets::of(&found.facets, names))?;
    page.push(b'}');
    Ok(page)
}

impl Facets {
    /// A category that is not there any more is left out.
    fn of(counts: &FacetCounts, mut names: HashMap<CategoryId, String>) -> Self {
        let mut category = |(value, count): &(CategoryId, u64)| {
            let name = names.remove(value)?;
            Some(CategoryCount {
                value: *value,
                name,
                count: *count,
            })
        };
        let text = |(value, count): &(String, u64)| TextCount {
            value: value.clone(),
            count: *count,
        };
        let price = |((price_min, price_max), count): &((i64, i64), u64)| PriceCount {
            price_min: *price_min,
            price_max: *price_max,
            count: *count,
        };
        let stock = |(value, count): &(bool, u64)| StockCount {
            value: *value,
            count: *count,
        };
        let FacetCounts {
            category: categories,
            vendor,
            tag,
            price: prices,
            in_stock,
        } = counts;
        Self {
            category: categories
                .as_ref()
                .map(|kinds| kinds.iter().filter_map(&mut category).collect()),
            vendor: vendor
                .as_ref()
                .map(|kinds| kinds.iter().map(text).collect()),
            tag: tag.as_ref().map(|kinds| kinds.iter().map(text).collect()),
            price: prices
                .as_ref()
                .map(|kinds| kinds.iter().map(price).collect()),
            in_stock: in_stock
                .as_ref()
                .map(|kinds| kinds.iter().map(stock).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_at_commas() {
        assert_eq!(split("a,b c"), ["a", "b c"]);
        assert_eq!(split("a\\,b,c\\\\,"), ["a,b", "c\\", ""]);
        assert_eq!(split("\\"), [""]);
    }
}
