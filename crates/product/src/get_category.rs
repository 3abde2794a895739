//! `GET /v1/categories/{id}`: one category and what lies above it.

use axum::extract::State;
use contracts::product::CategoryId;
use http::HeaderMap;
use platform::db::Tx;
use platform::http::{ApiError, PathId, Reply};

use crate::category::{Category, CategoryView};
use crate::store::categories;
use crate::{ProductError, ProductService};

/// Shows a category.
#[utoipa::path(
    get,
    path = "/v1/categories/{id}",
    params(
        ("id" = CategoryId, Path, description = "The category."),
        ("If-None-Match" = Option<String>, Header, description = "An `ETag` that is known."),
    ),
    responses(
        (status = 200, body = CategoryView, description = "The category."),
        (status = 304, description = "It is what the `ETag` names."),
    )
)]
pub(crate) async fn handler(
    State(service): State<ProductService>,
    PathId(id): PathId<CategoryId>,
    headers: HeaderMap,
) -> Result<Reply, ApiError> {
    Ok(service.get_category(id, &headers).await?)
}

impl ProductService {
    async fn get_category(
        &self,
        id: CategoryId,
        headers: &HeaderMap,
    ) -> Result<Reply, ProductError> {
        let tx = self.db.read().await?;
        let tree = categories::tree_version(&tx).await?;
        let category = categories::by_id(&tx, id).await?;
        let category = category.ok_or(ProductError::NotFound("category"))?;
        let view = view(&tx, category).await?;
        let etag = view.etag(tree);
        let reply = if etag.seen(headers) {
            Reply::not_modified()
        } else {
            Reply::ok(&view)
        };
        Ok(reply.tagged(etag).public())
    }
}

/// The category as clients see it.
pub(crate) async fn view(tx: &Tx, category: Category) -> Result<CategoryView, ProductError> {
    let path = categories::path(tx, category.id).await?;
    Ok(category.view(path))
}
