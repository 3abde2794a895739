//! The user service over HTTP, one file for each operation or two.

mod addresses;
mod change_password;
mod customers;
mod get_keys;
mod log_in;
mod log_in_staff;
mod log_out;
mod people;
mod profile;
mod refresh_session;
mod register_customer;
mod reset_password;
mod secrets;
mod staff;
mod verify_email;
