//! What the services of Rialto promise each other: for each service the calls that others may
//! make, the values that go in and come out, the events that it announces, and its error codes.
//!
//! Services depend on this crate and never on each other. The call graph has no cycles:
//! order -> cart, product, user; cart -> product; feed -> product, user. What would close a cycle is an event.

pub mod cart;
pub mod feed;
pub mod gateway;
pub mod notification;
pub mod order;
pub mod product;
pub mod refund;
pub mod user;

/// Every error code of every service, for the test that looks for their pages.
pub fn all_codes() -> Vec<kernel::Code> {
    let lists = [
        kernel::problem::codes::ALL,
        user::codes::ALL,
        product::codes::ALL,
        cart::codes::ALL,
        order::codes::ALL,
        feed::codes::ALL,
        notification::codes::ALL,
    ];
    lists.concat()
}
