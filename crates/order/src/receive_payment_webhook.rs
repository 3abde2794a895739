//! `POST /v1/payments/webhooks/{provider}`: a provider has something to tell.
//!
//! A webhook may come before, during or after the answer to the request that it belongs to, once or
//! five times. It is taken as a hint: the provider is asked what is true, and the order is settled
//! as by anybody else.

use axum::body::Bytes;
use axum::extract::State;
use contracts::order::{OrderState, PaymentState};
use http::HeaderMap;
use platform::http::{ApiError, PathId, Reply};

use crate::model::Order;
use crate::payment::{PaymentKey, PaymentStatus, Provider};
use crate::{OrderError, OrderService, WebhookError, store};

/// How often an order is looked at that moves on meanwhile: more than it has states to wait in.
const LOOKS: usize = 3;

/// Takes in a webhook of a payment provider, signed as by Standard Webhooks 1.0.
#[utoipa::path(
    post,
    path = "/v1/payments/webhooks/{provider}",
    params(
        ("provider" = String, Path, description = "The provider, such as `test`."),
        ("webhook-id" = Option<String>, Header, description = "Names the message."),
        ("webhook-timestamp" = Option<String>, Header, description = "Seconds since 1970."),
        ("webhook-signature" = Option<String>, Header, description = "`v1,` and a signature."),
    ),
    request_body(content = Vec<u8>, content_type = "application/json"),
    responses((status = 204, description = "Taken in."))
)]
pub(crate) async fn handler(
    State(orders): State<OrderService>,
    PathId(provider): PathId<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Reply, ApiError> {
    orders
        .receive_payment_webhook(&provider, &headers, &body)
        .await?;
    Ok(Reply::no_content())
}

impl OrderService {
    async fn receive_payment_webhook(
        &self,
        provider: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), OrderError> {
        let found = self.providers.find(provider);
        let found = found.ok_or_else(|| OrderError::UnknownProvider(provider.to_owned()))?;
        let key = found.read_webhook(headers, body).await?;
        self.hear_of(found, &key).await
    }

    /// Asks what has become of a payment, and does what that demands of its order.
    pub(crate) async fn hear_of(
        &self,
        provider: &Provider,
        key: &PaymentKey,
    ) -> Result<(), OrderError> {
        for _ in 0..LOOKS {
            if self.look_into(provider, key).await? {
                return Ok(());
            }
        }
        Err(WebhookError::Later.into())
    }

    /// Looks once. Whether that was all: the order may have moved on meanwhile without having heard.
    async fn look_into(&self, provider: &Provider, key: &PaymentKey) -> Result<bool, OrderError> {
        let order = store::order(&self.db.read().await?, key.order_id).await?;
        // A try of before, or an order of another shop: nothing to do.
        let Some(order) = order.filter(|order| order.payment_key() == *key) else {
            return Ok(true);
        };
        let known = self
            .in_time(provider.lookup(key))
            .await
            .map_err(OrderError::Provider)?;
        let Some(status) = known else {
            return Ok(true);
        };
        match order.state {
            OrderState::Pending if status == PaymentStatus::Pending => Ok(true),
            OrderState::Pending => self.settle_by(order, status).await,
            // Whoever undoes it sees to the money, and has a lease until then.
            OrderState::Failing | OrderState::Cancelling => Ok(true),
            _ => self.note_payment(order, &status).await.map(|()| true),
        }
    }

    /// The order is past being placed: only what became of the money is news.
    async fn note_payment(&self, order: Order, status: &PaymentStatus) -> Result<(), OrderError> {
        let payment = status.state();
        let news = matches!(
            (order.payment, payment),
            (PaymentState::Authorised, PaymentState::Captured)
        );
        if !news {
            return Ok(());
        }
        self.db
            .write(move |tx| async move {
                let version = order.version + 1;
                let order = Order {
                    payment,
                    version,
                    updated_at: tx.sources().now(),
                    ..order
                };
                // If it has moved on, the next webhook or capture finds the truth.
                store::advance(&tx, &order, None, None).await.map(drop)
            })
            .await?;
        Ok(())
    }
}
