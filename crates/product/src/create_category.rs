//! `POST /v1/categories`: a category is added to the tree.

use axum::extract::State;
use contracts::product::CategoryId;
use kernel::{Validate, Violations};
use platform::db::Tx;
use platform::http::{ApiError, Reply, Valid};
use platform::idempotency::IdempotencyKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::category::{Category, CategoryView, DEEPEST, MOST_CATEGORIES};
use crate::store::categories;
use crate::{ProductError, ProductService, get_category, keep};

/// A category to be.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateCategory {
    #[schema(min_length = 1, max_length = 100, example = "Mugs")]
    name: String,
    /// Its address in the shop: lower-case letters and digits, joined by hyphens.
    #[schema(
        min_length = 1,
        max_length = 120,
        pattern = "^[a-z0-9]+(-[a-z0-9]+)*$",
        example = "mugs"
    )]
    slug: String,
    /// Which one it lies below; left out for the top.
    #[serde(default)]
    parent_id: Option<CategoryId>,
    /// Where it stands among those with the same parent; names decide between equal ones.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000)]
    position: i64,
}

/// The other rules are those of the category that comes of it.
impl Validate for CreateCategory {
    fn validate(&self, _: &mut Violations) {}
}

/// Adds a category.
#[utoipa::path(
    post,
    path = "/v1/categories",
    request_body = CreateCategory,
    responses((status = 201, body = CategoryView, description = "Created."))
)]
pub(crate) async fn handler(
    State(service): State<ProductService>,
    key: IdempotencyKey,
    Valid(body): Valid<CreateCategory>,
) -> Result<Reply, ApiError> {
    Ok(service.create_category(key, body).await?)
}

impl ProductService {
    async fn create_category(
        &self,
        key: IdempotencyKey,
        body: CreateCategory,
    ) -> Result<Reply, ProductError> {
        let request = key.request(key.derived().unwrap_or_default(), &body);
        request
            .once(&self.db, move |tx| async move {
                let tree = categories::change_tree(&tx).await?;
                let now = tx.sources().now();
                let category = Category {
                    id: tx.sources().id(),
                    parent_id: body.parent_id,
                    slug: body.slug,
                    name: body.name,
                    position: body.position,
                    version: 1,
                    created_at: now,
                    updated_at: now,
                };
                add(&tx, &category).await?;
                let location = format!("/v1/categories/{}", category.id);
                let view = get_category::view(&tx, category).await?;
                Ok(Reply::created(location, &view).tagged(view.etag(tree)))
            })
            .await
    }
}

/// Adds a category below its parent. The tree must be held; see
/// [`change_tree`](categories::change_tree).
pub(crate) async fn add(tx: &Tx, category: &Category) -> Result<(), ProductError> {
    keep::valid(|violations| category.check(violations))?;
    if categories::count(tx).await? >= MOST_CATEGORIES {
        return Err(ProductError::TooManyCategories(MOST_CATEGORIES));
    }
    if let Some(parent) = category.parent_id {
        let depth = depth_of_parent(tx, parent).await?;
        if depth >= DEEPEST {
            return Err(ProductError::BadCategoryTree(TOO_DEEP));
        }
    }
    if !categories::add(tx, category).await? {
        return Err(ProductError::SlugTaken(category.slug.clone()));
    }
    Ok(categories::add_ancestors(tx, category.id, category.parent_id).await?)
}

/// Why a category cannot be where it would be.
pub(crate) const TOO_DEEP: &str = "categories may lie eight levels deep";

/// How deep a category lies that shall be the parent of another one; fails if it is not there.
pub(crate) async fn depth_of_parent(tx: &Tx, parent: CategoryId) -> Result<i64, ProductError> {
    let depth = categories::depth(tx, parent).await?;
    keep::valid(|violations| {
        violations.require(depth > 0, "parent_id", "there is no such category");
    })?;
    Ok(depth)
}
