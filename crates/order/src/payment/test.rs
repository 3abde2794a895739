//! The provider `test`: outcomes by token, and a book of its own, as a real provider has one.
//!
//! | token | outcome |
//! | --- | --- |
//! | `tok_ok` | authorised |
//! | `tok_declined` | refused |
//! | `tok_later` | pending, until a webhook says more |
//! | `tok_lost` | authorised, but the answer is lost |
//! | `tok_away` | nothing happens, and there is no answer |
//!
//! Its webhooks are signed with `payment.test_webhook_secret` and drive the script: one that says
//! `payment.authorised` of a pending payment makes it so.

use std::time::Duration;

use contracts::order::OrderId;
use http::HeaderMap;
use kernel::Secret;
use platform::db::{Db, DbError, Tx};
use platform::{params, sql};
use serde::Deserialize;

use super::{
    Authorisation, PaymentKey, PaymentStatus, ProviderError, WebhookError, secret_bytes, webhook,
};

kernel::text_enum! {
    /// What the book says of a payment.
    enum Entry {
        /// The customer has yet to do something.
        Pending = "pending",
        /// Set aside.
        Authorised = "authorised",
        /// Taken.
        Captured = "captured",
        /// Refused.
        Declined = "declined",
        /// Let go.
        Voided = "voided",
        /// Given back.
        Refunded = "refunded",
    }
}

