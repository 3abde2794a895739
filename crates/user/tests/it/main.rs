//! The user service over HTTP, one file for each operation.

mod log_in;
mod log_in_staff;
mod log_out;
mod people;
mod refresh_session;
mod register_customer;
