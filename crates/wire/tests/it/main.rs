//! Conversations over real sockets.

#![expect(
    clippy::disallowed_methods,
    reason = "what a conversation spawns ends with its test"
)]

mod authority;
mod exchange;
mod frames;
mod front;
mod grpc;
mod http2;
mod http2_attacks;
mod line;
mod post;
mod served;
mod smuggling;
mod stage;
mod tls;
mod tls_failures;
mod tls_reload;
mod websocket;
