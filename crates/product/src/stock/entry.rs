//! What is written down about stock.

use std::collections::BTreeMap;

use contracts::product::{LocationId, VariantId};
use kernel::Timestamp;
use uuid::Uuid;

kernel::text_enum! {
    /// Why stock has changed.
    pub(crate) enum EntryKind {
        /// Goods have arrived.
        Received = "received",
        /// Counted anew.
        Corrected = "corrected",
        /// Broken, lost or stolen.
        Damaged = "damaged",
        /// A customer has sent it back.
        Returned = "returned",
        /// Set aside for an order or a cart.
        Reserved = "reserved",
        /// No longer set aside: let go, replaced or lapsed.
        Released = "released",
        /// What was set aside has become part of an order.
        Committed = "committed",
        /// The order was cancelled, and the goods lie on the shelf again.
        Restocked = "restocked",
        /// Sold without having been set aside.
        Sold = "sold",
    }
}

kernel::text_enum! {
    /// How firm a reservation is.
    pub(crate) enum HoldState {
        /// It lapses.
        Held = "held",
        /// It belongs to an order.
        Committed = "committed",
    }
}

kernel::text_enum! {
    /// What has become of the stock of an order, for good.
    pub(crate) enum Settled {
        /// It left the shelves.
        Committed = "committed",
        /// It is back, or was never taken; nothing may be taken for it any more.
        Cancelled = "cancelled",
    }
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) variant_id: VariantId,
    pub(crate) location_id: LocationId,
    pub(crate) kind: EntryKind,
    pub(crate) on_hand_delta: i64,
    pub(crate) reserved_delta: i64,
    /// The holder that it was for, if it was for one.
    pub(crate) reference: Option<Uuid>,
    pub(crate) note: Option<String>,
}

impl Entry {
    /// An entry that changes nothing yet.
    pub(crate) fn of(
        kind: EntryKind,
        variant_id: VariantId,
        location_id: LocationId,
        reference: Option<Uuid>,
    ) -> Self {
        Self {
            variant_id,
            location_id,
            kind,
            on_hand_delta: 0,
            reserved_delta: 0,
            reference,
            note: None,
        }
    }
}

/// What one holder has of one variant at one location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) quantity: i64,
    pub(crate) state: HoldState,
    pub(crate) expires_at: Timestamp,
}

/// What one holder has, by variant and location.
pub(crate) type Holds = BTreeMap<(VariantId, LocationId), Hold>;
