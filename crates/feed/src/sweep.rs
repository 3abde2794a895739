//! Takes away what hangs on removed posts, a bounded number at a time.

use contracts::feed::PostId;
use platform::db::DbError;
use platform::tasks::Shutdown;

use crate::FeedService;
use crate::model::AuthorId;
use crate::store::{comments, likes, posts};

/// Posts that are looked for at once.
const POSTS: i64 = 20;
/// Likes, and comments, in one transaction.
const BATCH: i64 = 500;

impl FeedService {
    /// Sweeps until `shutdown` begins.
    pub(crate) async fn sweep(self, shutdown: Shutdown) {
        while shutdown.sleep(self.config.sweep).await {
            // One instance at a time, as long as there is something to do.
            let mut swept = Ok(true);
            while matches!(swept, Ok(true)) && !shutdown.begun() {
                swept = match self.sweeping.hold().await {
                    Ok(true) => self.sweep_some().await,
                    Ok(false) => Ok(false),
                    Err(error) => Err(error),
                };
            }
            if let Err(error) = swept {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the sweep will go on");
            }
        }
    }

    /// Takes every removed post away.
    pub(crate) async fn sweep_now(&self) -> Result<(), DbError> {
        while self.sweep_some().await? {}
        Ok(())
    }

    /// Takes some of what hangs on the removed posts away, and those that nothing hangs on; whether
    /// there may be more.
    async fn sweep_some(&self) -> Result<bool, DbError> {
        let removed = posts::removed(&self.db.read().await?, POSTS).await?;
        let more = !removed.is_empty();
        for (author, id) in removed {
            self.sweep_post(author, id).await?;
        }
        Ok(more)
    }

    async fn sweep_post(&self, author: AuthorId, id: PostId) -> Result<(), DbError> {
        let swept = self.db.write(move |tx| async move {
            let likes = likes::sweep(&tx, author, id, BATCH).await?;
            Ok::<_, DbError>(likes + comments::sweep(&tx, author, id, BATCH).await?)
        });
        if swept.await? > 0 {
            return Ok(());
        }
        // Whose it was first: as long as the post is there, it is swept again.
        self.db
            .write(move |tx| async move { posts::forget_author(&tx, id).await })
            .await?;
        self.db
            .write(move |tx| async move { posts::delete(&tx, author, id).await })
            .await
    }
}
