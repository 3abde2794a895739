//! Repeating a request must not repeat its effect: `Idempotency-Key` (IETF draft
//! `draft-ietf-httpapi-idempotency-key-header`).
//!
//! The answer is kept in the transaction of the effect, under the caller, the operation and the
//! key. There is no moment at which one is there without the other, so a crash never poisons a
//! key.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use kernel::problem::codes;
use kernel::{Caller, Code, Fault, Kind, Problem, Timestamp};
use ring::digest;
use serde::Serialize;
use uuid::Uuid;

use crate::db::{Db, DbError, Tx};
use crate::http::route::Operator;
use crate::http::{ApiError, CallerOf, Reply};
use crate::{from_row, params, sql};

/// The header that carries the key.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// All anonymous callers share one scope, so their keys must not be guessed.
const SHORTEST_ANONYMOUS: usize = 16;
const LONGEST: usize = 255;

/// Why a key does not serve.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IdempotencyError {
    /// The route demands a key and there is none.
    #[error("send an Idempotency-Key, such as a UUID, and repeat it when you repeat the request")]
    Required,
    /// Empty, too long, or, for an anonymous caller, too short.
    #[error("the Idempotency-Key must have 1 to 255 characters; without a log-in 16 at least")]
    Bad,
    /// It stood for another payload.
    #[error("the Idempotency-Key was used before with another payload")]
    Reused,
    /// The first request with it has not ended.
    #[error("the first request with this Idempotency-Key is still running")]
    Running,
    /// The record could not be read or written.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Fault for IdempotencyError {
    fn kind(&self) -> Kind {
        match self {
            Self::Required | Self::Bad => Kind::Malformed,
            Self::Reused => Kind::Invalid,
            Self::Running => Kind::Conflict,
            Self::Db(error) => error.kind(),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Required => codes::KEY_REQUIRED,
            Self::Bad => codes::BAD_KEY,
            Self::Reused => codes::KEY_REUSED,
            Self::Running => codes::KEY_RUNNING,
            Self::Db(error) => error.code(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        matches!(self, Self::Running).then_some(1)
    }
}

/// The key of a request, or that it has none; taken by every mutating `POST`.
#[derive(Debug, Clone, Default)]
pub struct IdempotencyKey(Option<String>);

impl IdempotencyKey {
    /// For calls that are not requests: no key.
    pub const fn none() -> Self {
        Self(None)
    }

    /// The key of a caller for an operation, for calls that do not come over HTTP.
    pub fn of(caller: &Caller, operation: &str, key: &str) -> Self {
        Self(Some(format!("{}|{operation}|{key}", caller.principal())))
    }

    /// Fails if the request has no key.
    pub fn demand(&self) -> Result<(), IdempotencyError> {
        if self.0.is_some() {
            Ok(())
        } else {
            Err(IdempotencyError::Required)
        }
    }

    /// The request that the key stands for: its payload, and whose record it is. `owner` is the
    /// aggregate that the effect changes, so that both live on one shard.
    pub fn request(&self, owner: Uuid, payload: &impl Serialize) -> IdempotentRequest {
        let scope = self.0.clone();
        let json = serde_json::to_vec(payload).expect("payloads are plain data");
        let fingerprint = digest::digest(&digest::SHA256, &json).as_ref().to_vec();
        IdempotentRequest {
            scope,
            owner,
            fingerprint,
        }
    }

    /// A UUID that is the same for every request with this key, and no other; `None` without a
    /// key. For effects that make the aggregate which would own the record.
    pub fn derived(&self) -> Option<Uuid> {
        let scope = self.0.as_ref()?;
        let digest = digest::digest(&digest::SHA256, scope.as_bytes());
        let bytes: [u8; 16] = digest.as_ref()[..16]
            .try_into()
            .expect("SHA-256 has 32 bytes");
        Some(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    fn read(parts: &Parts) -> Result<Self, IdempotencyError> {
        let Some(value) = parts.headers.get(IDEMPOTENCY_KEY) else {
            return Ok(Self(None));
        };
        let text = value.to_str().map_err(|_| IdempotencyError::Bad)?.trim();
        // The draft makes it a quoted string; a bare value means the same.
        let bare = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .unwrap_or(text);
        let caller = parts
            .extensions
            .get::<CallerOf>()
            .cloned()
            .unwrap_or_default();
        let shortest = if caller.0 == Caller::Anonymous {
            SHORTEST_ANONYMOUS
        } else {
            1
        };
        if !(shortest..=LONGEST).contains(&bare.len()) {
            return Err(IdempotencyError::Bad);
        }
        let operator = parts.extensions.get::<Operator>();
        let operation = operator.map_or("", |operator| operator.operation);
        Ok(Self::of(&caller, operation, bare))
    }
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self::read(parts)?)
    }
}

/// A request with its key: what is compared and kept.
#[derive(Debug, Clone)]
pub struct IdempotentRequest {
    scope: Option<String>,
    owner: Uuid,
    fingerprint: Vec<u8>,
}

impl IdempotentRequest {
    /// Runs `work` in one transaction with the record of its answer, and gives that answer to
    /// whoever repeats the request, later or at the same time. The transaction is shared, as the
    /// record is written after `work`.
    pub async fn once<E, F, Fut>(self, db: &Db, work: F) -> Result<Reply, E>
    where
        F: FnOnce(Arc<Tx>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Reply, E>> + Send,
        E: Fault + From<DbError> + From<IdempotencyError> + Send + 'static,
    {
        let request = self.clone();
        let result = db
            .write(move |tx| async move {
                if let Some(reply) = request.replay(&tx).await? {
                    return Ok(reply);
                }
                let tx = Arc::new(tx);
                let reply = work(tx.clone()).await?;
                request.keep(&tx, &reply).await?;
                Ok(reply)
            })
            .await;
        self.settle(db, result).await
    }

    /// Answers an attempt that failed, perhaps over what the same request had just changed, with
    /// what that one got. One that was not made for want of room or of the database is not looked
    /// up, nor is it told that the look-up failed.
    pub async fn settle<E>(&self, db: &Db, result: Result<Reply, E>) -> Result<Reply, E>
    where
        E: Fault + From<IdempotencyError>,
    {
        let failed = matches!(&result, Err(error) if error.kind() != Kind::Unavailable);
        if !failed || self.scope.is_none() {
            return result;
        }
        let Ok(tx) = db.read().await else {
            return result;
        };
        match self.replay(&tx).await {
            Ok(Some(reply)) => Ok(reply),
            Err(IdempotencyError::Reused) => Err(IdempotencyError::Reused.into()),
            Ok(None) | Err(_) => result,
        }
    }

    /// The answer that the first request got; `None` if this is the first, or there is no key.
    pub async fn replay(&self, tx: &Tx) -> Result<Option<Reply>, IdempotencyError> {
        let Some(scope) = &self.scope else {
            return Ok(None);
        };
        let kept: Option<Kept> = tx
            .one(
                sql!(
                    "SELECT fingerprint, status, etag, location, body FROM idempotency
                     WHERE owner = $1 AND scope = $2"
                ),
                params![self.owner, scope],
            )
            .await?;
        match kept {
            None => Ok(None),
            Some(kept) if kept.fingerprint != self.fingerprint => Err(IdempotencyError::Reused),
            Some(kept) => Ok(Some(kept.reply())),
        }
    }

    /// Keeps the answer, in the transaction of the effect. Fails if another request with this key
    /// was faster, which undoes the effect.
    pub async fn keep(&self, tx: &Tx, reply: &Reply) -> Result<(), IdempotencyError> {
        let Some(scope) = &self.scope else {
            return Ok(());
        };
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        let etag = reply.etag.as_ref().and_then(|etag| etag.to_str().ok());
        let kept = tx
            .exec(
                sql!(
                    "INSERT INTO idempotency (owner, scope, fingerprint, status, etag, location,
                                              body, created_at)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING"
                ),
                params![
                    self.owner,
                    scope,
                    self.fingerprint,
                    reply.status.as_u16(),
                    etag,
                    reply.location,
                    body,
                    tx.sources().now()
                ],
            )
            .await?;
        if kept == 1 {
            Ok(())
        } else {
            Err(IdempotencyError::Running)
        }
    }

    /// Whether `fingerprint` is that of this request, for operations that keep their own records.
    pub fn matches(&self, fingerprint: &[u8]) -> bool {
        self.fingerprint == fingerprint
    }

    /// What identifies the payload (SHA-256).
    pub fn fingerprint(&self) -> &[u8] {
        &self.fingerprint
    }

    /// Caller, operation and key; `None` without a key.
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }
}

