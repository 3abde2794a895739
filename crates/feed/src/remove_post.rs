//! `DELETE /v1/posts/{id}`: a post is taken away.

use axum::extract::State;
use contracts::feed::{PostId, PostRemoved};
use kernel::Caller;
use platform::events;
use platform::http::{ApiError, CallerOf, PathId, Reply};

use crate::get_post::author_of;
use crate::store::posts;
use crate::{FeedError, FeedService};

/// Removes a post, with what others made of it: a customer their own, staff those of customers, and
/// with `feed:write` those of the shop.
#[utoipa::path(
    delete,
    path = "/v1/posts/{id}",
    params(("id" = PostId, Path, description = "The post.")),
    responses((status = 204, description = "Removed."))
)]
pub(crate) async fn handler(
    State(feed): State<FeedService>,
    caller: CallerOf,
    PathId(id): PathId<PostId>,
) -> Result<Reply, ApiError> {
    Ok(feed.remove_post(&caller, id).await?)
}

impl FeedService {
    async fn remove_post(&self, caller: &Caller, id: PostId) -> Result<Reply, FeedError> {
        let author = author_of(&self.db.read().await?, id).await?;
        if !author.lets_remove(caller) {
            return Err(FeedError::NotFound("post"));
        }
        let staff_id = caller.staff();
        self.db
            .write(move |tx| async move {
                let now = tx.sources().now();
                if !posts::remove(&tx, author, id, now).await? {
                    return Err(FeedError::NotFound("post"));
                }
                let event = PostRemoved {
                    post_id: id,
                    customer_id: author.customer(),
                    staff_id,
                    removed_at: now,
                };
                events::emit(&tx, &event).await?;
                Ok(Reply::no_content())
            })
            .await
    }
}
