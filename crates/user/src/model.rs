//! Customers, their addresses and the staff as values, and how they are shown.

use contracts::user::AddressId;
use kernel::{Address, CustomerId, Email, Json, StaffId, StaffRole, Timestamp};
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

/// A customer, as they and the staff see them.
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

/// An address of an address book, as the database keeps it.
#[derive(Debug, Clone)]
pub(crate) struct SavedAddress {
    pub(crate) id: AddressId,
    pub(crate) address: Json<Address>,
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// An address of an address book.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AddressView {
    id: AddressId,
    /// Goes into a cart as it is.
    address: Address,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<SavedAddress> for AddressView {
    fn from(saved: SavedAddress) -> Self {
        Self {
            id: saved.id,
            address: saved.address.0,
            created_at: saved.created_at,
            updated_at: saved.updated_at,
        }
    }
}

/// A member of staff, as the database keeps them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Staff {
    pub(crate) id: StaffId,
    pub(crate) email: Email,
    pub(crate) name: String,
    pub(crate) roles: Json<Vec<StaffRole>>,
    pub(crate) active: bool,
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
}

impl Staff {
    /// Whether they can do everything.
    pub(crate) fn rules(&self) -> bool {
        self.active && self.roles.0.contains(&StaffRole::Admin)
    }
}

/// A member of staff.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StaffView {
    id: StaffId,
    email: Email,
    name: String,
    roles: Vec<StaffRole>,
    /// Whether they can log in.
    active: bool,
    created_at: Timestamp,
}

impl From<Staff> for StaffView {
    fn from(staff: Staff) -> Self {
        Self {
            id: staff.id,
            email: staff.email,
            name: staff.name,
            roles: staff.roles.0,
            active: staff.active,
            created_at: staff.created_at,
        }
    }
}
