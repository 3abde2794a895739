//! What can go wrong.

use contracts::cart::codes;
use kernel::{Code, Currency, Fault, FieldError, Kind, MoneyError, Problem};

use crate::model::{MOST_LINES, MOST_PIECES};

/// An error of the cart service.
#[derive(Debug, thiserror::Error)]
pub enum CartError {
    /// No such cart, line or promotion, or not yours.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The cart has become an order.
    #[error("the cart has become an order; begin a new one")]
    Completed,
    /// The variant is unknown or not on sale.
    #[error("the variant is unknown or not on sale")]
    NotPurchasable {
        /// The field that names it.
        pointer: String,
    },
    /// The variant has no price in the currency.
    #[error("the variant has no price in {currency}")]
    NoPrice {
        /// The field that names it.
        pointer: String,
        /// The cart's currency.
        currency: Currency,
    },
    /// More lines than a cart may hold.
    #[error("a cart has {MOST_LINES} lines at the most")]
    TooManyLines,
    /// More pieces than a line may hold.
    #[error("a line has {MOST_PIECES} pieces at the most")]
    TooManyPieces,
    /// No such way of sending, or not here.
    #[error("the shipping option `{option}` {why}")]
    BadShippingOption {
        /// What was chosen.
        option: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No such way of paying.
    #[error("there is no payment provider `{0}`")]
    BadPaymentProvider(String),
    /// The code does not serve.
    #[error("the promotion code `{code}` {why}")]
    BadPromotionCode {
        /// What was entered.
        code: String,
        /// Its place in the list.
        index: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A promotion with this code exists.
    #[error("there is a promotion with the code `{0}` already")]
    PromotionExists(String),
    /// An amount does not fit.
    #[error("an amount of the cart does not fit; take fewer pieces")]
    AmountOutOfRange,
    /// What the change was prepared for is not what it found; it has to be prepared anew.
    #[error("the cart was changed by many requests at once; try again in a moment")]
    Moved,
    /// An error that is passed on unchanged.
    #[error(transparent)]
    Relayed(Problem),
}

platform::relays!(CartError);

/// All amounts of a cart have its currency, so only their size can be wrong.
impl From<MoneyError> for CartError {
    fn from(_: MoneyError) -> Self {
        Self::AmountOutOfRange
    }
}

impl Fault for CartError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound(_) => Kind::NotFound,
            Self::Completed | Self::PromotionExists(_) => Kind::Conflict,
            Self::NotPurchasable { .. }
            | Self::NoPrice { .. }
            | Self::TooManyLines
            | Self::TooManyPieces
            | Self::BadShippingOption { .. }
            | Self::BadPaymentProvider(_)
            | Self::BadPromotionCode { .. }
            | Self::AmountOutOfRange => Kind::Invalid,
            Self::Moved => Kind::Unavailable,
            Self::Relayed(problem) => problem.kind(),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotFound(_) => codes::NOT_FOUND,
            Self::Completed => codes::COMPLETED,
            Self::NotPurchasable { .. } => codes::NOT_PURCHASABLE,
            Self::NoPrice { .. } => codes::NO_PRICE,
            Self::TooManyLines | Self::TooManyPieces => codes::LIMIT,
            Self::BadShippingOption { .. } => codes::BAD_SHIPPING_OPTION,
            Self::BadPaymentProvider(_) => codes::BAD_PAYMENT_PROVIDER,
            Self::BadPromotionCode { .. } => codes::BAD_PROMOTION_CODE,
            Self::PromotionExists(_) => codes::PROMOTION_EXISTS,
            Self::AmountOutOfRange => codes::AMOUNT_OUT_OF_RANGE,
            Self::Moved => kernel::problem::codes::OVERLOADED,
            Self::Relayed(_) => kernel::problem::codes::INTERNAL,
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        let pointer = match self {
            Self::NotPurchasable { pointer } | Self::NoPrice { pointer, .. } => pointer.clone(),
            Self::BadShippingOption { .. } => String::from("/shipping_option"),
            Self::BadPaymentProvider(_) => String::from("/payment/provider"),
            Self::BadPromotionCode { index, .. } => format!("/promotion_codes/{index}"),
            Self::PromotionExists(_) => String::from("/code"),
            _ => return Vec::new(),
        };
        vec![FieldError {
            pointer,
            code: self.code().into(),
            detail: self.to_string(),
        }]
    }

    fn retry_after(&self) -> Option<u32> {
        matches!(self, Self::Moved).then_some(1)
    }

    fn relayed(&self) -> Option<&Problem> {
        match self {
            Self::Relayed(problem) => Some(problem),
            _ => None,
        }
    }
}
