//! The user service over HTTP, one file for each operation.

mod register_customer;