/// An answer, as it is kept.
struct Kept {
    fingerprint: Vec<u8>,
    status: u16,
    etag: Option<String>,
    location: Option<String>,
    body: String,
}

from_row!(Kept {
    fingerprint,
    status,
    etag,
    location,
    body
});

impl Kept {
    fn reply(self) -> Reply {
        let mut reply = Reply::replay(self.status, self.body);
        reply.etag = self.etag.and_then(|etag| HeaderValue::try_from(etag).ok());
        reply.location = self.location;
        reply
    }
}

/// Forgets records from before `before`, a few at a time.
pub(crate) async fn prune(tx: &Tx, before: Timestamp) -> Result<u64, DbError> {
    tx.exec(
        sql!(
            "DELETE FROM idempotency WHERE (owner, scope) IN (
                 SELECT owner, scope FROM idempotency WHERE created_at < $1 LIMIT 1000)"
        ),
        params![before],
    )
    .await
}

/// Turns a problem of the platform into an error of a service.
///
/// Implements `From` for the errors that every service passes on unchanged, into the variant
/// `Relayed(Problem)` of its error enum.
#[macro_export]
macro_rules! relays {
    ($error:ident) => {
        $crate::relays!(
            $error:
            ::kernel::Problem,
            $crate::db::DbError,
            $crate::idempotency::IdempotencyError,
        );
    };
    ($error:ident: $($from:ty),+ $(,)?) => {
        $(impl From<$from> for $error {
            fn from(error: $from) -> Self {
                Self::Relayed(error.into())
            }
        })+
    };
}

/// Problems of cursors are the same everywhere.
pub fn bad_cursor(error: kernel::CursorError) -> Problem {
    Problem::new(Kind::Malformed, codes::BAD_CURSOR, error.to_string())
}
