//! Posts, their counts, and whose they are.

use contracts::feed::PostId;
use kernel::Timestamp;
use platform::db::{DbError, Tx};
use platform::{from_row, params, sql};

use crate::model::{AuthorId, NewPost, Post};

from_row!(Post {
    author_id,
    id,
    signature,
    text,
    product_ids,
    published_at,
    likes,
    comments
});

/// What has come to be counted of a post, or (below zero) is counted no more.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counted {
    likes: i64,
    comments: i64,
}

impl Counted {
    pub(crate) fn likes(likes: i64) -> Self {
        Self {
            likes,
            ..Self::default()
        }
    }

    pub(crate) fn comments(comments: i64) -> Self {
        Self {
            comments,
            ..Self::default()
        }
    }
}

pub(crate) async fn add(tx: &Tx, new: &NewPost, at: Timestamp) -> Result<(), DbError> {
    let author = new.writer.id;
    tx.run(
        sql!(
            "INSERT INTO posts (author_id, id, staff_id, signature, text, product_ids, published_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)"
        ),
        params![
            author,
            new.id,
            new.writer.staff_id,
            new.writer.signature,
            new.text,
            new.product_ids,
            at
        ],
    )
    .await?;
    let counts =
        sql!("INSERT INTO post_counts (author_id, post_id, likes, comments) VALUES ($1, $2, 0, 0)");
    tx.run(counts, params![author, new.id]).await
}

pub(crate) async fn post(tx: &Tx, author: AuthorId, id: PostId) -> Result<Option<Post>, DbError> {
    tx.one(
        sql!(
            "SELECT p.author_id, p.id, p.signature, p.text, p.product_ids, p.published_at,
                    c.likes, c.comments
             FROM posts p JOIN post_counts c ON c.author_id = p.author_id AND c.post_id = p.id
             WHERE p.author_id = $1 AND p.id = $2"
        ),
        params![author, id],
    )
    .await
}

/// Posts of an author from before `before`, the newest first.
pub(crate) async fn page(
    tx: &Tx,
    author: AuthorId,
    before: PostId,
    rows: i64,
) -> Result<Vec<Post>, DbError> {
    tx.all(
        sql!(
            "SELECT p.author_id, p.id, p.signature, p.text, p.product_ids, p.published_at,
                    c.likes, c.comments
             FROM posts p JOIN post_counts c ON c.author_id = p.author_id AND c.post_id = p.id
             WHERE p.author_id = $1 AND p.id < $2 ORDER BY p.id DESC LIMIT $3"
        ),
        params![author, before, rows],
    )
    .await
}

/// Whether there is such a post.
pub(crate) async fn is_there(tx: &Tx, author: AuthorId, id: PostId) -> Result<bool, DbError> {
    let select = sql!("SELECT likes FROM post_counts WHERE author_id = $1 AND post_id = $2");
    let row: Option<(i64,)> = tx.one(select, params![author, id]).await?;
    Ok(row.is_some())
}

/// Adds to what is counted of a post; `false` if there is no such post.
pub(crate) async fn count(
    tx: &Tx,
    author: AuthorId,
    id: PostId,
    more: Counted,
) -> Result<bool, DbError> {
    let counted = tx
        .exec(
            sql!(
                "UPDATE post_counts SET likes = likes + $3, comments = comments + $4
                 WHERE author_id = $1 AND post_id = $2"
            ),
            params![author, id, more.likes, more.comments],
        )
        .await?;
    Ok(counted == 1)
}

/// Nobody sees the post from now on; `false` if nobody did.
pub(crate) async fn remove(
    tx: &Tx,
    author: AuthorId,
    id: PostId,
    at: Timestamp,
) -> Result<bool, DbError> {
    let counts = sql!("DELETE FROM post_counts WHERE author_id = $1 AND post_id = $2");
    if tx.exec(counts, params![author, id]).await? == 0 {
        return Ok(false);
    }
    let post = sql!("UPDATE posts SET removed_at = $3 WHERE author_id = $1 AND id = $2");
    tx.run(post, params![author, id, at]).await?;
    Ok(true)
}

/// Removed posts of any author, those that were removed first.
pub(crate) async fn removed(tx: &Tx, rows: i64) -> Result<Vec<(AuthorId, PostId)>, DbError> {
    let select = sql!(
        "SELECT author_id, id FROM posts WHERE removed_at IS NOT NULL ORDER BY removed_at LIMIT $1"
    );
    tx.all(select, params![rows]).await
}

/// Deletes a post that nothing hangs on any more.
pub(crate) async fn delete(tx: &Tx, author: AuthorId, id: PostId) -> Result<(), DbError> {
    tx.run(
        sql!(
            "DELETE FROM posts WHERE author_id = $1 AND id = $2
             AND NOT EXISTS (SELECT 1 FROM likes WHERE author_id = $1 AND post_id = $2)
             AND NOT EXISTS (SELECT 1 FROM comments WHERE author_id = $1 AND post_id = $2)"
        ),
        params![author, id],
    )
    .await
}

pub(crate) async fn note_author(tx: &Tx, id: PostId, author: AuthorId) -> Result<(), DbError> {
    let insert = sql!("INSERT INTO post_authors (post_id, author_id) VALUES ($1, $2)");
    tx.run(insert, params![id, author]).await
}

/// Whose a post is, or was.
pub(crate) async fn author(tx: &Tx, id: PostId) -> Result<Option<AuthorId>, DbError> {
    let select = sql!("SELECT author_id FROM post_authors WHERE post_id = $1");
    let row: Option<(AuthorId,)> = tx.one(select, params![id]).await?;
    Ok(row.map(|row| row.0))
}

pub(crate) async fn forget_author(tx: &Tx, id: PostId) -> Result<(), DbError> {
    let delete = sql!("DELETE FROM post_authors WHERE post_id = $1");
    tx.run(delete, params![id]).await
}
