//! `GET /v1/timelines/{author}`: what somebody has posted.

use axum::extract::State;
use contracts::feed::PostId;
use kernel::{Caller, Cursor, Id, Limit, Page, Validate, Violations};
use platform::http::{ApiError, CallerOf, PathId, Query, Reply};
use platform::idempotency::bad_cursor;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::model::{AuthorId, PostView};
use crate::store::{likes, posts};
use crate::{FeedError, FeedService};

/// Which posts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct GetTimeline {
    /// How many at the most.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// Where the page starts: `next_cursor` of the page before.
    #[param(inline)]
    cursor: Option<Cursor>,
}

impl Validate for GetTimeline {
    fn validate(&self, _: &mut Violations) {}
}

/// Lists what an author has posted, the newest first: the shop, or a customer. A customer who asks
/// is told which of it they like.
#[utoipa::path(
    get,
    path = "/v1/timelines/{author}",
    params(
        ("author" = String, Path, description = "`shop`, or the id of a customer.", example = "shop"),
        GetTimeline,
    ),
    responses((status = 200, body = Page<PostView>, description = "A page of posts."))
)]
pub(crate) async fn handler(
    State(feed): State<FeedService>,
    caller: CallerOf,
    PathId(author): PathId<AuthorId>,
    Query(query): Query<GetTimeline>,
) -> Result<Reply, ApiError> {
    Ok(feed.get_timeline(&caller, author, query).await?)
}

impl FeedService {
    async fn get_timeline(
        &self,
        caller: &Caller,
        author: AuthorId,
        query: GetTimeline,
    ) -> Result<Reply, FeedError> {
        let GetTimeline { limit, cursor } = query;
        let filter = ("timeline", author);
        let before = cursor.map(|cursor| cursor.key(&filter));
        let before = before.transpose().map_err(bad_cursor)?;
        let before = before.unwrap_or(PostId::from_uuid(Uuid::max()));
        let tx = self.db.read().await?;
        let found = posts::page(&tx, author, before, limit.rows()).await?;
        let page = Page::of(found, limit.get(), &filter, |post| post.id);
        let ids: Vec<PostId> = page.items.iter().map(|post| post.id).collect();
        let liked = likes::liked_by(&tx, author, caller.customer(), &ids).await?;
        Ok(Reply::ok(&page.map(|post| {
            let liked = liked.as_ref().map(|liked| liked.contains(&post.id));
            PostView::new(post, liked)
        })))
    }
}
