//! The roles that a process can have.

use std::collections::BTreeSet;

kernel::text_enum! {
    /// A part of Rialto that can run in a process of its own, or beside others.
    pub enum Role {
        /// The public listener.
        Gateway = "gateway",
        /// Customers and staff.
        User = "user",
        /// Catalogue and stock.
        Product = "product",
        /// Carts.
        Cart = "cart",
        /// Checkout and orders.
        Order = "order",
        /// Posts and timelines.
        Feed = "feed",
        /// Mails.
        Notification = "notification",
    }
}

impl Role {
    /// The roles that it calls, or sends events to. Everybody asks user for the keys that verify
    /// tokens.
    pub fn needs(self) -> &'static [Self] {
        match self {
            Self::Gateway => &[
                Self::User,
                Self::Product,
                Self::Cart,
                Self::Order,
                Self::Feed,
                Self::Notification,
            ],
            Self::User => &[Self::Notification],
            Self::Product | Self::Notification => &[Self::User],
            Self::Cart | Self::Feed => &[Self::User, Self::Product],
            Self::Order => &[Self::User, Self::Product, Self::Cart, Self::Notification],
        }
    }

    /// Whether it has a database.
    pub fn has_database(self) -> bool {
        self != Self::Gateway
    }

    /// Every role: the whole shop in one process.
    pub fn all() -> BTreeSet<Self> {
        Self::ALL.iter().copied().collect()
    }
}
