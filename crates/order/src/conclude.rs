//! What the provider's word makes of a pending order: placed, still pending, or given up. Requests,
//! webhooks and the sweeper all come here, at once if it so happens; the first one counts.

use contracts::order::{OrderId, PaymentState};
use platform::http::{ETag, Reply};

use crate::model::{Order, OrderView};
use crate::payment::{PaymentStatus, ProviderError};
use crate::{OrderError, OrderService, store};

/// The answer to a request whose order is placed.
pub(crate) fn placed_reply(order: &Order) -> Reply {
    let location = format!("/v1/orders/{}", order.id);
    Reply::created(location, &OrderView::from(order)).tagged(ETag::version(order.version))
}

impl OrderService {
    /// Does what `payment` demands of a pending order, for the request that began this try; the answer
    /// of that request.
    pub(crate) async fn conclude(
        &self,
        order: Order,
        payment: PaymentStatus,
    ) -> Result<Reply, OrderError> {
        let id = order.id;
        let reply = match payment {
            PaymentStatus::Authorised | PaymentStatus::Captured | PaymentStatus::Outside => {
                self.accept(order, payment.state()).await?
            }
            PaymentStatus::Pending => self.await_payment(order).await?,
            PaymentStatus::Declined(reason) => {
                let refusal = OrderError::PaymentDeclined { reason };
                return Err(self.refuse(order, refusal).await?);
            }
            PaymentStatus::Voided | PaymentStatus::Refunded => {
                // Somebody has taken this request for dead and undone its try, but for the stock that
                // it has reserved since. The same request may begin the next one.
                self.give_up(order).await?;
                return Err(OrderError::Provider(ProviderError::Refused(String::from(
                    "undone",
                ))));
            }
        };
        match reply {
            Some(reply) => Ok(reply),
            None => self.answer_of(id).await,
        }
    }

    /// Does what `payment` demands of a pending order, for anybody else. Whether it did: nothing
    /// happens if the order has moved on meanwhile.
    pub(crate) async fn settle_by(
        &self,
        order: Order,
        payment: PaymentStatus,
    ) -> Result<bool, OrderError> {
        match payment {
            PaymentStatus::Authorised | PaymentStatus::Captured | PaymentStatus::Outside => {
                let accepted = self.accept(order, payment.state()).await?;
                Ok(accepted.is_some())
            }
            PaymentStatus::Pending => Ok(self.await_payment(order).await?.is_some()),
            PaymentStatus::Declined(_) | PaymentStatus::Voided | PaymentStatus::Refunded => {
                self.undo(order).await
            }
        }
    }

    /// One transaction: placed, the event, the answer. `None` if somebody else was faster.
    async fn accept(
        &self,
        order: Order,
        payment: PaymentState,
    ) -> Result<Option<Reply>, OrderError> {
        let accepted = self.db.write(move |tx| async move {
            let placed = order.placed(payment, tx.sources().now())?;
            let reply = placed_reply(&placed);
            if !store::advance(&tx, &placed, None, Some(&reply)).await? {
                return Ok(None);
            }
            platform::events::emit(&tx, &placed.placed_event()).await?;
            Ok::<_, OrderError>(Some(reply))
        });
        accepted.await
    }

    /// The provider will tell later: the order stays pending until it does, or the time is up. `None` if
    /// somebody else was faster.
    async fn await_payment(&self, order: Order) -> Result<Option<Reply>, OrderError> {
        let timeout = self.config.payment_timeout;
        let waiting = self.db.write(move |tx| async move {
            let now = tx.sources().now();
            let version = order.version + 1;
            let order = Order {
                payment: PaymentState::Pending,
                version,
                updated_at: now,
                ..order
            };
            let reply = Reply::accepted(&OrderView::from(&order));
            let until = Some(now.plus(timeout));
            let kept = store::advance(&tx, &order, until, Some(&reply)).await?;
            Ok::<_, OrderError>(kept.then_some(reply))
        });
        waiting.await
    }

    /// The answer that somebody else has settled.
    async fn answer_of(&self, id: OrderId) -> Result<Reply, OrderError> {
        let begun = store::begun(&self.db.read().await?, id)
            .await?
            .ok_or(OrderError::NotFound)?;
        // If it was given up meanwhile, the same request finds out why, or begins anew.
        begun.answer().ok_or(OrderError::InProgress(id))
    }
}
