//! `GET /v1/categories`: the tree of all categories.

use axum::extract::State;
use http::HeaderMap;
use platform::http::{ApiError, ETag, Reply};
use serde::Serialize;
use utoipa::ToSchema;

use crate::category::{self, CategoryNode};
use crate::store::categories;
use crate::{ProductError, ProductService};

/// The tree of all categories.
#[derive(Serialize, ToSchema)]
pub(crate) struct CategoryTree {
    /// The categories at the top.
    items: Vec<CategoryNode>,
}

/// Shows all categories as a tree, in the order in which staff have put them.
#[utoipa::path(
    get,
    path = "/v1/categories",
    params(("If-None-Match" = Option<String>, Header, description = "An `ETag` that is known.")),
    responses(
        (status = 200, body = CategoryTree, description = "The tree."),
        (status = 304, description = "It is what the `ETag` names."),
    )
)]
pub(crate) async fn handler(
    State(service): State<ProductService>,
    headers: HeaderMap,
) -> Result<Reply, ApiError> {
    Ok(service.list_categories(&headers).await?)
}

impl ProductService {
    async fn list_categories(&self, headers: &HeaderMap) -> Result<Reply, ProductError> {
        let tx = self.db.read().await?;
        // The version first: if the tree changes in between, the tag is too old, not too young.
        let etag = ETag::version(categories::tree_version(&tx).await?);
        let reply = if etag.seen(headers) {
            Reply::not_modified()
        } else {
            let items = category::tree(categories::all(&tx).await?);
            Reply::ok(&CategoryTree { items })
        };
        Ok(reply.tagged(etag).public())
    }
}
