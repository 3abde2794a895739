//! `POST /v1/orders`: a cart becomes an order.
//!
//! A persisted state machine. Each step can run twice, and each has an undo:
//!
//! 1. read the cart, priced now; refuse what is not complete;
//! 2. [record the intent](crate::begin): an order that is `pending`, under a lease that outlives
//!    this request;
//! 3. reserve the stock, under the order's id and the number of the try;
//! 4. authorise the payment, under the order's id and the number of the try;
//! 5. [conclude](crate::conclude) in one transaction: `placed`, the payment,
//!    [`OrderPlaced`](contracts::order::OrderPlaced) in the outbox, and the answer.
//!
//! The order's id is fixed in the cart, so that a cart becomes one order at the most, however often
//! and under however many keys it is asked for. Only the request that begins a try asks for stock
//! and money; what it leaves half done, the next request for the order or the
//! [sweeper](crate::sweep) finishes or [undoes](crate::give_up), and another try begins. Where no
//! money moves on-line, intent and result are one transaction.

use axum::extract::State;
use contracts::cart::{CartId, Checkout, CheckoutCart, RequirementKind};
use contracts::product::{ReserveStock, Shortage, codes};
use contracts::user::GetCustomer;
use kernel::{Caller, Email, Id, Money, Problem, Validate, Violations};
use platform::http::{ApiError, CallerOf, IfMatch, Reply, Valid};
use platform::idempotency::{IdempotencyKey, IdempotentRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::begin::Start;
use crate::model::{Order, OrderView};
use crate::payment::{Authorisation, PaymentStatus};
use crate::{Capture, OrderError, OrderService};

/// A cart that shall become an order.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceOrder {
    cart_id: CartId,
    /// The version of the cart that the customer has seen; another one is refused with 412.
    #[serde(default)]
    cart_version: Option<i64>,
    /// The total that the customer has seen; another one is refused with 409.
    #[serde(default)]
    expected_total: Option<Money>,
}

impl Validate for PlaceOrder {
    fn validate(&self, _: &mut Violations) {}
}

/// Places an order from a cart. Repeat it with the same `Idempotency-Key` until there is an answer:
/// there will be one order, and one charge.
#[utoipa::path(
    post,
    path = "/v1/orders",
    request_body = PlaceOrder,
    responses(
        (status = 201, body = OrderView, description = "Placed: stock and payment are certain."),
        (status = 202, body = OrderView, description = "Pending: the provider answers later."),
    )
)]
pub(crate) async fn handler(
    State(orders): State<OrderService>,
    caller: CallerOf,
    key: IdempotencyKey,
    Valid(body): Valid<PlaceOrder>,
) -> Result<Reply, ApiError> {
    Ok(orders.place_order(&caller, key, body).await?)
}

impl OrderService {
    /// Places an order from a cart.
    pub(crate) async fn place_order(
        &self,
        caller: &Caller,
        key: IdempotencyKey,
        body: PlaceOrder,
    ) -> Result<Reply, OrderError> {
        key.demand()?;
        let cart = CheckoutCart {
            cart_id: body.cart_id,
            customer_id: caller.customer(),
        };
        let checkout = self.cart.checkout_cart(cart).await?;
        let order_id = checkout.order_id;
        let request = key.request(order_id.uuid(), &body);
        let draft = self.draft(checkout, &body).await;

        if let Ok(order) = &draft
            && !self.moves_money(order)?
            && let Some(reply) = self.place_at_once(order.clone(), &request).await?
        {
            return Ok(reply);
        }
        let order = match self.begin(order_id, draft, &request).await? {
            Start::Mine(order) => *order,
            Start::Answered(reply) => return Ok(reply),
        };
        if let Err(problem) = self.reserve(&order).await {
            return Err(match shortages(&problem) {
                Some(lines) => self.refuse(order, OrderError::OutOfStock(lines)).await?,
                // Whether it was reserved is not known, and nobody was charged.
                None => {
                    self.give_up(order).await?;
                    problem.into()
                }
            });
        }
        let payment = self.authorise(&order).await?;
        self.conclude(order, payment).await
    }