impl Entry {
    fn status(self) -> PaymentStatus {
        match self {
            Self::Pending => PaymentStatus::Pending,
            Self::Authorised => PaymentStatus::Authorised,
            Self::Captured => PaymentStatus::Captured,
            Self::Declined => PaymentStatus::Declined(String::from("card declined")),
            Self::Voided => PaymentStatus::Voided,
            Self::Refunded => PaymentStatus::Refunded,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct TestProvider {
    db: Db,
    timeout: Duration,
    webhook_secret: Option<Secret<String>>,
}

/// What a webhook says.
#[derive(Debug, Deserialize)]
struct Notice {
    #[serde(rename = "type")]
    kind: String,
    data: NoticeData,
}

#[derive(Debug, Deserialize)]
struct NoticeData {
    order_id: OrderId,
    #[serde(default = "first")]
    attempt: u32,
}

fn first() -> u32 {
    1
}

impl TestProvider {
    pub(super) fn new(db: Db, timeout: Duration, webhook_secret: Option<Secret<String>>) -> Self {
        Self {
            db,
            timeout,
            webhook_secret,
        }
    }

    pub(super) async fn authorise(
        &self,
        request: Authorisation,
    ) -> Result<PaymentStatus, ProviderError> {
        let token = request.token.clone().unwrap_or_default();
        let entry = match token.as_str() {
            "tok_ok" | "tok_lost" if request.capture => Entry::Captured,
            "tok_ok" | "tok_lost" => Entry::Authorised,
            "tok_later" => Entry::Pending,
            "tok_away" => return Err(ProviderError::Away(String::from("tok_away"))),
            _ => Entry::Declined,
        };
        let written = self
            .db
            .write(move |tx| async move { enter(&tx, &request, entry).await });
        let entry = written.await?;
        if token == "tok_lost" {
            return Err(ProviderError::Timeout(self.timeout));
        }
        Ok(entry.status())
    }

    pub(super) async fn lookup(
        &self,
        key: &PaymentKey,
    ) -> Result<Option<PaymentStatus>, ProviderError> {
        let tx = self.db.read().await?;
        let select = sql!("SELECT state FROM test_provider_book WHERE key = $1");
        let found: Option<(Entry,)> = tx.one(select, params![key.to_string()]).await?;
        Ok(found.map(|(entry,)| entry.status()))
    }

    pub(super) async fn capture(&self, key: &PaymentKey) -> Result<PaymentStatus, ProviderError> {
        match self.change(key, Entry::Authorised, Entry::Captured).await? {
            Some(Entry::Captured) => Ok(PaymentStatus::Captured),
            Some(other) => Err(ProviderError::Refused(other.to_string())),
            None => Err(ProviderError::Refused(String::from("unknown"))),
        }
    }

    pub(super) async fn give_back(&self, key: &PaymentKey) -> Result<PaymentStatus, ProviderError> {
        let key = key.clone();
        let entry = self
            .db
            .write(move |tx| async move {
                // A key that was never used is closed, so that a late call cannot open it.
                close(&tx, &key).await?;
                move_entry(&tx, &key, Entry::Pending, Entry::Voided).await?;
                move_entry(&tx, &key, Entry::Authorised, Entry::Voided).await?;
                move_entry(&tx, &key, Entry::Captured, Entry::Refunded).await?;
                read(&tx, &key).await
            })
            .await?;
        Ok(entry.map_or(PaymentStatus::Voided, Entry::status))
    }

    pub(super) async fn read_webhook(
        &self,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<PaymentKey, WebhookError> {
        let secret = self
            .webhook_secret
            .as_ref()
            .ok_or(WebhookError::BadSignature)?;
        webhook::verify(
            headers,
            body,
            &secret_bytes(secret),
            self.db.sources().now(),
        )?;
        let notice: Notice = serde_json::from_slice(body)
            .map_err(|error| WebhookError::Unreadable(error.to_string()))?;
        let key = PaymentKey {
            order_id: notice.data.order_id,
            attempt: notice.data.attempt,
        };
        let to = match notice.kind.as_str() {
            "payment.authorised" => Some(Entry::Authorised),
            "payment.captured" => Some(Entry::Captured),
            "payment.declined" => Some(Entry::Declined),
            _ => None,
        };
        if let Some(to) = to {
            let changed = self.change(&key, Entry::Pending, to).await;
            changed.map_err(|_| WebhookError::Later)?;
        }
        Ok(key)
    }

    /// Moves a payment from one state to another, if it is in the one; what it is in afterwards.
    async fn change(
        &self,
        key: &PaymentKey,
        from: Entry,
        to: Entry,
    ) -> Result<Option<Entry>, DbError> {
        let key = key.clone();
        self.db
            .write(move |tx| async move {
                move_entry(&tx, &key, from, to).await?;
                read(&tx, &key).await
            })
            .await
    }
}

/// Writes a payment into the book; one that is there already stays as it is.
async fn enter(tx: &Tx, request: &Authorisation, entry: Entry) -> Result<Entry, DbError> {
    let Authorisation {
        key, amount, token, ..
    } = request;
    let captured = if entry == Entry::Captured {
        amount.minor
    } else {
        0
    };
    let found: Option<(Entry,)> = tx
        .one(
            sql!(
                "INSERT INTO test_provider_book (key, order_id, amount, currency, token, state,
                                                 captured, refunded, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $8)
                 ON CONFLICT (key) DO UPDATE SET updated_at = $8
                 RETURNING state"
            ),
            params![
                key.to_string(),
                key.order_id,
                amount.minor,
                amount.currency,
                token.as_deref().unwrap_or_default(),
                entry,
                captured,
                tx.sources().now()
            ],
        )
        .await?;
    Ok(found.map_or(entry, |(entry,)| entry))
}

async fn close(tx: &Tx, key: &PaymentKey) -> Result<(), DbError> {
    tx.run(
        sql!(
            "INSERT INTO test_provider_book (key, order_id, amount, currency, token, state,
                                             captured, refunded, created_at, updated_at)
             VALUES ($1, $2, 0, '', '', 'voided', 0, 0, $3, $3) ON CONFLICT DO NOTHING"
        ),
        params![key.to_string(), key.order_id, tx.sources().now()],
    )
    .await
}

async fn move_entry(tx: &Tx, key: &PaymentKey, from: Entry, to: Entry) -> Result<(), DbError> {
    tx.run(
        sql!(
            "UPDATE test_provider_book
             SET state = $3,
                 captured = CASE WHEN $3 = 'captured' THEN amount ELSE captured END,
                 refunded = CASE WHEN $3 = 'refunded' THEN captured ELSE refunded END,
                 updated_at = $4
             WHERE key = $1 AND state = $2"
        ),
        params![key.to_string(), from, to, tx.sources().now()],
    )
    .await
}

async fn read(tx: &Tx, key: &PaymentKey) -> Result<Option<Entry>, DbError> {
    let select = sql!("SELECT state FROM test_provider_book WHERE key = $1");
    let found: Option<(Entry,)> = tx.one(select, params![key.to_string()]).await?;
    Ok(found.map(|row| row.0))
}

/// A line of the book, for tests that hold it against the orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookEntry {
    /// The order that it is for.
    pub order_id: OrderId,
    /// Minor units.
    pub amount: i64,
    /// `authorised`, `captured`, `declined`, ...
    pub state: String,
    /// Minor units that were taken.
    pub captured: i64,
    /// Minor units that were given back.
    pub refunded: i64,
}

platform::from_row!(BookEntry {
    order_id,
    amount,
    state,
    captured,
    refunded
});

/// The whole book, or the part about one order; for tests.
pub async fn read_book(db: &Db, order: Option<OrderId>) -> Result<Vec<BookEntry>, DbError> {
    let tx = db.read().await?;
    tx.all(
        sql!(
            "SELECT order_id, amount, state, captured, refunded FROM test_provider_book
             WHERE CAST($1 AS uuid) IS NULL OR order_id = $1 ORDER BY created_at, key"
        ),
        params![order],
    )
    .await
}
