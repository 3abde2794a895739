//! `GET /v1/products`: the products of a category, or of all, in one of four orders.

use axum::extract::State;
use contracts::product::{CategoryId, ProductId};
use kernel::{Access, Currency, Cursor, Id, Limit, Permission, Timestamp, Validate, Violations};
use platform::http::{ApiError, CallerOf, Query, Reply};
use platform::idempotency::bad_cursor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::model::{ProductStatus, ProductSummary};
use crate::rules::HIGHEST_PRICE;
use crate::store::listing::{self, Filter, Listed};
use crate::{ProductError, ProductService, tags};

kernel::text_enum! {
    /// In which order products are listed.
    pub(crate) enum Sort {
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

/// Which products, and in which order.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListProducts {
    /// Only those in this category or below it.
    category_id: Option<CategoryId>,
    /// Only those that have a price in this currency. Needed to sort and filter by price.
    currency: Option<Currency>,
    /// Only those whose lowest price is at least this, in minor units.
    #[param(minimum = 0, maximum = 1_000_000_000_000_i64)]
    price_min: Option<i64>,
    /// Only those whose lowest price is at most this, in minor units.
    #[param(minimum = 0, maximum = 1_000_000_000_000_i64)]
    price_max: Option<i64>,
    /// Only those that are, or are not, in stock.
    in_stock: Option<bool>,
    /// Others than `active` are for staff with `catalogue:read`.
    #[serde(default = "active")]
    #[param(default = "active")]
    status: ProductStatus,
    /// `newest` if it is left out.
    #[serde(default = "newest")]
    #[param(inline)]
    sort: Sort,
    /// How many at the most.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// Where the page starts: the `next_cursor` of the one before.
    cursor: Option<Cursor>,
}

fn active() -> ProductStatus {
    ProductStatus::Active
}

fn newest() -> Sort {
    Sort::Newest
}

impl Validate for ListProducts {
    fn validate(&self, violations: &mut Violations) {
        let bounds = [("price_min", self.price_min), ("price_max", self.price_max)];
        for (field, bound) in bounds {
            let within = bound.is_none_or(|bound| (0..=HIGHEST_PRICE).contains(&bound));
            violations.require(within, field, "expected 0 to 1000000000000");
        }
        let by_price = matches!(self.sort, Sort::Price | Sort::PriceDown)
            || self.price_min.is_some()
            || self.price_max.is_some();
        violations.require(
            self.currency.is_some() || !by_price,
            "currency",
            "is needed to sort and filter by price",
        );
    }
}

/// A page of products.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the shape that is written")]
pub(crate) struct ProductPage {
    items: Vec<ProductSummary>,
    next_cursor: Option<Cursor>,
}

/// Lists products.
#[utoipa::path(
    get,
    path = "/v1/products",
    params(ListProducts),
    responses((status = 200, body = ProductPage, description = "A page of products."))
)]
pub(crate) async fn handler(
    State(service): State<ProductService>,
    caller: CallerOf,
    Query(query): Query<ListProducts>,
) -> Result<Reply, ApiError> {
    if query.status != ProductStatus::Active {
        Access::Staff(Permission::CatalogueRead).check(&caller)?;
    }
    Ok(service.list_products(&query).await?)
}

impl ProductService {
    async fn list_products(&self, query: &ListProducts) -> Result<Reply, ProductError> {
        let filter = query.filter();
        let tx = self.db.read().await?;
        // No product has the first or the last of all ids.
        let (first, last) = (Uuid::nil(), Uuid::max());
        let page = match query.sort {
            Sort::Newest => {
                let after = query.after(Timestamp::from_micros(i64::MAX), last)?;
                write(query, listing::by_age(&tx, &filter, &after).await?)?
            }
            Sort::Name => {
                let after = query.after(String::new(), first)?;
                write(query, listing::by_name(&tx, &filter, &after).await?)?
            }
            Sort::Price => {
                let after = query.after(filter.price_min, first)?;
                write(query, listing::by_price(&tx, &filter, &after).await?)?
            }
            Sort::PriceDown => {
                let after = query.after(filter.price_max, last)?;
                write(query, listing::by_price_down(&tx, &filter, &after).await?)?
            }
        };
        let reply = Reply::written(page);
        Ok(match query.status {
            ProductStatus::Active => reply.public().purged_by(tags::of_lists()),
            _ => reply,
        })
    }
}

impl ListProducts {
    fn filter(&self) -> Filter {
        let currency = self.currency;
        Filter {
            category: self.category_id.map_or(listing::EVERYTHING, Id::uuid),
            currency: currency.map_or(listing::ANY_CURRENCY, Currency::code),
            status: self.status,
            price_min: self.price_min.unwrap_or(0),
            price_max: self.price_max.unwrap_or(HIGHEST_PRICE),
            in_stock: self.in_stock,
            rows: self.limit.rows(),
        }
    }

    /// What a cursor is bound to: everything but the size of the page.
    fn identity(&self) -> impl Serialize {
        let Self {
            category_id,
            currency,
            price_min,
            price_max,
            in_stock,
            status,
            sort,
            ..
        } = self;
        (
            *category_id,
            *currency,
            (*price_min, *price_max),
            *in_stock,
            *status,
            *sort,
        )
    }

    /// Where the page starts: after what the cursor names, or before everything.
    fn after<K: DeserializeOwned>(&self, key: K, id: Uuid) -> Result<(K, ProductId), ProductError> {
        let Some(cursor) = &self.cursor else {
            return Ok((key, ProductId::from_uuid(id)));
        };
        Ok(cursor.key(&self.identity()).map_err(bad_cursor)?)
    }
}

/// Writes the page as JSON, from summaries that are JSON already.
fn write<K: Serialize>(
    query: &ListProducts,
    mut rows: Vec<Listed<K>>,
) -> Result<Vec<u8>, ProductError> {
    let limit = query.limit.get();
    let more = rows.len() > limit;
    rows.truncate(limit);
    let mut page = Vec::with_capacity(rows.iter().map(|row| row.summary.as_str().len() + 1).sum());
    page.extend_from_slice(b"{\"items\":[");
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            page.push(b',');
        }
        row.summary.fill_summary(row.in_stock, &mut page)?;
    }
    page.extend_from_slice(b"],\"next_cursor\":");
    let last = rows.last().filter(|_| more);
    let next = last.map(|row| Cursor::new(&(&row.key, row.id), &query.identity()));
    serde_json::to_writer(&mut page, &next)?;
    page.push(b'}');
    Ok(page)
}
