//! Finishes or undoes what nobody works on any more: orders whose request died between the intent
//! and the answer, payments that never came, cancellations that a crash cut short.

use std::time::Duration;

use contracts::order::{OrderState, PaymentState};
use platform::tasks::Shutdown;

use crate::model::Order;
use crate::payment::PaymentStatus;
use crate::{OrderError, OrderService, store};

impl OrderService {
    /// Sweeps until `shutdown` begins.
    pub(crate) async fn sweep(self, shutdown: Shutdown) {
        while shutdown.sleep(self.config.sweep).await {
            if let Err(error) = self.sweep_once().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the sweep will go on"
                );
            }
        }
    }

    /// Looks once at every order that nobody works on; returns how many there were. What cannot be
    /// settled now is looked at again after another lease.
    pub(crate) async fn sweep_once(&self) -> Result<usize, OrderError> {
        let now = self.db.sources().now();
        let abandoned = store::abandoned(&self.db.read().await?, now).await?;
        if abandoned.is_empty() || !self.sweeping.hold().await? {
            return Ok(0);
        }
        let found = abandoned.len();
        for order in abandoned {
            let id = order.id;
            match self.resolve(order).await {
                Ok(true) => tracing::info!(order.id = %id, "an abandoned order was settled"),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(order.id = %id, %error, "an order could not be settled yet");
                    self.look_again(id, self.config.lease).await?;
                }
            }
        }
        Ok(found)
    }

    /// Finishes or undoes an order that nobody works on. Whether it did: nothing happens if somebody else
    /// was faster.
    pub(crate) async fn resolve(&self, order: Order) -> Result<bool, OrderError> {
        match order.state {
            OrderState::Pending => self.resolve_pending(order).await,
            OrderState::Failing => self.undo(order).await,
            OrderState::Cancelling => self.finish_cancelling(order, None).await.map(|_| true),
            // Settled by somebody else a moment ago.
            _ => Ok(false),
        }
    }

    /// The provider knows what the request has come to. If it does not, or if it has had its time,
    /// the payment is closed, so that a late call cannot open it, and the try is undone.
    async fn resolve_pending(&self, order: Order) -> Result<bool, OrderError> {
        let key = order.payment_key();
        let known = self
            .in_time(self.provider(&order)?.lookup(&key))
            .await
            .map_err(OrderError::Provider)?;
        match known {
            // Who is paid outside was asked for nothing, so that nobody knows how far the request came.
            None | Some(PaymentStatus::Outside) => self.undo(order).await,
            Some(PaymentStatus::Pending) if self.overdue(&order) => self.undo(order).await,
            Some(known) => self.settle_by(order, known).await,
        }
    }

    /// Whether a payment that the provider promised for later has had its time.
    fn overdue(&self, order: &Order) -> bool {
        let waiting = order.payment == PaymentState::Pending;
        !waiting || self.db.sources().now().since(order.updated_at) >= self.config.payment_timeout
    }

    async fn look_again(
        &self,
        id: contracts::order::OrderId,
        after: Duration,
    ) -> Result<(), OrderError> {
        let until = self.db.sources().now().plus(after);
        let work = self
            .db
            .write(move |tx| async move { store::look_again(&tx, id, until).await });
        work.await.map_err(OrderError::from)
    }
}
