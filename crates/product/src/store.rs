//! Every statement of the product service.

pub(crate) mod book;
pub(crate) mod catalogue;
pub(crate) mod categories;
pub(crate) mod inventory;
pub(crate) mod listing;
pub(crate) mod listing_below;
pub(crate) mod products;
pub(crate) mod search;
pub(crate) mod stock;
pub(crate) mod transfer;

use kernel::{Id, Scalar};
use serde::Serialize;
use uuid::Uuid;

/// Rows for `json_each` and `json_to_recordset`. UUIDs are written without hyphens: SQLite makes
/// bytes of them with `unhex`, PostgreSQL reads them as they are.
fn rows(rows: &impl Serialize) -> Scalar<'static> {
    Scalar::Json(
        serde_json::to_string(rows)
            .expect("rows are plain data")
            .into(),
    )
}

/// A list of ids as one parameter.
fn ids<I: Id>(ids: impl IntoIterator<Item = I>) -> Scalar<'static> {
    let ids: Vec<Uuid> = ids.into_iter().map(Id::uuid).collect();
    Scalar::Uuids(ids.into())
}
