//! Every statement of the product service.

pub(crate) mod catalogue;
pub(crate) mod stock;
