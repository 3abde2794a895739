//! Who is calling, and what they may do.

use std::fmt;

use std::collections::BTreeSet;

use crate::problem::codes;
use crate::{Code, Fault, Kind};

crate::id_type!(
    /// Names one customer.
    pub CustomerId, "cus"
);
crate::id_type!(
    /// Names one member of the shop's staff.
    pub StaffId, "stf"
);
crate::id_type!(
    /// Names one log-in and all tokens that descend from it.
    pub SessionId, "ses"
);

crate::text_enum! {
    /// One thing that staff may do. Routes name the one that they demand.
    pub enum Permission {
        /// See drafts and archived products.
        CatalogueRead = "catalogue:read",
        /// Create, change and archive products and categories.
        CatalogueWrite = "catalogue:write",
        /// See stock levels, locations and the ledger.
        InventoryRead = "inventory:read",
        /// Receive and correct stock.
        InventoryWrite = "inventory:write",
        /// See every order.
        OrdersRead = "orders:read",
        /// Fulfil and ship orders.
        OrdersFulfil = "orders:fulfil",
        /// Cancel and refund orders.
        OrdersCancel = "orders:cancel",
        /// See customers.
        CustomersRead = "customers:read",
        /// Post and comment as the shop, and remove what it has said.
        FeedWrite = "feed:write",
        /// Remove what customers post and comment.
        FeedModerate = "feed:moderate",
        /// Create staff and change their roles.
        StaffManage = "staff:manage",
    }
}

crate::text_enum! {
    /// A named set of permissions.
    pub enum StaffRole {
        /// Everything.
        Admin = "admin",
        /// The catalogue, and what the shop posts.
        Merchandiser = "merchandiser",
        /// Stock and parcels.
        Warehouse = "warehouse",
        /// Customers, their orders, and what they post.
        Support = "support",
    }
}

impl StaffRole {
    /// What the role may do.
    pub const fn permissions(self) -> &'static [Permission] {
        use Permission as P;
        match self {
            Self::Admin => P::ALL,
            Self::Merchandiser => &[
                P::CatalogueRead,
                P::CatalogueWrite,
                P::InventoryRead,
                P::FeedWrite,
                P::FeedModerate,
            ],
            Self::Warehouse => &[
                P::CatalogueRead,
                P::InventoryRead,
                P::InventoryWrite,
                P::OrdersRead,
                P::OrdersFulfil,
            ],
            Self::Support => &[
                P::CatalogueRead,
                P::InventoryRead,
                P::OrdersRead,
                P::OrdersCancel,
                P::CustomersRead,
                P::FeedModerate,
            ],
        }
    }
}

/// Who sent the request, as far as a verified token tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Caller {
    /// Nobody that we know: a visitor, or a guest who holds the id of a cart.
    #[default]
    Anonymous,
    /// A customer who has logged in.
    Customer {
        /// Who.
        id: CustomerId,
        /// By which log-in.
        session: SessionId,
    },
    /// A member of staff who has logged in.
    Staff {
        /// Who.
        id: StaffId,
        /// By which log-in.
        session: SessionId,
        /// What their roles allow.
        permissions: BTreeSet<Permission>,
    },
}

impl Caller {
    /// The customer, if it is one.
    pub fn customer(&self) -> Option<CustomerId> {
        match self {
            Self::Customer { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// The member of staff, if it is one.
    pub fn staff(&self) -> Option<StaffId> {
        match self {
            Self::Staff { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// Whether this is staff with `permission`.
    pub fn may(&self, permission: Permission) -> bool {
        matches!(self, Self::Staff { permissions, .. } if permissions.contains(&permission))
    }

    /// A text that tells callers apart, for limits and idempotency keys; all anonymous callers
    /// share one.
    pub fn principal(&self) -> String {
        match self {
            Self::Anonymous => String::from("anonymous"),
            Self::Customer { id, .. } => id.to_string(),
            Self::Staff { id, .. } => id.to_string(),
        }
    }
}

/// Who may call a route; every route declares it. Whose data it is (a cart, an order) is decided
/// by the operation, which answers 404 for what is not the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody. A token is not needed, but a bad one is still refused.
    Anyone,
    /// Customers only.
    Customer,
    /// Staff with a permission.
    Staff(Permission),
    /// Customers, for what is theirs, and staff with a permission, for everything.
    CustomerOrStaff(Permission),
    /// Any member of staff, for what concerns themselves.
    AnyStaff,
}

/// As documents and tools tell it.
impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::Customer => f.write_str("customer"),
            Self::AnyStaff => f.write_str("staff"),
            Self::Staff(permission) => write!(f, "staff with {permission}"),
            Self::CustomerOrStaff(permission) => write!(f, "customer, or staff with {permission}"),
        }
    }
}

/// Why a caller may not call a route, or ask what they ask of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nobody is logged in: 401.
    #[error("log in first")]
    Unauthenticated,
    /// Somebody is, but may not: 403.
    #[error("you may not do this")]
    Forbidden,
}

impl Fault for Denied {
    fn kind(&self) -> Kind {
        match self {
            Self::Unauthenticated => Kind::Unauthenticated,
            Self::Forbidden => Kind::Forbidden,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Unauthenticated => codes::UNAUTHENTICATED,
            Self::Forbidden => codes::FORBIDDEN,
        }
    }
}

impl Access {
    /// Whether `caller` may call a route that declares this.
    pub fn check(self, caller: &Caller) -> Result<(), Denied> {
        let allowed = match self {
            Self::Anyone => true,
            Self::Customer => caller.customer().is_some(),
            Self::Staff(permission) => caller.may(permission),
            Self::CustomerOrStaff(permission) => {
                caller.customer().is_some() || caller.may(permission)
            }
            Self::AnyStaff => matches!(caller, Caller::Staff { .. }),
        };
        match (allowed, caller) {
            (true, _) => Ok(()),
            (false, Caller::Anonymous) => Err(Denied::Unauthenticated),
            (false, _) => Err(Denied::Forbidden),
        }
    }
}
