//! `PATCH /v1/categories/{id}`: a category gets another name or another place.

use std::collections::BTreeSet;

use axum::extract::State;
use contracts::product::CategoryId;
use kernel::{Validate, Violations};
use platform::db::Tx;
use platform::http::{ApiError, IfMatch, PathId, Reply, Valid};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::category::{Category, CategoryView, DEEPEST};
use crate::create_category::{TOO_DEEP, depth_of_parent};
use crate::store::{categories, listing_below};
use crate::{ProductError, ProductService, get_category, keep};

/// What changes; what is left out stays.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateCategory {
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    #[schema(min_length = 1, max_length = 120, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$")]
    slug: Option<String>,
    /// `null` moves it to the top.
    #[serde(default, deserialize_with = "kernel::validate::nullable")]
    #[schema(value_type = Option<CategoryId>)]
    parent_id: Option<Option<CategoryId>>,
    #[schema(minimum = 0, maximum = 1_000_000)]
    position: Option<i64>,
}

/// The rules are those of the category that comes of it.
impl Validate for UpdateCategory {
    fn validate(&self, _: &mut Violations) {}
}

/// Changes a category. What lies below it moves with it.
#[utoipa::path(
    patch,
    path = "/v1/categories/{id}",
    params(
        ("id" = CategoryId, Path, description = "The category."),
        ("If-Match" = String, Header, description = "The `ETag` of the version to change."),
    ),
    request_body = UpdateCategory,
    responses((status = 200, body = CategoryView, description = "The category as it is now."))
)]
pub(crate) async fn handler(
    State(service): State<ProductService>,
    PathId(id): PathId<CategoryId>,
    if_match: IfMatch,
    Valid(body): Valid<UpdateCategory>,
) -> Result<Reply, ApiError> {
    Ok(service.update_category(id, if_match, body).await?)
}

impl ProductService {
    async fn update_category(
        &self,
        id: CategoryId,
        if_match: IfMatch,
        body: UpdateCategory,
    ) -> Result<Reply, ProductError> {
        self.db
            .write(move |tx| async move {
                let tree = categories::change_tree(&tx).await?;
                let was = categories::by_id(&tx, id).await?;
                let was = was.ok_or(ProductError::NotFound("category"))?;
                if_match.demand(was.version)?;
                let mut is = body.apply(&was);
                keep::valid(|violations| is.check(violations))?;
                if is.parent_id != was.parent_id {
                    relocate(&tx, &is).await?;
                } else if is.name != was.name {
                    // Products are found by the names of what they lie in.
                    listing_below::hold(&tx, id).await?;
                    listing_below::note_changes(&tx, id).await?;
                }
                is.version += 1;
                is.updated_at = tx.sources().now();
                if !categories::slug_free(&tx, &is).await? {
                    return Err(ProductError::SlugTaken(is.slug));
                }
                categories::change(&tx, &is).await?;
                let view = get_category::view(&tx, is).await?;
                Ok(Reply::ok(&view).tagged(view.etag(tree)))
            })
            .await
    }
}

impl UpdateCategory {
    fn apply(self, was: &Category) -> Category {
        let mut is = was.clone();
        is.name = self.name.unwrap_or(is.name);
        is.slug = self.slug.unwrap_or(is.slug);
        is.parent_id = self.parent_id.unwrap_or(is.parent_id);
        is.position = self.position.unwrap_or(is.position);
        is
    }
}

/// Moves a category with everything below it under its new parent, and lists the products in there
/// under what lies above them now.
async fn relocate(tx: &Tx, category: &Category) -> Result<(), ProductError> {
    let id = category.id;
    let above = async |category| -> Result<BTreeSet<CategoryId>, ProductError> {
        let ancestors = categories::ancestors(tx, category).await?;
        Ok(ancestors.into_iter().collect())
    };
    let mut before = above(id).await?;
    before.remove(&id);
    let after = match category.parent_id {
        None => BTreeSet::new(),
        Some(parent) => {
            let depth = depth_of_parent(tx, parent).await?;
            if depth + categories::height(tx, id).await? > DEEPEST {
                return Err(ProductError::BadCategoryTree(TOO_DEEP));
            }
            above(parent).await?
        }
    };
    if after.contains(&id) {
        let detail = "a category cannot lie below itself";
        return Err(ProductError::BadCategoryTree(detail));
    }
    listing_below::hold(tx, id).await?;
    let left: Vec<CategoryId> = before.difference(&after).copied().collect();
    listing_below::remove(tx, id, &left).await?;
    categories::move_below(tx, id, category.parent_id, &before).await?;
    let concerned: Vec<CategoryId> = before.symmetric_difference(&after).copied().collect();
    listing_below::add(tx, id, &concerned).await?;
    listing_below::note_changes(tx, id).await?;
    Ok(())
}
