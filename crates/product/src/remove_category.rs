//! `DELETE /v1/categories/{id}`: an empty category is removed.

use axum::extract::State;
use contracts::product::CategoryId;
use platform::http::{ApiError, IfMatch, PathId, Reply};

use crate::store::categories;
use crate::{ProductError, ProductService};

/// Removes a category that has no children and no products.
#[utoipa::path(
    delete,
    path = "/v1/categories/{id}",
    params(
        ("id" = CategoryId, Path, description = "The category."),
        ("If-Match" = String, Header, description = "The `ETag` of the version to remove."),
    ),
    responses((status = 204, description = "Removed."))
)]
pub(crate) async fn handler(
    State(service): State<ProductService>,
    PathId(id): PathId<CategoryId>,
    if_match: IfMatch,
) -> Result<Reply, ApiError> {
    Ok(service.remove_category(id, if_match).await?)
}

impl ProductService {
    async fn remove_category(
        &self,
        id: CategoryId,
        if_match: IfMatch,
    ) -> Result<Reply, ProductError> {
        self.db
            .write(move |tx| async move {
                categories::change_tree(&tx).await?;
                let category = categories::by_id(&tx, id).await?;
                let category = category.ok_or(ProductError::NotFound("category"))?;
                if_match.demand(category.version)?;
                if categories::height(&tx, id).await? > 1 {
                    let detail = "other categories lie below it; move or remove them first";
                    return Err(ProductError::BadCategoryTree(detail));
                }
                if categories::in_use(&tx, id).await? {
                    return Err(ProductError::CategoryInUse);
                }
                categories::remove(&tx, id).await?;
                Ok(Reply::no_content())
            })
            .await
    }
}
