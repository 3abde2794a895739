//! `GET /v1/products/{id}`: one product with its stock.

use axum::extract::State;
use contracts::product::ProductId;
use http::HeaderMap;
use kernel::{Caller, Permission};
use platform::http::{ApiError, CallerOf, PathId, Reply};

use crate::model::{Product, ProductStatus};
use crate::store::products::{self, KeptProduct};
use crate::{ProductError, ProductService, document, tags};

/// Shows a product. Drafts and archived products are shown to staff with `catalogue:read` only.
#[utoipa::path(
    get,
    path = "/v1/products/{id}",
    params(
        ("id" = ProductId, Path, description = "The product."),
        ("If-None-Match" = Option<String>, Header, description = "An `ETag` that is known."),
    ),
    responses(
        (status = 200, body = Product, description = "The product."),
        (status = 304, description = "It is what the `ETag` names."),
    )
)]
pub(crate) async fn handler(
    State(service): State<ProductService>,
    PathId(id): PathId<ProductId>,
    caller: CallerOf,
    headers: HeaderMap,
) -> Result<Reply, ApiError> {
    Ok(service.get_product(id, &caller, &headers).await?)
}

impl ProductService {
    async fn get_product(
        &self,
        id: ProductId,
        caller: &Caller,
        headers: &HeaderMap,
    ) -> Result<Reply, ProductError> {
        let tx = self.db.read().await?;
        // On PostgreSQL both travel together.
        let (kept, available) =
            tokio::join!(products::by_id(&tx, id), products::available(&tx, id));
        let kept = visible(kept?, caller)?;
        show(&kept, &available?, headers)
    }
}

/// The product, if the caller may see it.
pub(crate) fn visible(
    kept: Option<KeptProduct>,
    caller: &Caller,
) -> Result<KeptProduct, ProductError> {
    let may_see = |kept: &KeptProduct| {
        kept.status == ProductStatus::Active || caller.may(Permission::CatalogueRead)
    };
    kept.filter(may_see)
        .ok_or(ProductError::NotFound("product"))
}

/// The product as clients get it, or that nothing has changed since they got it.
pub(crate) fn show(
    kept: &KeptProduct,
    available: &[Option<i64>],
    headers: &HeaderMap,
) -> Result<Reply, ProductError> {
    let etag = document::etag(kept.version, available);
    let reply = if etag.seen(headers) {
        Reply::not_modified()
    } else {
        Reply::written(kept.document.fill_product(available)?)
    };
    let reply = reply.tagged(etag);
    Ok(match kept.status {
        ProductStatus::Active => reply.public().purged_by(tags::of_product(kept.id)),
        _ => reply,
    })
}
