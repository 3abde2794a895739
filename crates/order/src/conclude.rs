//! What the provider's word makes of a pending order: placed, still pending, or given up. Requests,
//! webhooks and the sweeper all come here, at once if it so happens; the first one counts.

use contracts::order::{OrderId, OrderState, PaymentState};
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
    /// Does what `payment` demands of a pending order, and returns the answer of its request.
    pub(crate) async fn conclude(
        &self,
        order: Order,
        payment: PaymentStatus,
    ) -> Result<Reply, OrderError> {
        match payment {
            PaymentStatus::Authorised | PaymentStatus::Captured | PaymentStatus::Outside => {
                self.accept(order, payment.state()).await
            }
            PaymentStatus::Pending => self.await_payment(order).await,
            PaymentStatus::Declined(reason) => {
                let refusal = OrderError::PaymentDeclined { reason };
                Err(self.refuse(order, refusal).await?)
            }
            PaymentStatus::Voided | PaymentStatus::Refunded => {
                // Somebody has undone this try, and died before he could say so. The same request
                // may begin the next one.
                self.give_up(order).await?;
                Err(OrderError::Provider(ProviderError::Refused(String::from(
                    "undone",
                ))))
            }
        }
    }

    /// Does the same where there is nobody to answer.
    pub(crate) async fn settle_by(
        &self,
        order: Order,
        payment: PaymentStatus,
    ) -> Result<(), OrderError> {
        let concluded = match payment {
            PaymentStatus::Declined(reason) => {
                let refusal = OrderError::PaymentDeclined { reason };
                return self.refuse(order, refusal).await.map(drop);
            }
            PaymentStatus::Voided | PaymentStatus::Refunded => return self.give_up(order).await,
            payment => self.conclude(order, payment).await,
        };
        match concluded {
            // Somebody else is at it.
            Err(OrderError::InProgress(_)) => Ok(()),
            concluded => concluded.map(drop),
        }
    }

    /// One transaction: placed, the event, the answer. If somebody else was faster, theirs is the
    /// answer.
    async fn accept(&self, order: Order, payment: PaymentState) -> Result<Reply, OrderError> {
        let id = order.id;
        let accepted = self.db.write(move |tx| async move {
            let placed = order.placed(payment, tx.sources().now())?;
            let reply = placed_reply(&placed);
            if !store::advance(&tx, &placed, None, Some(&reply)).await? {
                return Ok(None);
            }
            platform::events::emit(&tx, &placed.placed_event()).await?;
            Ok::<_, OrderError>(Some(reply))
        });
        match accepted.await? {
            Some(reply) => Ok(reply),
            None => self.answer_of(id).await,
        }
    }

    /// The provider will tell later: the order stays pending until it does, or the time is up.
    async fn await_payment(&self, order: Order) -> Result<Reply, OrderError> {
        let (id, timeout) = (order.id, self.config.payment_timeout);
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
        match waiting.await? {
            Some(reply) => Ok(reply),
            None => self.answer_of(id).await,
        }
    }

    /// The answer that somebody else has settled.
    async fn answer_of(&self, id: OrderId) -> Result<Reply, OrderError> {
        let begun = store::begun(&self.db.read().await?, id)
            .await?
            .ok_or(OrderError::NotFound)?;
        match (begun.answer(), begun.order.state) {
            (Some(reply), _) => Ok(reply),
            (None, OrderState::Failed) => {
                // The sweeper has undone it meanwhile; the same request may begin anew.
                Err(OrderError::Provider(ProviderError::Timeout(
                    self.config.lease,
                )))
            }
            (None, _) => Err(OrderError::InProgress(id)),
        }
    }
}
