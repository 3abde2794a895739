//! `POST /v1/products/{id}/archive`: a product is taken out of the shop.

use axum::extract::State;
use contracts::product::ProductId;
use kernel::Id;
use platform::http::{ApiError, IfMatch, PathId, Reply};
use platform::idempotency::IdempotencyKey;

use crate::keep::Change;
use crate::model::{Product, ProductStatus};
use crate::store::products;
use crate::{ProductError, ProductService, keep};

/// Takes a product out of the shop. It can be restored by setting its status.
#[utoipa::path(
    post,
    path = "/v1/products/{id}/archive",
    params(
        ("id" = ProductId, Path, description = "The product."),
        ("If-Match" = String, Header, description = "The `ETag` of the version to archive."),
    ),
    responses((status = 200, body = Product, description = "The product as it is now."))
)]
pub(crate) async fn handler(
    State(service): State<ProductService>,
    PathId(id): PathId<ProductId>,
    key: IdempotencyKey,
    if_match: IfMatch,
) -> Result<Reply, ApiError> {
    Ok(service.archive_product(id, key, if_match).await?)
}

impl ProductService {
    async fn archive_product(
        &self,
        id: ProductId,
        key: IdempotencyKey,
        if_match: IfMatch,
    ) -> Result<Reply, ProductError> {
        let request = key.request(id.uuid(), &id);
        request
            .once(&self.db, move |tx| async move {
                let kept = products::by_id(&tx, id).await?;
                let kept = kept.ok_or(ProductError::NotFound("product"))?;
                if_match.demand(kept.version)?;
                if kept.status == ProductStatus::Archived {
                    return Err(ProductError::Archived);
                }
                let (was, now) = (kept.document.parse()?, tx.sources().now());
                let is = Product {
                    status: ProductStatus::Archived,
                    version: was.version + 1,
                    updated_at: now,
                    ..was.clone()
                };
                let changes = [Change { was, is }];
                keep::change(&tx, &changes, now).await?;
                let [
                    Change {
                        is: mut product, ..
                    },
                ] = changes;
                product.fill_stock(&products::available(&tx, id).await?);
                Ok(Reply::ok(&product).tagged(product.etag()))
            })
            .await
    }
}
