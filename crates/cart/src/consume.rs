//! Reactions to events.

use contracts::order::OrderPlaced;
use kernel::Problem;
use platform::db::Tx;
use platform::events::Consumer;

use crate::model::CartState;
use crate::{CartError, CartService, store};

/// The consumers of the service. A cart and its customer's current cart are distributed by
/// different keys, so each has a consumer, and a transaction, of its own.
pub(crate) fn consumers(service: &CartService) -> Vec<Consumer> {
    vec![
        Consumer::new("cart.complete", service, |service, tx, event| {
            Box::pin(async move { service.complete(tx, event).await.map_err(Problem::from) })
        }),
        Consumer::new("cart.forget_current", service, |_, tx, event| {
            Box::pin(async move { forget_current(tx, event).await.map_err(Problem::from) })
        }),
    ]
}

impl CartService {
    /// The cart has become an order: it can only be read from now on, and shows what was sold. One
    /// that has expired comes back for that; one that is gone stays so.
    async fn complete(&self, tx: &Tx, event: OrderPlaced) -> Result<(), CartError> {
        let cart = store::lock(tx, event.cart_id).await?;
        let Some(mut cart) = cart.filter(|cart| cart.state != CartState::Completed) else {
            return Ok(());
        };
        cart.complete(event.priced, &self.config, tx.sources().now());
        store::save(tx, &cart).await?;
        Ok(())
    }
}

/// The customer begins a new cart with the next thing that they buy.
async fn forget_current(tx: &Tx, event: OrderPlaced) -> Result<(), CartError> {
    if let Some(customer) = event.customer_id {
        store::forget_current(tx, customer, event.cart_id).await?;
    }
    Ok(())
}
