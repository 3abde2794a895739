//! Conversations over real sockets.

#![expect(
    clippy::disallowed_methods,
    reason = "what a conversation spawns ends with its test"
)]

mod exchange;
mod served;
mod smuggling;
mod stage;
