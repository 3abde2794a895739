//! What was said about posts.

use contracts::feed::{CommentId, PostId};
use kernel::StaffId;
use platform::db::{DbError, Tx};
use platform::{from_row, params, sql};

use crate::model::{AuthorId, Comment};

from_row!(Comment {
    id,
    writer_id,
    signature,
    text,
    written_at
});

pub(crate) async fn add(
    tx: &Tx,
    author: AuthorId,
    post: PostId,
    comment: &Comment,
    staff: Option<StaffId>,
) -> Result<(), DbError> {
    tx.run(
        sql!(
            "INSERT INTO comments (author_id, post_id, id, writer_id, staff_id, signature, text,
                                   written_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        ),
        params![
            author,
            post,
            comment.id,
            comment.writer_id,
            staff,
            comment.signature,
            comment.text,
            comment.written_at
        ],
    )
    .await
}

/// Comments on a post after `after`, the oldest first.
pub(crate) async fn page(
    tx: &Tx,
    author: AuthorId,
    post: PostId,
    after: CommentId,
    rows: i64,
) -> Result<Vec<Comment>, DbError> {
    tx.all(
        sql!(
            "SELECT id, writer_id, signature, text, written_at FROM comments
             WHERE author_id = $1 AND post_id = $2 AND id > $3 ORDER BY id LIMIT $4"
        ),
        params![author, post, after, rows],
    )
    .await
}

/// Who wrote a comment.
pub(crate) async fn writer(
    tx: &Tx,
    author: AuthorId,
    post: PostId,
    id: CommentId,
) -> Result<Option<AuthorId>, DbError> {
    let select =
        sql!("SELECT writer_id FROM comments WHERE author_id = $1 AND post_id = $2 AND id = $3");
    let row: Option<(AuthorId,)> = tx.one(select, params![author, post, id]).await?;
    Ok(row.map(|row| row.0))
}

/// Removes a comment; `false` if there was none.
pub(crate) async fn remove(
    tx: &Tx,
    author: AuthorId,
    post: PostId,
    id: CommentId,
) -> Result<bool, DbError> {
    let removed = tx
        .exec(
            sql!("DELETE FROM comments WHERE author_id = $1 AND post_id = $2 AND id = $3"),
            params![author, post, id],
        )
        .await?;
    Ok(removed == 1)
}

/// Forgets up to `most` comments on a post; returns how many.
pub(crate) async fn sweep(
    tx: &Tx,
    author: AuthorId,
    post: PostId,
    most: i64,
) -> Result<u64, DbError> {
    tx.exec(
        sql!(
            "DELETE FROM comments WHERE author_id = $1 AND post_id = $2 AND id IN (
                 SELECT id FROM comments WHERE author_id = $1 AND post_id = $2 LIMIT $3)"
        ),
        params![author, post, most],
    )
    .await
}
