//! The cart service over HTTP, one file for each operation.

mod access;
mod add_line;
mod change_line;
mod claim_cart;
mod completed;
mod create_cart;
mod create_quote;
mod current_cart;
mod expiry;
mod get_cart;
mod goods;
mod hold;
mod list_shipping_options;
mod parallel;
mod promotions;
mod statements;
mod update_cart;
