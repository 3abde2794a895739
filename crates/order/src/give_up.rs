//! Ending a try to place an order that comes to nothing: no money, no stock, and another try may
//! begin.
//!
//! Money goes back only after it is recorded that the order is [`Failing`](OrderState::Failing). Who
//! has heard meanwhile that the payment is authorised finds the order moved on and cannot place it,
//! however late. Stock is reserved for each try apart, so that letting go of it late harms no other.

use contracts::order::{OrderState, PaymentState};
use contracts::product::ReleaseStock;
use kernel::Problem;
use platform::context::RequestContext;

use crate::model::Order;
use crate::payment::PaymentStatus;
use crate::state::Command;
use crate::{OrderError, OrderService, store};

impl OrderService {
    /// Ends a try that may have been paid for, or may yet be: the provider closes the payment. Whether it
    /// did: nothing happens if the order has moved on meanwhile.
    pub(crate) async fn undo(&self, order: Order) -> Result<bool, OrderError> {
        let Some(order) = self.begin_undoing(order).await? else {
            return Ok(false);
        };
        match self.give_back(&order).await? {
            PaymentStatus::Declined(reason) => {
                let refusal = OrderError::PaymentDeclined { reason };
                self.refuse(order, refusal).await?;
            }
            _ => self.give_up(order).await?,
        }
        Ok(true)
    }

    /// Ends a try that was refused, so that nobody was or can be charged for it; returns the answer
    /// that its request gets, now and whenever it is repeated. For the request itself, or once the order
    /// is failing: nobody else can place it or wait for it.
    pub(crate) async fn refuse(
        &self,
        order: Order,
        refusal: OrderError,
    ) -> Result<OrderError, OrderError> {
        let payment = match refusal {
            OrderError::PaymentDeclined { .. } => PaymentState::Declined,
            _ => PaymentState::None,
        };
        let trace = RequestContext::current().map(|context| context.trace.trace_id_text());
        let answer = Problem::from(refusal).at("/v1/orders", trace);
        self.fail(order, payment, Some(answer.clone())).await?;
        Ok(answer.into())
    }

    /// Ends a try that came to nothing, and that nobody was or can be charged for. The same request
    /// may try again. For the request itself, or once the order is failing.
    pub(crate) async fn give_up(&self, order: Order) -> Result<(), OrderError> {
        self.fail(order, PaymentState::None, None).await
    }

    async fn fail(
        &self,
        order: Order,
        payment: PaymentState,
        answer: Option<Problem>,
    ) -> Result<(), OrderError> {
        // If stock is away now, the lease runs out and the sweeper does it.
        let holder = order.holder();
        self.product.release_stock(ReleaseStock { holder }).await?;
        self.db
            .write(move |tx| async move {
                let failed = Order {
                    payment,
                    ..order.after(Command::Fail, tx.sources().now())?
                };
                let ended = store::advance(&tx, &failed, None, None).await?;
                if let Some(problem) = answer.filter(|_| ended) {
                    store::keep_failure(&tx, failed.id, &problem).await?;
                }
                Ok(())
            })
            .await
    }

    /// Records that the order is being given up; `None` if it has moved on.
    async fn begin_undoing(&self, order: Order) -> Result<Option<Order>, OrderError> {
        if order.state == OrderState::Failing {
            return Ok(Some(order));
        }
        let lease = self.config.lease;
        self.db
            .write(move |tx| async move {
                let now = tx.sources().now();
                let order = order.after(Command::Undo, now)?;
                let recorded = store::advance(&tx, &order, Some(now.plus(lease)), None).await?;
                Ok(recorded.then_some(order))
            })
            .await
    }
}
