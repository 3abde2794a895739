//! Recording the intent to place an order, and finding out what earlier requests for the same
//! order have come to.

use std::time::Duration;

use contracts::order::{OrderId, OrderState};
use platform::http::Reply;
use platform::idempotency::{IdempotencyError, IdempotentRequest};
use tokio::time::Instant;

use crate::model::Order;
use crate::payment::PaymentStatus;
use crate::state::Command;
use crate::{OrderError, OrderService, conclude, store};

/// How often a request looks whether the one before it, with the same key, has come to an end.
const LOOK: Duration = Duration::from_millis(15);
/// For how long.
const WAIT: Duration = Duration::from_secs(6);

/// Where a request finds itself once the intent is recorded.
pub(crate) enum Start {
    /// The order is this request's to place.
    Mine(Box<Order>),
    /// The request was made before and has its answer.
    Answered(Reply),
}

/// What an earlier request for the same order has come to.
enum Earlier {
    /// It was this one, and has its answer.
    Answered(Reply),
    /// It was this one, and is still running.
    Running,
    /// It was this one and died, or it is being undone.
    Unfinished(Order),
    /// It failed; another try may begin.
    Failed(Order),
}

impl OrderService {
    /// Records the intent to place the order of `draft`, unless that was done before.
    pub(crate) async fn begin(
        &self,
        id: OrderId,
        draft: Result<Order, OrderError>,
        request: &IdempotentRequest,
    ) -> Result<Start, OrderError> {
        if let Ok(order) = &draft
            && self.record(order.clone(), request.clone()).await?
        {
            return Ok(Start::Mine(Box::new(order.clone())));
        }
        let started = Instant::now();
        while started.elapsed() < WAIT {
            match self.earlier(id, request).await? {
                None => {
                    // The cart is not fit, and nobody has been here before.
                    draft?;
                    break;
                }
                Some(Earlier::Answered(reply)) => return Ok(Start::Answered(reply)),
                Some(Earlier::Running) => tokio::time::sleep(LOOK).await,
                Some(Earlier::Unfinished(order)) => {
                    Box::pin(self.resolve(order)).await?;
                }
                Some(Earlier::Failed(failed)) => {
                    let order = next_try(failed, draft?)?;
                    return match self.record_again(order.clone(), request.clone()).await? {
                        true => Ok(Start::Mine(Box::new(order))),
                        false => Err(OrderError::InProgress(id)),
                    };
                }
            }
        }
        Err(OrderError::InProgress(id))
    }

    /// Whether anybody has begun this order.
    pub(crate) async fn begun(&self, id: OrderId) -> Result<bool, OrderError> {
        Ok(store::exists(&self.db.read().await?, id).await?)
    }

    async fn record(&self, order: Order, request: IdempotentRequest) -> Result<bool, OrderError> {
        let lease_until = order.created_at.plus(self.config.lease);
        let recorded = self.db.write(move |tx| async move {
            store::begin(&tx, &order, &request, Some(lease_until), None).await
        });
        Ok(recorded.await?)
    }

    async fn record_again(
        &self,
        order: Order,
        request: IdempotentRequest,
    ) -> Result<bool, OrderError> {
        let lease_until = order.updated_at.plus(self.config.lease);
        let recorded = self.db.write(move |tx| async move {
            store::begin_again(&tx, &order, &request, lease_until).await
        });
        Ok(recorded.await?)
    }

    /// Intent and result in one: for orders that nobody has to be asked for money. `None` if there
    /// is such an order already.
    pub(crate) async fn record_placed(
        &self,
        order: Order,
        payment: PaymentStatus,
        request: &IdempotentRequest,
    ) -> Result<Option<Reply>, OrderError> {
        let request = request.clone();
        self.db
            .write(move |tx| async move {
                let placed = order.placed(payment.state(), tx.sources().now())?;
                let reply = conclude::placed_reply(&placed);
                if !store::begin(&tx, &placed, &request, None, Some(&reply)).await? {
                    return Ok(None);
                }
                platform::events::emit(&tx, &placed.placed_event()).await?;
                Ok(Some(reply))
            })
            .await
    }

    async fn earlier(
        &self,
        id: OrderId,
        request: &IdempotentRequest,
    ) -> Result<Option<Earlier>, OrderError> {
        let tx = self.db.read().await?;
        // In this order: of an order that is found to have failed, the refusal is found, too.
        let begun = store::begun(&tx, id).await?;
        let failure = store::failure(&tx, id, request).await?;
        if let Some((same_payload, reply)) = failure {
            return if same_payload {
                Ok(Some(Earlier::Answered(reply)))
            } else {
                Err(reused())
            };
        }
        let Some(begun) = begun else { return Ok(None) };
        let (mine, answer) = (begun.belongs_to(request), begun.answer());
        let abandoned = begun.abandoned(self.db.sources().now());
        match (mine, begun.order.state) {
            (Some(false), _) => Err(reused()),
            (_, OrderState::Failed) => Ok(Some(Earlier::Failed(begun.order))),
            // To undo it twice is to undo it once, so nobody has to wait for who began.
            (_, OrderState::Failing) => Ok(Some(Earlier::Unfinished(begun.order))),
            (Some(true), OrderState::Pending) => Ok(Some(match answer {
                Some(reply) => Earlier::Answered(reply),
                None if abandoned => Earlier::Unfinished(begun.order),
                None => Earlier::Running,
            })),
            (Some(true), _) => {
                let reply = answer.ok_or(OrderError::AlreadyPlaced(id))?;
                Ok(Some(Earlier::Answered(reply)))
            }
            (None, OrderState::Pending) if abandoned => Ok(Some(Earlier::Unfinished(begun.order))),
            (None, OrderState::Pending) => Err(OrderError::InProgress(id)),
            (None, _) => Err(OrderError::AlreadyPlaced(id)),
        }
    }
}

/// The cart as it is now, in the place of the try that failed.
fn next_try(failed: Order, draft: Order) -> Result<Order, OrderError> {
    let retried = failed.after(Command::Retry, draft.updated_at)?;
    Ok(Order {
        version: retried.version,
        attempt: retried.attempt + 1,
        created_at: retried.created_at,
        ..draft
    })
}

fn reused() -> OrderError {
    IdempotencyError::Reused.into()
}
