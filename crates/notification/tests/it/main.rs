//! The notification service on real events, one file for each promise.

mod announce;
mod mailbox;
mod mails;
mod templates;
