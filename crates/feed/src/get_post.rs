//! `GET /v1/posts/{id}`: one post.

use axum::extract::State;
use contracts::feed::PostId;
use kernel::Caller;
use platform::db::Tx;
use platform::http::{ApiError, CallerOf, PathId, Reply};

use crate::model::{AuthorId, PostView};
use crate::store::{likes, posts};
use crate::{FeedError, FeedService};

/// Shows a post, and to a customer whether they like it.
#[utoipa::path(
    get,
    path = "/v1/posts/{id}",
    params(("id" = PostId, Path, description = "The post.")),
    responses((status = 200, body = PostView, description = "The post."))
)]
pub(crate) async fn handler(
    State(feed): State<FeedService>,
    caller: CallerOf,
    PathId(id): PathId<PostId>,
) -> Result<Reply, ApiError> {
    Ok(feed.get_post(&caller, id).await?)
}

impl FeedService {
    async fn get_post(&self, caller: &Caller, id: PostId) -> Result<Reply, FeedError> {
        let tx = self.db.read().await?;
        let author = author_of(&tx, id).await?;
        let asked = [id];
        // On PostgreSQL both travel together.
        let (post, liked) = tokio::join!(
            posts::post(&tx, author, id),
            likes::liked_by(&tx, author, caller.customer(), &asked)
        );
        let post = post?.ok_or(FeedError::NotFound("post"))?;
        let liked = liked?.map(|liked| liked.contains(&id));
        Ok(Reply::ok(&PostView::new(post, liked)))
    }
}

/// Whose a post is. It may have been removed.
pub(crate) async fn author_of(tx: &Tx, id: PostId) -> Result<AuthorId, FeedError> {
    let author = posts::author(tx, id).await?;
    author.ok_or(FeedError::NotFound("post"))
}
