//! `POST /v1/posts/{id}/comments`: somebody says something about a post.

use axum::extract::State;
use contracts::feed::PostId;
use kernel::{Caller, Validate, Violations};
use platform::http::{ApiError, CallerOf, PathId, Reply, Valid};
use platform::idempotency::IdempotencyKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::get_post::author_of;
use crate::model::{Comment, CommentView};
use crate::store::comments;
use crate::store::posts::{self, Counted};
use crate::{FeedError, FeedService};

/// What somebody says about a post.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddComment {
    /// What it says, in lines.
    #[schema(min_length = 1, max_length = 2000, example = "Do they come in green?")]
    text: String,
    /// What the writer wants to be called here. Nothing of a customer's profile is shown.
    #[schema(min_length = 1, max_length = 60, example = "Ada")]
    signature: Option<String>,
}

impl Validate for AddComment {
    fn validate(&self, violations: &mut Violations) {
        violations.prose("text", &self.text, 1..=2000);
        if let Some(signature) = &self.signature {
            violations.text("signature", signature, 1..=60);
        }
    }
}

/// Comments on a post: staff with `feed:write` as the shop, customers as themselves, once their
/// e-mail address is verified. Everybody can read it.
#[utoipa::path(
    post,
    path = "/v1/posts/{id}/comments",
    params(("id" = PostId, Path, description = "The post.")),
    request_body = AddComment,
    responses((status = 201, body = CommentView, description = "Added.",
        headers(("Location" = String, description = "What names it, to remove it."))))
)]
pub(crate) async fn handler(
    State(feed): State<FeedService>,
    caller: CallerOf,
    PathId(id): PathId<PostId>,
    key: IdempotencyKey,
    Valid(body): Valid<AddComment>,
) -> Result<Reply, ApiError> {
    Ok(feed.add_comment(&caller, id, key, body).await?)
}

impl FeedService {
    async fn add_comment(
        &self,
        caller: &Caller,
        id: PostId,
        key: IdempotencyKey,
        body: AddComment,
    ) -> Result<Reply, FeedError> {
        let author = author_of(&self.db.read().await?, id).await?;
        let request = key.request(author.uuid(), &(id, &body));
        let writer = self.writer(caller, body.signature).await?;
        request
            .once(&self.db, move |tx| async move {
                let comment = Comment {
                    id: tx.sources().id(),
                    writer_id: writer.id,
                    signature: writer.signature,
                    text: body.text,
                    written_at: tx.sources().now(),
                };
                comments::add(&tx, author, id, &comment, writer.staff_id).await?;
                // Last, as others wait for it.
                if !posts::count(&tx, author, id, Counted::comments(1)).await? {
                    return Err(FeedError::NotFound("post"));
                }
                let location = format!("/v1/posts/{id}/comments/{}", comment.id);
                Ok(Reply::created(location, &CommentView::from(comment)))
            })
            .await
    }
}
