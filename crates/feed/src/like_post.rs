//! `PUT /v1/posts/{id}/like`: a customer likes a post.

use axum::extract::State;
use contracts::feed::PostId;
use kernel::CustomerId;
use platform::http::{ApiError, CallerOf, PathId, Reply};

use crate::get_post::author_of;
use crate::store::likes;
use crate::store::posts::{self, Counted};
use crate::{FeedError, FeedService};

/// Likes a post. Once or many times is the same.
#[utoipa::path(
    put,
    path = "/v1/posts/{id}/like",
    params(("id" = PostId, Path, description = "The post.")),
    responses((status = 204, description = "The caller likes it."))
)]
pub(crate) async fn handler(
    State(feed): State<FeedService>,
    caller: CallerOf,
    PathId(id): PathId<PostId>,
) -> Result<Reply, ApiError> {
    let customer = caller.customer().ok_or(FeedError::NotFound("post"))?;
    Ok(feed.like_post(customer, id).await?)
}

impl FeedService {
    async fn like_post(&self, customer: CustomerId, id: PostId) -> Result<Reply, FeedError> {
        let author = author_of(&self.db.read().await?, id).await?;
        self.db
            .write(move |tx| async move {
                let new = likes::add(&tx, author, id, customer).await?;
                let more = Counted::likes(1);
                let there = match new {
                    true => posts::count(&tx, author, id, more).await?,
                    false => posts::is_there(&tx, author, id).await?,
                };
                if !there {
                    return Err(FeedError::NotFound("post"));
                }
                Ok(Reply::no_content())
            })
            .await
    }
}
