//! `POST /v1/auth/request-password-reset`: a mail for somebody who has forgotten their password.
//!
//! Nobody must learn from the answer, or from the time that it takes, whether an address belongs
//! to a customer. So the answer is given after the same statements in both cases: one finds out
//! whose the address is, one notes the wish as an event. The service hears its own event and sends
//! the mail if there is anybody to send it to.

use axum::extract::State;
use contracts::user::{PasswordResetAsked, PasswordResetRequested};
use kernel::{Email, Validate, Violations};
use platform::db::{DbError, Tx};
use platform::events;
use platform::http::{ApiError, Reply, Valid};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::mail_token::{MailToken, Purpose};
use crate::{UserError, UserService, store};

/// Whose password was forgotten.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestPasswordReset {
    email: Email,
}

impl Validate for RequestPasswordReset {
    fn validate(&self, _: &mut Violations) {}
}

/// Asks for a mail with a token that sets a new password. The answer is the same whether the
/// address is known or not. Tokens of earlier mails count no more.
#[utoipa::path(
    post,
    path = "/v1/auth/request-password-reset",
    request_body = RequestPasswordReset,
    responses((status = 202, description = "If the address is known, a mail is on its way."))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    Valid(body): Valid<RequestPasswordReset>,
) -> Result<Reply, ApiError> {
    Ok(users.request_password_reset(body).await?)
}

impl UserService {
    async fn request_password_reset(&self, body: RequestPasswordReset) -> Result<Reply, UserError> {
        // Whoever is flooded with mails has not asked for them; nobody else learns of the limit.
        if self
            .throttle
            .count_mail("reset", &body.email)
            .await
            .is_err()
        {
            return Ok(Reply::accepted_empty());
        }
        let owner = store::email_owner(&self.db.read().await?, &body.email).await?;
        let customer_id = owner.unwrap_or_else(|| self.db.sources().id());
        self.db
            .write(move |tx| async move {
                events::emit(&tx, &PasswordResetAsked { customer_id }).await?;
                Ok(Reply::accepted_empty())
            })
            .await
    }

    /// Sends the mail, if there is anybody to send it to.
    pub(crate) async fn mail_reset_token(
        &self,
        tx: &Tx,
        asked: PasswordResetAsked,
    ) -> Result<(), DbError> {
        let Some(customer) = store::customer(tx, asked.customer_id).await? else {
            return Ok(());
        };
        let token = MailToken::fresh(tx.sources(), customer.id);
        let expires_at = tx.sources().now().plus(self.config.reset_ttl);
        store::keep_mail_token(tx, &token, Purpose::Reset, expires_at).await?;
        let event = PasswordResetRequested {
            customer_id: customer.id,
            email: customer.email,
            name: customer.name,
            reset_token: token.text(),
        };
        events::emit(tx, &event).await
    }
}
