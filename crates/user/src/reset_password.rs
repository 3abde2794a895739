//! `POST /v1/auth/reset-password`: a mailed token sets a new password.

use axum::extract::State;
use contracts::user::PasswordChanged;
use kernel::{Email, Secret, Validate, Violations};
use platform::db::{DbError, Tx};
use platform::events;
use platform::http::{ApiError, Reply, Valid};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::mail_token::{MailToken, Purpose};
use crate::model::Customer;
use crate::session::Owner;
use crate::{UserError, UserService, password, store};

/// The token of the mail, and what it is for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetPassword {
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    token: Secret<String>,
    /// 8 to 128 characters.
    #[schema(value_type = String, min_length = 8, max_length = 128, example = "battery staple")]
    password: Secret<String>,
}

impl Validate for ResetPassword {
    fn validate(&self, violations: &mut Violations) {
        violations.text("token", self.token.expose(), 1..=200);
    }
}

/// Sets a new password. Each token counts once; every session of the customer ends.
#[utoipa::path(
    post,
    path = "/v1/auth/reset-password",
    request_body = ResetPassword,
    responses((status = 204, description = "The password is set."))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    Valid(body): Valid<ResetPassword>,
) -> Result<Reply, ApiError> {
    Ok(users.reset_password(body).await?)
}

impl UserService {
    async fn reset_password(&self, body: ResetPassword) -> Result<Reply, UserError> {
        password::check(&body.password)?;
        let token = MailToken::read(body.token.expose()).ok_or(UserError::BadMailToken)?;
        // Nobody makes the shop hash passwords with tokens that do not count.
        let tx = self.db.read().await?;
        if !store::counts_mail_token(&tx, &token, Purpose::Reset).await? {
            return Err(UserError::BadMailToken);
        }
        drop(tx);
        let hash = self.hasher.hash(body.password, self.db.sources()).await?;
        let email = self
            .db
            .write(move |tx| async move { reset(&tx, token, &hash).await })
            .await?;
        self.throttle.forgive(&email).await;
        Ok(Reply::no_content())
    }
}

/// Returns the address of the customer.
async fn reset(tx: &Tx, token: MailToken, hash: &str) -> Result<Email, UserError> {
    if !store::spend_mail_token(tx, &token, Purpose::Reset).await? {
        return Err(UserError::BadMailToken);
    }
    let id = token.customer;
    let customer = store::lock_customer(tx, id)
        .await?
        .ok_or(UserError::BadMailToken)?;
    store::set_password(tx, id, hash).await?;
    store::end_sessions(tx, Owner::Customer(id), None).await?;
    let email = customer.email.clone();
    announce(tx, customer).await?;
    Ok(email)
}

/// Tells that the password of a customer was changed.
pub(crate) async fn announce(tx: &Tx, customer: Customer) -> Result<(), DbError> {
    let event = PasswordChanged {
        customer_id: customer.id,
        email: customer.email,
        name: customer.name,
        changed_at: tx.sources().now(),
    };
    events::emit(tx, &event).await
}
