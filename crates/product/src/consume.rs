//! What happens to stock when orders are placed and cancelled.
//!
//! Both consumers take the orders of a delivery together, because both lock shelves. An order is
//! settled once, whichever event comes first and however often: see
//! [`Settled`](crate::stock::Settled).

use contracts::order::{OrderCancelled, OrderPlaced, holder};
use contracts::product::ReserveLine;
use kernel::Problem;
use platform::db::Tx;
use platform::events::Consumer;

use crate::ProductService;
use crate::store::book::{self, Wanted};

impl ProductService {
    /// What it does when events arrive.
    pub fn consumers(&self) -> Vec<Consumer> {
        vec![
            Consumer::batch("product.commit_reservation", self, |_: Self, tx, placed| {
                Box::pin(async move { commit_reservations(tx, placed).await })
            }),
            Consumer::batch(
                "product.restock_cancelled",
                self,
                |_: Self, tx, cancelled| {
                    Box::pin(async move { restock_cancelled(tx, cancelled).await })
                },
            ),
        ]
    }
}

/// Takes what was set aside off the shelves. If a reservation has lapsed and the goods are gone,
/// the event fails, and is parked in the end for a person to see: something was sold that is not
/// there.
async fn commit_reservations(tx: &Tx, placed: Vec<OrderPlaced>) -> Result<(), Problem> {
    let mut wanted = Wanted {
        settled: true,
        ..Wanted::default()
    };
    for order in &placed {
        wanted.holders.insert(holder(order.order_id, order.attempt));
        wanted
            .variants
            .extend(order.priced.lines.iter().map(|line| line.variant_id));
    }
    let mut open = book::open(tx, &wanted).await?;
    for order in &placed {
        let lines = order.priced.lines.iter();
        let lines: Vec<ReserveLine> = lines
            .map(|line| ReserveLine {
                variant_id: line.variant_id,
                quantity: line.quantity,
            })
            .collect();
        let holder = holder(order.order_id, order.attempt);
        open.book.commit(holder, &lines)?;
    }
    Ok(book::save(tx, open).await?)
}

/// Puts what orders had taken back on the shelves.
async fn restock_cancelled(tx: &Tx, cancelled: Vec<OrderCancelled>) -> Result<(), Problem> {
    let holders = cancelled
        .iter()
        .map(|order| holder(order.order_id, order.attempt));
    let wanted = Wanted {
        holders: holders.collect(),
        settled: true,
        ..Wanted::default()
    };
    let mut open = book::open(tx, &wanted).await?;
    for order in &wanted.holders {
        open.book.cancel(*order);
    }
    Ok(book::save(tx, open).await?)
}
