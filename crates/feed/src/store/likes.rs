//! Who likes what.

use std::collections::HashSet;

use contracts::feed::PostId;
use kernel::{CustomerId, Id, Scalar, Stored};
use platform::db::{DbError, Tx};
use platform::{params, sql};
use uuid::Uuid;

use crate::model::AuthorId;

/// Notes that a customer likes a post; `false` if they did before.
pub(crate) async fn add(
    tx: &Tx,
    author: AuthorId,
    post: PostId,
    customer: CustomerId,
) -> Result<bool, DbError> {
    let added = tx
        .exec(
            sql!(
                "INSERT INTO likes (author_id, post_id, customer_id, liked_at)
             VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
            ),
            params![author, post, customer, tx.sources().now()],
        )
        .await?;
    Ok(added == 1)
}

/// Notes that a customer does not like a post any more; `false` if they did not before.
pub(crate) async fn remove(
    tx: &Tx,
    author: AuthorId,
    post: PostId,
    customer: CustomerId,
) -> Result<bool, DbError> {
    let removed = tx
        .exec(
            sql!("DELETE FROM likes WHERE author_id = $1 AND post_id = $2 AND customer_id = $3"),
            params![author, post, customer],
        )
        .await?;
    Ok(removed == 1)
}

/// Those of an author's posts that a customer likes; `None` if it is no customer who asks.
pub(crate) async fn liked_by(
    tx: &Tx,
    author: AuthorId,
    customer: Option<CustomerId>,
    posts: &[PostId],
) -> Result<Option<HashSet<PostId>>, DbError> {
    let Some(customer) = customer else {
        return Ok(None);
    };
    let posts: Vec<Uuid> = posts.iter().map(|post| post.uuid()).collect();
    let liked: Vec<(PostId,)> = tx
        .all(
            sql!(
                sqlite: "SELECT post_id FROM likes
                         WHERE author_id = $1 AND post_id IN rarray($3) AND customer_id = $2",
                postgres: "SELECT post_id FROM likes
                           WHERE author_id = $1 AND post_id = ANY($3) AND customer_id = $2"
            ),
            &[
                author.store(),
                customer.store(),
                Scalar::Uuids(posts.into()),
            ],
        )
        .await?;
    Ok(Some(liked.into_iter().map(|(post,)| post).collect()))
}

/// Forgets up to `most` likes of a post; returns how many.
pub(crate) async fn sweep(
    tx: &Tx,
    author: AuthorId,
    post: PostId,
    most: i64,
) -> Result<u64, DbError> {
    tx.exec(
        sql!(
            "DELETE FROM likes WHERE author_id = $1 AND post_id = $2 AND customer_id IN (
                 SELECT customer_id FROM likes WHERE author_id = $1 AND post_id = $2 LIMIT $3)"
        ),
        params![author, post, most],
    )
    .await
}
