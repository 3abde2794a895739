//! `POST /v1/inventory/{variant_id}/adjustments`: staff receive, count or write off goods.

use axum::extract::State;
use contracts::product::{InventoryMode, LocationId, VariantId};
use kernel::{Id, Validate, Violations};
use platform::db::Tx;
use platform::http::{ApiError, PathId, Reply, Valid};
use platform::idempotency::IdempotencyKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::get_stock::StockView;
use crate::stock::{Adjustment, Entry, EntryKind, MOST_AT_ONCE, MOST_ON_HAND};
use crate::store::book::{self, Wanted};
use crate::store::{inventory, stock};
use crate::{ProductError, ProductService};

kernel::text_enum! {
    /// Why the stock changes.
    pub(crate) enum Reason {
        /// Goods have arrived.
        Received = "received",
        /// Counted anew.
        Corrected = "corrected",
        /// Broken, lost or stolen.
        Damaged = "damaged",
        /// A customer has sent it back.
        Returned = "returned",
    }
}

/// A change of what lies at a location: by `delta`, or to `set_to`; one of the two.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdjustStock {
    /// Where; the first location if it is left out.
    location_id: Option<LocationId>,
    /// How many more, or, if it is negative, fewer. Not zero.
    #[schema(minimum = -1_000_000_000, maximum = 1_000_000_000, example = 5)]
    delta: Option<i64>,
    /// How many were counted.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    set_to: Option<i64>,
    reason: Reason,
    /// For whoever reads the ledger.
    #[schema(max_length = 500)]
    note: Option<String>,
}

impl Validate for AdjustStock {
    fn validate(&self, violations: &mut Violations) {
        match (self.delta, self.set_to) {
            (Some(delta), None) => {
                let fits = (1..=MOST_AT_ONCE).contains(&delta.saturating_abs());
                violations.require(fits, "delta", "expected -10^9 to 10^9, and not 0");
            }
            (None, Some(set_to)) => {
                let fits = (0..=MOST_ON_HAND).contains(&set_to);
                violations.require(fits, "set_to", "expected 0 to 10^12");
            }
            _ => violations.report("", "expected either delta or set_to"),
        }
        if let Some(note) = &self.note {
            violations.text("note", note, 0..=500);
        }
    }
}

/// Changes what lies at a location. What is set aside for orders and carts cannot be taken.
#[utoipa::path(
    post,
    path = "/v1/inventory/{variant_id}/adjustments",
    params(("variant_id" = VariantId, Path)),
    request_body = AdjustStock,
    responses((status = 200, body = StockView, description = "The stock afterwards."))
)]
pub(crate) async fn handler(
    State(products): State<ProductService>,
    PathId(variant_id): PathId<VariantId>,
    key: IdempotencyKey,
    Valid(body): Valid<AdjustStock>,
) -> Result<Reply, ApiError> {
    Ok(products.adjust_stock(key, variant_id, body).await?)
}

impl ProductService {
    async fn adjust_stock(
        &self,
        key: IdempotencyKey,
        variant: VariantId,
        body: AdjustStock,
    ) -> Result<Reply, ProductError> {
        let request = key.request(variant.uuid(), &body);
        request
            .once(&self.db, move |tx| async move {
                adjust(&tx, variant, body).await?;
                Ok(Reply::ok(&StockView::read(&tx, variant).await?))
            })
            .await
    }
}

async fn adjust(tx: &Tx, variant: VariantId, body: AdjustStock) -> Result<(), ProductError> {
    let location = match body.location_id {
        Some(location) => location,
        None => {
            let first = inventory::first_location(tx).await?;
            first.ok_or(ProductError::NotFound("location"))?
        }
    };
    stock::add_shelf(tx, variant, location).await?;
    let wanted = Wanted {
        variants: [variant].into(),
        ..Wanted::default()
    };
    let mut open = book::open(tx, &wanted).await?;
    let rule = open
        .book
        .articles
        .get(&variant)
        .map(|article| article.rule.inventory);
    if open.book.uncounted.contains(&variant) || rule == Some(InventoryMode::None) {
        return Err(ProductError::NotCounted);
    }
    let adjustment = match (body.delta, body.set_to) {
        (Some(delta), _) => Adjustment::By(delta),
        (None, set_to) => Adjustment::To(set_to.unwrap_or_default()),
    };
    let kind = match body.reason {
        Reason::Received => EntryKind::Received,
        Reason::Corrected => EntryKind::Corrected,
        Reason::Damaged => EntryKind::Damaged,
        Reason::Returned => EntryKind::Returned,
    };
    let entry = Entry {
        note: body.note,
        ..Entry::of(kind, variant, location, None)
    };
    open.book.adjust(adjustment, entry)?;
    Ok(book::save(tx, open).await?)
}
