//! Payments: what the order service asks of a payment provider.
//!
//! A provider keeps the truth about money in a book of its own. Every call carries a
//! [`PaymentKey`], under which a repetition finds what the first call did. What a call came to may
//! be unknown (the answer was lost): then the provider is [asked](Provider::lookup) before
//! anything else happens. A webhook is a hint to ask, nothing more.

pub(crate) mod test;
mod webhook;

use std::fmt;
use std::time::Duration;

use contracts::order::{OrderId, PaymentState};
use kernel::{Money, Secret};
use platform::db::{Db, DbError};

pub use self::webhook::WebhookError;
use crate::Config;

/// Names one try to pay for one order, for the provider and for us: `ord_.../1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PaymentKey {
    pub(crate) order_id: OrderId,
    pub(crate) attempt: u32,
}

impl fmt::Display for PaymentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.order_id, self.attempt)
    }
}

/// Asks a provider to set money aside, or to take it.
#[derive(Debug, Clone)]
pub(crate) struct Authorisation {
    pub(crate) key: PaymentKey,
    pub(crate) amount: Money,
    /// What the provider gave the client.
    pub(crate) token: Option<String>,
    /// Take the money at once.
    pub(crate) capture: bool,
}

/// What a provider knows of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PaymentStatus {
    /// The customer has yet to do something, or a bank to answer.
    Pending,
    /// The money is set aside.
    Authorised,
    /// The money is the shop's.
    Captured,
    /// Refused, for a reason. Final: nothing can be authorised under this key any more.
    Declined(String),
    /// Let go; it can no longer be authorised under this key.
    Voided,
    /// Given back.
    Refunded,
    /// Not the provider's business: paid outside, or nothing to pay.
    Outside,
}

impl PaymentStatus {
    /// The state that an order shows.
    pub(crate) fn state(&self) -> PaymentState {
        match self {
            Self::Pending => PaymentState::Pending,
            Self::Authorised => PaymentState::Authorised,
            Self::Captured => PaymentState::Captured,
            Self::Declined(_) => PaymentState::Declined,
            Self::Voided => PaymentState::Voided,
            Self::Refunded => PaymentState::Refunded,
            Self::Outside => PaymentState::Manual,
        }
    }

    /// The same, if no money is with the shop under this key, nor can come any more.
    pub(crate) fn closed(self) -> Result<Self, ProviderError> {
        match self {
            Self::Voided | Self::Refunded | Self::Declined(_) | Self::Outside => Ok(self),
            Self::Pending | Self::Authorised | Self::Captured => {
                Err(ProviderError::Refused(self.state().to_string()))
            }
        }
    }
}

/// Why it is unknown what a call came to.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProviderError {
    /// No answer in time. The call may have had its effect.
    #[error("the provider did not answer within {0:?}")]
    Timeout(Duration),
    /// The provider could not be reached, or its book could not.
    #[error("the provider cannot be reached: {0}")]
    Away(String),
    /// The provider knows the payment, but not in a state that allows the call.
    #[error("the provider refuses: the payment is {0}")]
    Refused(String),
}

impl From<DbError> for ProviderError {
    fn from(error: DbError) -> Self {
        Self::Away(error.to_string())
    }
}

/// A way to pay. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Provider {
    /// Outcomes by token, a book of its own.
    Test(test::TestProvider),
    /// No money moves on-line.
    Manual,
}

impl Provider {
    /// Whether the provider moves money, so that an intent has to be recorded before it is asked.
    pub(crate) fn moves_money(&self) -> bool {
        !matches!(self, Self::Manual)
    }

    /// Sets money aside. A repetition under the same key finds the first outcome.
    pub(crate) async fn authorise(
        &self,
        request: Authorisation,
    ) -> Result<PaymentStatus, ProviderError> {
        match self {
            Self::Test(test) => test.authorise(request).await,
            Self::Manual => Ok(PaymentStatus::Outside),
        }
    }

    /// What the provider knows; `None` if it has never heard of the payment.
    pub(crate) async fn lookup(
        &self,
        key: &PaymentKey,
    ) -> Result<Option<PaymentStatus>, ProviderError> {
        match self {
            Self::Test(test) => test.lookup(key).await,
            Self::Manual => Ok(Some(PaymentStatus::Outside)),
        }
    }

    /// Takes the money that was set aside. Taking it twice takes it once.
    pub(crate) async fn capture(&self, key: &PaymentKey) -> Result<PaymentStatus, ProviderError> {
        match self {
            Self::Test(test) => test.capture(key).await,
            Self::Manual => Ok(PaymentStatus::Outside),
        }
    }

    /// Gives back what was taken, or lets go of what was set aside; afterwards nothing can be
    /// authorised under this key any more. Twice is once.
    pub(crate) async fn give_back(&self, key: &PaymentKey) -> Result<PaymentStatus, ProviderError> {
        match self {
            Self::Test(test) => test.give_back(key).await,
            Self::Manual => Ok(PaymentStatus::Outside),
        }
    }

    /// Reads a webhook that proves to come from the provider: which payment it is about.
    pub(crate) async fn read_webhook(
        &self,
        headers: &http::HeaderMap,
        body: &[u8],
    ) -> Result<PaymentKey, WebhookError> {
        match self {
            Self::Test(test) => test.read_webhook(headers, body).await,
            Self::Manual => Err(WebhookError::BadSignature),
        }
    }
}

/// The providers of the configuration. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Providers(Vec<(String, Provider)>);

impl Providers {
    pub(crate) fn new(db: &Db, config: &Config) -> Self {
        let providers = config.providers.iter().map(|name| {
            let provider = match name.as_str() {
                "manual" => Provider::Manual,
                _ => Provider::Test(test::TestProvider::new(
                    db.clone(),
                    config.provider_timeout,
                    config.test_webhook_secret.clone(),
                )),
            };
            (name.clone(), provider)
        });
        Self(providers.collect())
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Provider> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, provider)| provider)
    }
}

/// The secret as the bytes that sign: Standard Webhooks writes it `whsec_` + base64.
pub(crate) fn secret_bytes(secret: &Secret<String>) -> Vec<u8> {
    use base64::Engine as _;
    let text = secret.expose();
    let encoded = text.strip_prefix("whsec_").unwrap_or(text);
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded);
    decoded.unwrap_or_else(|_| text.as_bytes().to_vec())
}