    /// The order that the cart would become, or why it cannot.
    async fn draft(&self, checkout: Checkout, body: &PlaceOrder) -> Result<Order, OrderError> {
        if let Some(version) = body.cart_version {
            IfMatch::version(version).check(checkout.version)?;
        }
        let present = checkout.priced.totals.total;
        if let Some(expected) = body.expected_total.filter(|expected| *expected != present) {
            return Err(OrderError::PriceChanged { expected, present });
        }
        let email = self.email(&checkout).await?;
        let missing = missing(&checkout, email.is_some());
        match (email, checkout.payment.clone()) {
            (Some(email), Some(payment)) if missing.is_empty() => Ok(Order::from_checkout(
                checkout,
                email,
                payment,
                self.db.sources().now(),
            )),
            _ => Err(OrderError::Requirements(missing)),
        }
    }

    /// The address of the cart, or else that of the customer.
    async fn email(&self, checkout: &Checkout) -> Result<Option<Email>, OrderError> {
        let (None, Some(customer_id)) = (&checkout.email, checkout.customer_id) else {
            return Ok(checkout.email.clone());
        };
        let customer = self.user.get_customer(GetCustomer { customer_id }).await?;
        Ok(Some(customer.email))
    }

    /// Whether the intent has to be recorded before anybody is asked for money.
    fn moves_money(&self, order: &Order) -> Result<bool, OrderError> {
        Ok(order.total().minor != 0 && self.provider(order)?.moves_money())
    }

    /// No money moves on-line: stock, then everything else in one transaction. `None` if there is
    /// such an order already.
    async fn place_at_once(
        &self,
        order: Order,
        request: &IdempotentRequest,
    ) -> Result<Option<Reply>, OrderError> {
        if self.begun(order.id).await? {
            return Ok(None);
        }
        if let Err(problem) = self.reserve(&order).await {
            // The same request may have got so far meanwhile that the stock is taken already.
            if self.begun(order.id).await? {
                return Ok(None);
            }
            return Err(shortages(&problem).map_or(problem.into(), OrderError::OutOfStock));
        }
        let payment = PaymentStatus::Outside;
        self.record_placed(order, payment, request).await
    }

    async fn reserve(&self, order: &Order) -> Result<(), Problem> {
        let reservation = ReserveStock {
            holder: order.holder(),
            instead_of: std::iter::once(order.cart_id.uuid())
                .chain(order.earlier_holders())
                .collect(),
            lines: order.goods(),
            expires_at: self.db.sources().now().plus(self.config.reservation_ttl),
        };
        self.product.reserve_stock(reservation).await.map(drop)
    }

    /// What the provider says to the payment. If its answer is lost, it is asked what it knows; if
    /// it knows nothing, nobody knows: the order stays pending, and the sweeper will ask again.
    async fn authorise(&self, order: &Order) -> Result<PaymentStatus, OrderError> {
        if order.total().minor == 0 {
            return Ok(PaymentStatus::Outside);
        }
        let authorisation = Authorisation {
            key: order.payment_key(),
            amount: order.total(),
            token: order.payment_token.clone(),
            capture: self.config.capture == Capture::Placement,
        };
        let provider = self.provider(order)?;
        let unknown = match self.in_time(provider.authorise(authorisation)).await {
            Ok(status) => return Ok(status),
            Err(unknown) => unknown,
        };
        match self.in_time(provider.lookup(&order.payment_key())).await {
            Ok(Some(status)) => Ok(status),
            _ => Err(OrderError::Provider(unknown)),
        }
    }
}

/// What the order cannot do without. Stock is not looked at: reserving it decides, and tells how
/// much is left.
fn missing(checkout: &Checkout, has_email: bool) -> Vec<contracts::cart::Requirement> {
    let missing = checkout
        .requirements
        .iter()
        .filter(|requirement| match requirement.kind {
            RequirementKind::Stock => false,
            RequirementKind::Email => !has_email,
            _ => true,
        });
    missing.cloned().collect()
}

/// The lines of `product.out_of_stock`; `None` for any other problem.
fn shortages(problem: &Problem) -> Option<Vec<Shortage>> {
    let lines = problem
        .context
        .get("lines")
        .filter(|_| problem.is(codes::OUT_OF_STOCK))?;
    serde_json::from_value(lines.clone()).ok()
}
