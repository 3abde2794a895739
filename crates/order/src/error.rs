//! What can go wrong.

use contracts::cart::Requirement;
use contracts::order::{OrderId, OrderState, codes};
use contracts::product::Shortage;
use kernel::{Code, Fault, Kind, Money, Problem};
use serde_json::{Map, Value, json};

use crate::payment::{ProviderError, WebhookError};
use crate::state::{Command, InvalidTransition};

/// An error of the order service.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// No such order, or not yours.
    #[error("there is no such order")]
    NotFound,
    /// The cart is not complete.
    #[error("the cart is not complete: {}", missing(.0))]
    Requirements(Vec<Requirement>),
    /// Less is left than was wanted.
    #[error("not enough is left of {}", skus(.0))]
    OutOfStock(Vec<Shortage>),
    /// The provider refused the payment.
    #[error("the payment was refused ({reason}); nothing was charged")]
    PaymentDeclined {
        /// In the provider's words.
        reason: String,
    },
    /// The cart has become an order by another request.
    #[error("the cart has become order {0} already")]
    AlreadyPlaced(OrderId),
    /// Another request is placing the order right now.
    #[error("order {0} is still being placed")]
    InProgress(OrderId),
    /// The price is not what the client expected.
    #[error("the total is {present}, not {expected}")]
    PriceChanged {
        /// What the client sent.
        expected: Money,
        /// What it is now.
        present: Money,
    },
    /// The order's state does not allow this.
    #[error("an order that is {from} cannot be {command}")]
    InvalidTransition {
        /// Where it stands.
        from: OrderState,
        /// What it was to become.
        command: &'static str,
    },
    /// The provider did not answer, or not sensibly.
    #[error("the payment provider is away; the order will be finished or undone")]
    Provider(#[source] ProviderError),
    /// No provider has this name.
    #[error("there is no payment provider `{0}`")]
    UnknownProvider(String),
    /// The webhook cannot be trusted or read.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    /// An error that is passed on unchanged.
    #[error(transparent)]
    Relayed(Problem),
}

platform::relays!(OrderError);

impl From<InvalidTransition> for OrderError {
    fn from(refused: InvalidTransition) -> Self {
        let command = match refused.command {
            Command::Place => "placed",
            Command::Undo | Command::Fail => "given up",
            Command::Retry => "tried again",
            Command::Fulfil => "fulfilled",
            Command::Ship => "shipped",
            Command::Cancel | Command::FinishCancelling => "cancelled",
        };
        Self::InvalidTransition {
            from: refused.from,
            command,
        }
    }
}

fn missing(requirements: &[Requirement]) -> String {
    let kinds: Vec<&str> = requirements
        .iter()
        .map(|missing| missing.kind.as_str())
        .collect();
    kinds.join(", ")
}

fn skus(shortages: &[Shortage]) -> String {
    let skus: Vec<&str> = shortages
        .iter()
        .map(|shortage| shortage.sku.as_str())
        .collect();
    skus.join(", ")
}

impl Fault for OrderError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound | Self::UnknownProvider(_) => Kind::NotFound,
            Self::Requirements(_) => Kind::Invalid,
            Self::PaymentDeclined { .. } => Kind::PaymentRequired,
            Self::OutOfStock(_)
            | Self::AlreadyPlaced(_)
            | Self::InProgress(_)
            | Self::PriceChanged { .. }
            | Self::InvalidTransition { .. } => Kind::Conflict,
            Self::Provider(_) => Kind::Unavailable,
            Self::Webhook(error) => error.kind(),
            Self::Relayed(problem) => problem.kind(),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotFound => codes::NOT_FOUND,
            Self::Requirements(_) => codes::REQUIREMENTS,
            Self::OutOfStock(_) => codes::OUT_OF_STOCK,
            Self::PaymentDeclined { .. } => codes::PAYMENT_DECLINED,
            Self::AlreadyPlaced(_) => codes::ALREADY_PLACED,
            Self::InProgress(_) => codes::IN_PROGRESS,
            Self::PriceChanged { .. } => codes::PRICE_CHANGED,
            Self::InvalidTransition { .. } => codes::INVALID_TRANSITION,
            Self::Provider(_) => codes::PROVIDER_UNAVAILABLE,
            Self::UnknownProvider(_) => codes::UNKNOWN_PROVIDER,
            Self::Webhook(error) => error.code(),
            Self::Relayed(_) => kernel::problem::codes::INTERNAL,
        }
    }

    fn context(&self) -> Map<String, Value> {
        let context = match self {
            Self::Requirements(requirements) => json!({"requirements": requirements}),
            Self::OutOfStock(shortages) => json!({"lines": shortages}),
            Self::AlreadyPlaced(order) | Self::InProgress(order) => json!({"order_id": order}),
            Self::PriceChanged { expected, present } => {
                json!({"expected": expected, "present": present})
            }
            Self::InvalidTransition { from, .. } => json!({"state": from}),
            _ => json!({}),
        };
        context.as_object().cloned().unwrap_or_default()
    }

    fn retry_after(&self) -> Option<u32> {
        matches!(self, Self::InProgress(_) | Self::Provider(_)).then_some(2)
    }

    fn relayed(&self) -> Option<&Problem> {
        match self {
            Self::Relayed(problem) => Some(problem),
            _ => None,
        }
    }
}
