//! The route table.

use kernel::{Access, Permission};
use platform::http::Routes;
use platform::route;

use crate::{
    FeedService, add_comment, get_post, get_timeline, like_post, list_comments, publish_post,
    remove_comment, remove_post, unlike_post,
};

/// Every route of the feed service. Each operation checks whose a post or a comment is.
pub fn routes() -> Routes<FeedService> {
    let write = Access::CustomerOrStaff(Permission::FeedWrite);
    let remove = Access::CustomerOrStaff(Permission::FeedModerate);
    Routes::new(
        "feed",
        [
            route!(get_timeline, Access::Anyone),
            route!(publish_post, write),
            route!(get_post, Access::Anyone),
            route!(remove_post, remove),
            route!(like_post, Access::Customer),
            route!(unlike_post, Access::Customer),
            route!(list_comments, Access::Anyone),
            route!(add_comment, write),
            route!(remove_comment, remove),
        ],
    )
}
