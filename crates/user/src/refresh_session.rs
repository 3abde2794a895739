//! `POST /v1/auth/refresh`: a session goes on.

use axum::extract::State;
use kernel::{Secret, Validate, Violations};
use platform::auth::Subject;
use platform::db::{DbError, Tx};
use platform::http::{ApiError, Reply, Valid};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::log_in::Tokens;
use crate::session::{Owner, RefreshToken, Verdict};
use crate::{Config, UserError, UserService, store};

/// The session that is meant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PresentedToken {
    /// From the last log-in or refresh.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    pub(crate) refresh_token: Secret<String>,
}

impl Validate for PresentedToken {
    fn validate(&self, violations: &mut Violations) {
        violations.text("refresh_token", self.refresh_token.expose(), 1..=200);
    }
}

/// Gets new tokens. A refresh token counts once; presenting it a second time, within some seconds,
/// gets the same new refresh token again, in case the answer was lost. Any other use of an old
/// token ends the session. Send no `Authorization` header: an access token that has expired is
/// refused here as everywhere.
#[utoipa::path(
    post,
    path = "/v1/auth/refresh",
    request_body = PresentedToken,
    responses((status = 200, body = Tokens, description = "The session goes on."))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    Valid(body): Valid<PresentedToken>,
) -> Result<Reply, ApiError> {
    Ok(users.refresh_session(body).await?)
}

impl UserService {
    async fn refresh_session(&self, body: PresentedToken) -> Result<Reply, UserError> {
        let token = RefreshToken::read(body.refresh_token.expose());
        let token = token.ok_or(UserError::SessionEnded)?;
        let config = self.config.clone();
        let work = move |tx: Tx| async move { refresh(&tx, token, &config).await };
        // That the session has ended is committed, so it is no error until here.
        let refreshed = self.db.write(work).await.map_err(UserError::from)?;
        let (subject, next) = refreshed.ok_or(UserError::SessionEnded)?;
        Ok(Reply::ok(&self.tokens(&subject, &next)))
    }
}

/// Who the session speaks for, and its next token; `None` if it has ended.
async fn refresh(
    tx: &Tx,
    token: RefreshToken,
    config: &Config,
) -> Result<Option<(Subject, RefreshToken)>, DbError> {
    let Some(session) = store::lock_session(tx, &token).await? else {
        return Ok(None);
    };
    let now = tx.sources().now();
    let verdict = session.judge(&token.hash(), now, config.refresh_grace);
    if verdict == Verdict::Reused {
        tracing::warn!(session.id = %token.session, "a refresh token was used twice");
    }
    let subject = subject(tx, token.owner).await?;
    match (verdict, subject) {
        (Verdict::Rotate, Some(subject)) => {
            let salt: [u8; 32] = tx.sources().random();
            let expires_at = now.plus(config.refresh_ttl);
            store::rotate_session(tx, &token, &salt, expires_at).await?;
            Ok(Some((subject, token.next(&salt))))
        }
        (Verdict::Repeat(salt), Some(subject)) => {
            store::forget_previous(tx, &token).await?;
            Ok(Some((subject, token.next(salt))))
        }
        _ => {
            store::end_session(tx, token.owner, token.session).await?;
            Ok(None)
        }
    }
}

/// Who an owner is now: staff with the roles of today, and nobody if they are not active.
async fn subject(tx: &Tx, owner: Owner) -> Result<Option<Subject>, DbError> {
    Ok(match owner {
        Owner::Customer(id) => Some(Subject::Customer(id)),
        Owner::Staff(id) => {
            let staff = store::staff(tx, id).await?.filter(|staff| staff.active);
            staff.map(|staff| Subject::Staff(id, staff.roles.0))
        }
    })
}
