//! `GET /v1/promotions`: what promotions there are.

use axum::extract::State;
use kernel::page::Limit;
use kernel::{Cursor, Page, Validate, Violations};
use platform::http::{ApiError, Query, Reply};
use platform::idempotency::bad_cursor;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::promotion::PromotionView;
use crate::{CartError, CartService, store};

/// Which promotions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListPromotions {
    /// How many at the most.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// Where the page starts: the `next_cursor` of the one before.
    cursor: Option<Cursor>,
}

impl Validate for ListPromotions {
    fn validate(&self, _: &mut Violations) {}
}

/// A page of promotions.
#[derive(ToSchema)]
#[schema(as = Promotions)]
#[expect(dead_code, reason = "documents the shape that Page<PromotionView> has")]
pub(crate) struct PromotionPage {
    items: Vec<PromotionView>,
    next_cursor: Option<Cursor>,
}

/// Lists promotions by their code, those that have ended among them.
#[utoipa::path(
    get,
    path = "/v1/promotions",
    params(ListPromotions),
    responses((status = 200, body = PromotionPage, description = "A page of promotions."))
)]
pub(crate) async fn handler(
    State(carts): State<CartService>,
    Query(query): Query<ListPromotions>,
) -> Result<Reply, ApiError> {
    Ok(carts.list_promotions(query).await?)
}

/// There is one list without filters.
const FILTER: &str = "promotions";

impl CartService {
    async fn list_promotions(&self, query: ListPromotions) -> Result<Reply, CartError> {
        let after = query.cursor.as_ref().map(|cursor| cursor.key(&FILTER));
        let after: Option<String> = after.transpose().map_err(bad_cursor)?;
        let tx = self.db.read().await?;
        let rows = store::promotions_page(&tx, after.as_deref(), query.limit.rows()).await?;
        let page = Page::of(rows, query.limit.get(), &FILTER, |row| row.code.clone());
        Ok(Reply::ok(&page.map(PromotionView::from)))
    }
}
