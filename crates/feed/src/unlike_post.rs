//! `DELETE /v1/posts/{id}/like`: a customer does not like a post any more.

use axum::extract::State;
use contracts::feed::PostId;
use kernel::CustomerId;
use platform::http::{ApiError, CallerOf, PathId, Reply};

use crate::get_post::author_of;
use crate::store::likes;
use crate::store::posts::{self, Counted};
use crate::{FeedError, FeedService};

/// Takes back that the caller likes a post. Once or many times is the same.
#[utoipa::path(
    delete,
    path = "/v1/posts/{id}/like",
    params(("id" = PostId, Path, description = "The post.")),
    responses((status = 204, description = "The caller does not like it."))
)]
pub(crate) async fn handler(
    State(feed): State<FeedService>,
    caller: CallerOf,
    PathId(id): PathId<PostId>,
) -> Result<Reply, ApiError> {
    let customer = caller.customer().ok_or(FeedError::NotFound("post"))?;
    Ok(feed.unlike_post(customer, id).await?)
}

impl FeedService {
    async fn unlike_post(&self, customer: CustomerId, id: PostId) -> Result<Reply, FeedError> {
        let author = author_of(&self.db.read().await?, id).await?;
        self.db
            .write(move |tx| async move {
                let liked = likes::remove(&tx, author, id, customer).await?;
                let less = Counted::likes(-1);
                let there = match liked {
                    true => posts::count(&tx, author, id, less).await?,
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
