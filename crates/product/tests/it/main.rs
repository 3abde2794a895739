//! The product service over HTTP, one file for each operation.

mod create_product;
mod get_product;
