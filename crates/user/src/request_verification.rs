//! `POST /v1/auth/request-verification`: another mail to verify the address.

use axum::extract::State;
use contracts::user::VerificationRequested;
use kernel::CustomerId;
use platform::events;
use platform::http::{ApiError, CallerOf, Reply};

use crate::mail_token::{MailToken, Purpose};
use crate::{UserError, UserService, store};

/// Asks for another mail with a token that verifies the caller's address. Tokens of earlier mails
/// count no more. Nothing is sent if the address is verified already.
#[utoipa::path(
    post,
    path = "/v1/auth/request-verification",
    responses((status = 202, description = "A mail is on its way."))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    caller: CallerOf,
) -> Result<Reply, ApiError> {
    let id = caller.customer().ok_or(UserError::NotFound("customer"))?;
    Ok(users.request_verification(id).await?)
}

impl UserService {
    async fn request_verification(&self, id: CustomerId) -> Result<Reply, UserError> {
        let known = store::customer(&self.db.read().await?, id).await?;
        let customer = known.ok_or(UserError::NotFound("customer"))?;
        if customer.email_verified_at.is_some() {
            return Ok(Reply::accepted_empty());
        }
        self.throttle.count_mail("verify", &customer.email).await?;
        let ttl = self.config.verification_ttl;
        self.db
            .write(move |tx| async move {
                let token = MailToken::fresh(tx.sources(), id);
                let expires_at = tx.sources().now().plus(ttl);
                store::keep_mail_token(&tx, &token, Purpose::Verify, expires_at).await?;
                let event = VerificationRequested {
                    customer_id: id,
                    email: customer.email,
                    name: customer.name,
                    verification_token: token.text(),
                };
                events::emit(&tx, &event).await?;
                Ok(Reply::accepted_empty())
            })
            .await
    }
}
