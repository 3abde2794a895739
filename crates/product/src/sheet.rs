//! The product CSV of Shopify, as it is read and written: records, columns, and what cells say.

pub(crate) mod amount;
pub(crate) mod category_path;
pub(crate) mod cells;
mod column;
mod columns;
mod records;

pub(crate) use self::column::Column;
pub use self::columns::BadHeader;
pub(crate) use self::columns::Columns;
pub(crate) use self::records::{Record, Records};
