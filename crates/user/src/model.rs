//! Customers as values.

use kernel::{CustomerId, Email, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// A customer, as the database keeps them.
#[derive(Debug, Clone)]
pub(crate) struct Customer {
    pub(crate) id: CustomerId,
    pub(crate) email: Email,
    pub(crate) name: String,
    pub(crate) email_verified_at: Option<Timestamp>,
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
}

/// A customer, as they see themselves.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Profile {
    id: CustomerId,
    email: Email,
    /// How the shop addresses the customer.
    name: String,
    /// Whether the address was proved to be theirs.
    email_verified: bool,
    created_at: Timestamp,
}

impl From<Customer> for Profile {
    fn from(customer: Customer) -> Self {
        Self {
            id: customer.id,
            email: customer.email,
            name: customer.name,
            email_verified: customer.email_verified_at.is_some(),
            created_at: customer.created_at,
        }
    }
}
