//! `GET /v1/products/by-slug/{slug}`: the product at an address of the shop.

use axum::extract::State;
use contracts::product::ProductId;
use http::HeaderMap;
use kernel::Caller;
use platform::db::{Db, DbError};
use platform::http::{ApiError, CallerOf, PathId, Reply};

use crate::get_product::{show, visible};
use crate::model::Product;
use crate::rules::is_slug;
use crate::store::products;
use crate::{ProductError, ProductService};

/// Shows the product with this slug, as `get_product` does.
#[utoipa::path(
    get,
    path = "/v1/products/by-slug/{slug}",
    params(
        ("slug" = String, Path, description = "Its address in the shop.", example = "mug"),
        ("If-None-Match" = Option<String>, Header, description = "An `ETag` that is known."),
    ),
    responses(
        (status = 200, body = Product, description = "The product."),
        (status = 304, description = "It is what the `ETag` names."),
    )
)]
pub(crate) async fn handler(
    State(service): State<ProductService>,
    PathId(slug): PathId<String>,
    caller: CallerOf,
    headers: HeaderMap,
) -> Result<Reply, ApiError> {
    Ok(service
        .get_product_by_slug(&slug, &caller, &headers)
        .await?)
}

impl ProductService {
    async fn get_product_by_slug(
        &self,
        slug: &str,
        caller: &Caller,
        headers: &HeaderMap,
    ) -> Result<Reply, ProductError> {
        // What cannot be a slug names nothing; some texts would even upset the database.
        if !is_slug(slug) {
            return Err(ProductError::NotFound("product"));
        }
        let tx = self.db.read().await?;
        let kept = visible(products::by_slug(&tx, slug).await?, caller)?;
        let available = products::available(&tx, kept.id).await?;
        show(&kept, &available, headers)
    }
}

/// The products with these slugs, those that there are. For whoever sets up a shop.
pub async fn find_by_slugs(db: &Db, slugs: &[&str]) -> Result<Vec<ProductId>, DbError> {
    let found = products::by_slugs(&db.read().await?, slugs).await?;
    Ok(found.into_iter().map(|product| product.id).collect())
}
