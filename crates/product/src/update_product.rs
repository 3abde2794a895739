//! `PATCH /v1/products/{id}`: a product is changed.

use std::collections::BTreeMap;

use axum::extract::State;
use contracts::product::{CategoryId, InventoryMode, ProductId, VariantId};
use kernel::{FieldError, Sources, Validate, Violations};
use platform::http::{ApiError, IfMatch, PathId, Reply, Valid};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::create_product::NewVariant;
use crate::keep::Change;
use crate::model::{Image, Price, Product, ProductOption, ProductStatus, Variant};
use crate::store::products;
use crate::{ProductError, ProductService, keep};

/// What changes; what is left out stays.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateProduct {
    #[schema(min_length = 1, max_length = 120, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$")]
    slug: Option<String>,
    #[schema(min_length = 1, max_length = 200)]
    title: Option<String>,
    #[schema(max_length = 20000)]
    description: Option<String>,
    /// `null` removes it.
    #[serde(default, deserialize_with = "kernel::validate::nullable")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    vendor: Option<Option<String>>,
    /// `draft` or `active`; either also restores an archived product.
    status: Option<ProductStatus>,
    #[schema(max_items = 50)]
    tags: Option<Vec<String>>,
    #[schema(max_items = 20)]
    category_ids: Option<Vec<CategoryId>>,
    #[schema(max_items = 50)]
    images: Option<Vec<Image>>,
    #[schema(max_items = 3)]
    options: Option<Vec<ProductOption>>,
    /// All variants, in order: those with an id are changed, those without are new, those that are
    /// missing are removed.
    #[schema(min_items = 1, max_items = 100)]
    variants: Option<Vec<VariantChange>>,
}

/// A variant that is changed, if it has an id, or new. What is left out stays as it is, or as a
/// new variant has it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VariantChange {
    id: Option<VariantId>,
    /// A new variant needs one.
    #[schema(min_length = 1, max_length = 100)]
    sku: Option<String>,
    options: Option<BTreeMap<String, String>>,
    #[schema(max_items = 20)]
    prices: Option<Vec<Price>>,
    inventory: Option<InventoryMode>,
    backorder: Option<bool>,
    requires_shipping: Option<bool>,
    /// `null` removes it.
    #[serde(default, deserialize_with = "kernel::validate::nullable")]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000_i64)]
    weight_grams: Option<Option<i64>>,
    /// `null` removes it.
    #[serde(default, deserialize_with = "kernel::validate::nullable")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 50)]
    barcode: Option<Option<String>>,
}

/// The other rules are those of the product that comes of it; see [`rules`](crate::rules).
impl Validate for UpdateProduct {
    fn validate(&self, violations: &mut Violations) {
        violations.require(
            self.status != Some(ProductStatus::Archived),
            "status",
            "expected draft or active; to archive the product has a route of its own",
        );
    }
}

/// Changes a product. Removed variants can no longer be bought; what is known of their stock stays.
#[utoipa::path(
    patch,
    path = "/v1/products/{id}",
    params(
        ("id" = ProductId, Path, description = "The product."),
        ("If-Match" = String, Header, description = "The `ETag` of the version to change."),
    ),
    request_body = UpdateProduct,
    responses((status = 200, body = Product, description = "The product as it is now."))
)]
pub(crate) async fn handler(
    State(service): State<ProductService>,
    PathId(id): PathId<ProductId>,
    if_match: IfMatch,
    Valid(body): Valid<UpdateProduct>,
) -> Result<Reply, ApiError> {
    Ok(service.update_product(id, if_match, body).await?)
}

impl ProductService {
    async fn update_product(
        &self,
        id: ProductId,
        if_match: IfMatch,
        body: UpdateProduct,
    ) -> Result<Reply, ProductError> {
        self.db
            .write(move |tx| async move {
                let kept = products::by_id(&tx, id).await?;
                let kept = kept.ok_or(ProductError::NotFound("product"))?;
                if_match.demand(kept.version)?;
                let was = kept.document.parse()?;
                let mut is = body.apply(&was, tx.sources())?;
                keep::check(&is)?;
                if !is.same_as(&was) {
                    is.version += 1;
                    is.updated_at = tx.sources().now();
                    let changes = [Change { was, is }];
                    keep::change(&tx, &changes, changes[0].is.updated_at).await?;
                    let [Change { is: changed, .. }] = changes;
                    is = changed;
                }
                is.fill_stock(&products::available(&tx, id).await?);
                Ok(Reply::ok(&is).tagged(is.etag()))
            })
            .await
    }
}

impl UpdateProduct {
    /// The product with the changes.
    fn apply(self, was: &Product, sources: &Sources) -> Result<Product, ProductError> {
        let mut is = was.clone();
        match self.status {
            Some(status) => is.status = status,
            None if was.status == ProductStatus::Archived => return Err(ProductError::Archived),
            None => {}
        }
        set(&mut is.slug, self.slug);
        set(&mut is.title, self.title);
        set(&mut is.description, self.description);
        set(&mut is.vendor, self.vendor);
        set(&mut is.tags, self.tags);
        set(&mut is.category_ids, self.category_ids);
        set(&mut is.images, self.images);
        set(&mut is.options, self.options);
        if let Some(changes) = self.variants {
            is.variants = variants(changes, &was.variants, sources)?;
        }
        is.derive_titles();
        Ok(is)
    }
}

/// The variants with the changes, in the order of the changes.
fn variants(
    changes: Vec<VariantChange>,
    were: &[Variant],
    sources: &Sources,
) -> Result<Vec<Variant>, ProductError> {
    let mut left: BTreeMap<VariantId, &Variant> = were.iter().map(|v| (v.id, v)).collect();
    let (mut variants, mut errors) = (Vec::with_capacity(changes.len()), Vec::new());
    for (index, change) in changes.into_iter().enumerate() {
        let base = match (change.id, &change.sku) {
            (Some(id), _) => {
                let known = left.remove(&id).cloned();
                known.ok_or((
                    "id",
                    "the product has no such variant, or it is there twice",
                ))
            }
            (None, Some(sku)) => Ok(NewVariant::with_sku(sku.clone()).into_variant(sources)),
            (None, None) => Err(("sku", "a new variant needs one")),
        };
        match base {
            Ok(base) => variants.push(change.apply(base)),
            Err((field, detail)) => errors.push(FieldError {
                pointer: format!("/variants/{index}/{field}"),
                code: kernel::problem::codes::INVALID.into(),
                detail: detail.to_owned(),
            }),
        }
    }
    if errors.is_empty() {
        Ok(variants)
    } else {
        Err(ProductError::Invalid(errors))
    }
}

impl VariantChange {
    fn apply(self, mut variant: Variant) -> Variant {
        set(&mut variant.sku, self.sku);
        set(&mut variant.options, self.options);
        set(&mut variant.prices, self.prices);
        set(&mut variant.inventory, self.inventory);
        set(&mut variant.backorder, self.backorder);
        set(&mut variant.requires_shipping, self.requires_shipping);
        set(&mut variant.weight_grams, self.weight_grams);
        set(&mut variant.barcode, self.barcode);
        variant
    }
}

fn set<T>(field: &mut T, change: Option<T>) {
    if let Some(value) = change {
        *field = value;
    }
}
