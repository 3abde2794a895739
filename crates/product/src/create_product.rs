//! `POST /v1/products`: a product is added to the catalogue.

use std::collections::BTreeMap;

use axum::extract::State;
use contracts::product::{CategoryId, InventoryMode};
use kernel::{Sources, Validate, Violations};
use platform::http::{ApiError, Reply, Valid};
use platform::idempotency::IdempotencyKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{Image, Price, Product, ProductOption, ProductStatus, Variant};
use crate::{ProductError, ProductService, keep};

/// A product to be.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateProduct {
    /// Its address in the shop: lower-case letters and digits, joined by hyphens.
    #[schema(
        min_length = 1,
        max_length = 120,
        pattern = "^[a-z0-9]+(-[a-z0-9]+)*$",
        example = "mug"
    )]
    slug: String,
    #[schema(min_length = 1, max_length = 200, example = "Mug")]
    title: String,
    #[serde(default)]
    #[schema(max_length = 20000)]
    description: String,
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100)]
    vendor: Option<String>,
    /// `draft` or `active`.
    #[serde(default = "draft")]
    status: ProductStatus,
    /// Each of 1 to 50 characters.
    #[serde(default)]
    #[schema(max_items = 50)]
    tags: Vec<String>,
    #[serde(default)]
    #[schema(max_items = 20)]
    category_ids: Vec<CategoryId>,
    #[serde(default)]
    #[schema(max_items = 50)]
    images: Vec<Image>,
    /// What its variants differ in.
    #[serde(default)]
    #[schema(max_items = 3)]
    options: Vec<ProductOption>,
    #[schema(min_items = 1, max_items = 100)]
    variants: Vec<NewVariant>,
}

fn draft() -> ProductStatus {
    ProductStatus::Draft
}

/// A variant to be.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewVariant {
    /// Stock keeping unit; no two variants share one.
    #[schema(min_length = 1, max_length = 100, example = "MUG-M")]
    sku: String,
    /// Its value of each of the product's options.
    #[serde(default)]
    options: BTreeMap<String, String>,
    /// At most one in each currency.
    #[serde(default)]
    #[schema(max_items = 20)]
    prices: Vec<Price>,
    #[serde(default = "reserve_on_order")]
    #[schema(default = "reserve_on_order")]
    inventory: InventoryMode,
    /// Whether it is sold when there is none.
    #[serde(default)]
    backorder: bool,
    /// Whether it is sent by parcel.
    #[serde(default = "yes")]
    #[schema(default = true)]
    requires_shipping: bool,
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000_000_i64)]
    weight_grams: Option<i64>,
    /// GTIN, ISBN and the like.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 50)]
    barcode: Option<String>,
}

fn reserve_on_order() -> InventoryMode {
    InventoryMode::ReserveOnOrder
}

fn yes() -> bool {
    true
}

/// The other rules are those of the product that comes of it; see [`rules`](crate::rules).
impl Validate for CreateProduct {
    fn validate(&self, violations: &mut Violations) {
        violations.require(
            self.status != ProductStatus::Archived,
            "status",
            "expected draft or active",
        );
    }
}

/// Adds a product to the catalogue.
#[utoipa::path(
    post,
    path = "/v1/products",
    request_body = CreateProduct,
    responses((status = 201, body = Product, description = "Created."))
)]
pub(crate) async fn handler(
    State(products): State<ProductService>,
    key: IdempotencyKey,
    Valid(body): Valid<CreateProduct>,
) -> Result<Reply, ApiError> {
    Ok(products.create_product(key, body).await?)
}

impl ProductService {
    async fn create_product(
        &self,
        key: IdempotencyKey,
        body: CreateProduct,
    ) -> Result<Reply, ProductError> {
        let request = key.request(key.derived().unwrap_or_default(), &body);
        let product = body.into_product(self.db.sources());
        keep::check(&product)?;
        request
            .once(&self.db, move |tx| async move {
                keep::add(&tx, &[&product], product.created_at).await?;
                Ok(
                    Reply::created(format!("/v1/products/{}", product.id), &product)
                        .tagged(product.etag()),
                )
            })
            .await
    }
}

impl CreateProduct {
    fn into_product(self, sources: &Sources) -> Product {
        let now = sources.now();
        let variants = self.variants.into_iter();
        let mut product = Product {
            id: sources.id(),
            slug: self.slug,
            title: self.title,
            description: self.description,
            vendor: self.vendor,
            status: self.status,
            tags: self.tags,
            category_ids: self.category_ids,
            images: self.images,
            options: self.options,
            variants: variants.map(|new| new.into_variant(sources)).collect(),
            version: 1,
            created_at: now,
            updated_at: now,
            in_stock: false,
        };
        product.begin_stock();
        product.derive_titles();
        product
    }
}

impl NewVariant {
    /// A variant with nothing but its SKU.
    pub(crate) fn with_sku(sku: String) -> Self {
        Self {
            sku,
            options: BTreeMap::new(),
            prices: Vec::new(),
            inventory: reserve_on_order(),
            backorder: false,
            requires_shipping: yes(),
            weight_grams: None,
            barcode: None,
        }
    }

    pub(crate) fn into_variant(self, sources: &Sources) -> Variant {
        Variant {
            id: sources.id(),
            sku: self.sku,
            title: String::new(),
            options: self.options,
            prices: self.prices,
            inventory: self.inventory,
            backorder: self.backorder,
            requires_shipping: self.requires_shipping,
            weight_grams: self.weight_grams,
            barcode: self.barcode,
            available: None,
        }
    }
}
