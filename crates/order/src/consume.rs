//! Reactions to events.

use contracts::order::OrderPlaced;
use kernel::Problem;
use platform::db::Tx;
use platform::events::Consumer;

use crate::{OrderError, OrderService, store};

/// The consumers of the service.
pub(crate) fn consumers(service: &OrderService) -> Vec<Consumer> {
    vec![Consumer::new(
        "order.list_for_customer",
        service,
        |_service, tx, event| {
            Box::pin(async move { list_for_customer(tx, event).await.map_err(Problem::from) })
        },
    )]
}

/// Puts an order on its customer's list, which is distributed by the customer.
async fn list_for_customer(tx: &Tx, event: OrderPlaced) -> Result<(), OrderError> {
    if let Some(customer) = event.customer_id {
        store::add_customer_order(tx, customer, event.placed_at, event.order_id).await?;
    }
    Ok(())
}
