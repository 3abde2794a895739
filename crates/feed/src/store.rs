//! Every statement of the feed service. Each pins the author of the post, by whom everything is
//! distributed; those on whose a post is pin the post, and the sweep looks everywhere.

pub(crate) mod comments;
pub(crate) mod likes;
pub(crate) mod posts;
