//! `GET /v1/posts/{id}/comments`: what was said about a post.

use axum::extract::State;
use contracts::feed::{CommentId, PostId};
use kernel::{Cursor, Id, Limit, Page, Validate, Violations};
use platform::http::{ApiError, PathId, Query, Reply};
use platform::idempotency::bad_cursor;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::get_post::author_of;
use crate::model::CommentView;
use crate::store::{comments, posts};
use crate::{FeedError, FeedService};

/// Which comments.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListComments {
    /// How many at the most.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// Where the page starts: `next_cursor` of the page before.
    #[param(inline)]
    cursor: Option<Cursor>,
}

impl Validate for ListComments {
    fn validate(&self, _: &mut Violations) {}
}

/// Lists the comments on a post, the oldest first.
#[utoipa::path(
    get,
    path = "/v1/posts/{id}/comments",
    params(("id" = PostId, Path, description = "The post."), ListComments),
    responses((status = 200, body = Page<CommentView>, description = "A page of comments."))
)]
pub(crate) async fn handler(
    State(feed): State<FeedService>,
    PathId(id): PathId<PostId>,
    Query(query): Query<ListComments>,
) -> Result<Reply, ApiError> {
    Ok(feed.list_comments(id, query).await?)
}

impl FeedService {
    async fn list_comments(&self, id: PostId, query: ListComments) -> Result<Reply, FeedError> {
        let ListComments { limit, cursor } = query;
        let filter = ("comments", id);
        let after = cursor.map(|cursor| cursor.key(&filter));
        let after = after.transpose().map_err(bad_cursor)?;
        let after = after.unwrap_or(CommentId::from_uuid(Uuid::nil()));
        let tx = self.db.read().await?;
        let author = author_of(&tx, id).await?;
        // On PostgreSQL both travel together.
        let (there, found) = tokio::join!(
            posts::is_there(&tx, author, id),
            comments::page(&tx, author, id, after, limit.rows())
        );
        if !there? {
            return Err(FeedError::NotFound("post"));
        }
        let page = Page::of(found?, limit.get(), &filter, |comment| comment.id);
        Ok(Reply::ok(&page.map(CommentView::from)))
    }
}
