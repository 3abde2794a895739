//! The feed service over HTTP, one file for each operation or two.

mod access;
mod comments;
mod crash;
mod get_timeline;
mod like_post;
mod posts;
mod publish_post;
mod remove_post;
mod statements;
