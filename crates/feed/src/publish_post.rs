//! `POST /v1/posts`: the shop or a customer tells everybody something.

use axum::extract::State;
use contracts::feed::PostPublished;
use contracts::product::{FindProducts, ProductId};
use kernel::{Caller, Json, Validate, Violations};
use platform::db::Db;
use platform::events;
use platform::http::{ApiError, CallerOf, Reply, Valid};
use platform::idempotency::{IdempotencyKey, IdempotentRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{AuthorId, NewPost, PostView, Writer};
use crate::store::posts;
use crate::writer::author;
use crate::{FeedError, FeedService};

/// The most products that one post shows.
const MOST_PRODUCTS: usize = 10;

/// Something to tell everybody.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublishPost {
    /// What it says, in lines.
    #[schema(
        min_length = 1,
        max_length = 5000,
        example = "The autumn glazes are here."
    )]
    text: String,
    /// What it shows: products that are on sale, 10 at the most.
    #[serde(default)]
    #[schema(max_items = 10)]
    product_ids: Vec<ProductId>,
    /// What the author wants to be called here. Nothing of a customer's profile is shown.
    #[schema(min_length = 1, max_length = 60, example = "Ada")]
    signature: Option<String>,
}

impl Validate for PublishPost {
    fn validate(&self, violations: &mut Violations) {
        violations.prose("text", &self.text, 1..=5000);
        if let Some(signature) = &self.signature {
            violations.text("signature", signature, 1..=60);
        }
        let ids = &self.product_ids;
        let few = ids.len() <= MOST_PRODUCTS;
        violations.require(few, "product_ids", "expected at most 10 products");
        violations.within("product_ids", |violations| {
            for (place, id) in ids.iter().enumerate().take(MOST_PRODUCTS) {
                let new = !ids[..place].contains(id);
                violations.require(new, place, "is there twice");
            }
        });
    }
}

/// Posts something: staff with `feed:write` as the shop, customers as themselves, once their e-mail
/// address is verified. Everybody can read it.
#[utoipa::path(
    post,
    path = "/v1/posts",
    request_body = PublishPost,
    responses((status = 201, body = PostView, description = "Published.",
        headers(("Location" = String, description = "Where it is to be had."))))
)]
pub(crate) async fn handler(
    State(feed): State<FeedService>,
    caller: CallerOf,
    key: IdempotencyKey,
    Valid(body): Valid<PublishPost>,
) -> Result<Reply, ApiError> {
    Ok(feed.publish_post(&caller, key, body).await?)
}

impl FeedService {
    async fn publish_post(
        &self,
        caller: &Caller,
        key: IdempotencyKey,
        body: PublishPost,
    ) -> Result<Reply, FeedError> {
        let author = author(caller)?;
        let request = key.request(author.uuid(), &body);
        if let Some(reply) = request.replay(&self.db.read().await?).await? {
            return Ok(reply);
        }
        let (writer, ()) = tokio::try_join!(
            self.writer(caller, body.signature),
            self.check_products(&body.product_ids)
        )?;
        let new = NewPost {
            id: self.db.sources().id(),
            writer,
            text: body.text,
            product_ids: Json(body.product_ids),
        };
        let result = publish(&self.db, new, request.clone()).await;
        request.settle(&self.db, result).await
    }

    async fn check_products(&self, wanted: &[ProductId]) -> Result<(), FeedError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let product_ids = wanted.to_vec();
        let on_sale = self
            .product
            .find_products(FindProducts { product_ids })
            .await?;
        match wanted.iter().position(|id| !on_sale.contains(id)) {
            Some(index) => Err(FeedError::UnknownProduct { index }),
            None => Ok(()),
        }
    }
}

/// A post and whose it is are distributed by different keys, so each has a transaction of its own:
/// first whose it is, so that every post can be found. Where no post follows, that stays: it leads
/// to nothing, and an attempt that has failed for all we know may have been made.
async fn publish(db: &Db, new: NewPost, request: IdempotentRequest) -> Result<Reply, FeedError> {
    let (id, author) = (new.id, new.writer.id);
    db.write(move |tx| async move { posts::note_author(&tx, id, author).await })
        .await?;
    db.write(move |tx| async move {
        let now = tx.sources().now();
        posts::add(&tx, &new, now).await?;
        let event = PostPublished {
            post_id: id,
            customer_id: author.customer(),
            published_at: now,
        };
        events::emit(&tx, &event).await?;
        let view = PostView::new(new.published(now), None);
        let reply = Reply::created(format!("/v1/posts/{id}"), &view);
        request.keep(&tx, &reply).await?;
        Ok(reply)
    })
    .await
}

/// Posts something as the shop. For whoever sets one up.
pub async fn publish_for_shop(
    db: &Db,
    text: &str,
    product_ids: Vec<ProductId>,
) -> Result<(), FeedError> {
    let new = NewPost {
        id: db.sources().id(),
        writer: Writer {
            id: AuthorId::SHOP,
            staff_id: None,
            signature: None,
        },
        text: text.to_owned(),
        product_ids: Json(product_ids),
    };
    let request = IdempotencyKey::none().request(AuthorId::SHOP.uuid(), &());
    publish(db, new, request).await.map(drop)
}
