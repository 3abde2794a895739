//! `POST /v1/auth/verify-email`: a mailed token comes back.

use axum::extract::State;
use contracts::user::EmailVerified;
use kernel::{Secret, Validate, Violations};
use platform::db::Tx;
use platform::events;
use platform::http::{ApiError, Reply, Valid};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::mail_token::{MailToken, Purpose};
use crate::{UserError, UserService, store};

/// The token of the mail.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyEmail {
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    token: Secret<String>,
}

impl Validate for VerifyEmail {
    fn validate(&self, violations: &mut Violations) {
        violations.text("token", self.token.expose(), 1..=200);
    }
}

/// Proves that an e-mail address belongs to its customer. Each token counts once.
#[utoipa::path(
    post,
    path = "/v1/auth/verify-email",
    request_body = VerifyEmail,
    responses((status = 204, description = "The address is verified."))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    Valid(body): Valid<VerifyEmail>,
) -> Result<Reply, ApiError> {
    Ok(users.verify_email(body).await?)
}

impl UserService {
    async fn verify_email(&self, body: VerifyEmail) -> Result<Reply, UserError> {
        let token = MailToken::read(body.token.expose()).ok_or(UserError::BadMailToken)?;
        self.db
            .write(move |tx| async move { verify(&tx, token).await })
            .await
    }
}

async fn verify(tx: &Tx, token: MailToken) -> Result<Reply, UserError> {
    if !store::spend_mail_token(tx, &token, Purpose::Verify).await? {
        return Err(UserError::BadMailToken);
    }
    let customer = store::lock_customer(tx, token.customer).await?;
    let mut customer = customer.ok_or(UserError::BadMailToken)?;
    if customer.email_verified_at.is_none() {
        let verified_at = tx.sources().now();
        customer.email_verified_at = Some(verified_at);
        customer.version += 1;
        store::save_customer(tx, &customer).await?;
        let customer_id = customer.id;
        events::emit(
            tx,
            &EmailVerified {
                customer_id,
                verified_at,
            },
        )
        .await?;
    }
    Ok(Reply::no_content())
}
