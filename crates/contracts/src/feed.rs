//! The feed service: posts, what people think of them, and timelines.

use kernel::{CustomerId, Event, StaffId, Timestamp};
use serde::{Deserialize, Serialize};

kernel::id_type!(
    /// Names one post.
    pub PostId, "post"
);
kernel::id_type!(
    /// Names one comment on a post.
    pub CommentId, "cmt"
);

/// Something was posted. What it says is asked for: it may have been removed since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostPublished {
    /// The post.
    pub post_id: PostId,
    /// The customer who wrote it; `None` for the shop.
    pub customer_id: Option<CustomerId>,
    /// When.
    pub published_at: Timestamp,
}

impl Event for PostPublished {
    const TYPE: &'static str = "rialto.feed.post_published.v1";
    fn subject(&self) -> String {
        self.post_id.to_string()
    }
}

/// A post was taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostRemoved {
    /// The post.
    pub post_id: PostId,
    /// The customer who wrote it; `None` for the shop.
    pub customer_id: Option<CustomerId>,
    /// The member of staff who took it away; `None` if it was the customer who wrote it.
    pub staff_id: Option<StaffId>,
    /// When.
    pub removed_at: Timestamp,
}

impl Event for PostRemoved {
    const TYPE: &'static str = "rialto.feed.post_removed.v1";
    fn subject(&self) -> String {
        self.post_id.to_string()
    }
}

/// Error codes of the feed service.
pub mod codes {
    kernel::codes! {
        /// No such post or comment, or not yours.
        NOT_FOUND = "feed.not_found",
        /// A product that a post shows is not on sale.
        UNKNOWN_PRODUCT = "feed.unknown_product",
        /// Only customers whose e-mail address is proved to be theirs write for everybody.
        UNVERIFIED = "feed.unverified",
    }
}
