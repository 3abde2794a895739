//! Every statement of the user service, one file for each table or two.

mod addresses;
mod customers;
mod keys;
mod mail_tokens;
mod sessions;
mod staff;

pub(crate) use self::addresses::*;
pub(crate) use self::customers::*;
pub(crate) use self::keys::*;
pub(crate) use self::mail_tokens::*;
pub(crate) use self::sessions::*;
pub(crate) use self::staff::*;
