//! `DELETE /v1/posts/{id}/comments/{comment_id}`: a comment is taken away.

use axum::extract::State;
use contracts::feed::{CommentId, PostId};
use kernel::Caller;
use platform::http::{ApiError, CallerOf, PathIds, Reply};

use crate::get_post::author_of;
use crate::store::comments;
use crate::store::posts::{self, Counted};
use crate::{FeedError, FeedService};

/// Removes a comment: a customer their own and those on their posts, staff those of customers, and
/// with `feed:write` those of the shop.
#[utoipa::path(
    delete,
    path = "/v1/posts/{id}/comments/{comment_id}",
    params(("id" = PostId, Path, description = "The post."),
           ("comment_id" = CommentId, Path, description = "The comment.")),
    responses((status = 204, description = "Removed."))
)]
pub(crate) async fn handler(
    State(feed): State<FeedService>,
    caller: CallerOf,
    PathIds(post, id): PathIds<PostId, CommentId>,
) -> Result<Reply, ApiError> {
    Ok(feed.remove_comment(&caller, post, id).await?)
}

impl FeedService {
    async fn remove_comment(
        &self,
        caller: &Caller,
        post: PostId,
        id: CommentId,
    ) -> Result<Reply, FeedError> {
        let tx = self.db.read().await?;
        let author = author_of(&tx, post).await?;
        let writer = comments::writer(&tx, author, post, id).await?;
        drop(tx);
        let writer = writer.ok_or(FeedError::NotFound("comment"))?;
        let own_post = author
            .customer()
            .is_some_and(|id| caller.customer() == Some(id));
        if !writer.lets_remove(caller) && !own_post {
            return Err(FeedError::NotFound("comment"));
        }
        self.db
            .write(move |tx| async move {
                let less = Counted::comments(-1);
                let removed = comments::remove(&tx, author, post, id).await?;
                if !removed || !posts::count(&tx, author, post, less).await? {
                    return Err(FeedError::NotFound("comment"));
                }
                Ok(Reply::no_content())
            })
            .await
    }
}
