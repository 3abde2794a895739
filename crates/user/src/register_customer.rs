//! `POST /v1/customers`: somebody becomes a customer.

use axum::extract::State;
use contracts::user::UserRegistered;
use kernel::{CustomerId, Email, Id, Secret, Validate, Violations};
use platform::http::{ApiError, ETag, Reply, Valid};
use platform::idempotency::{IdempotencyKey, IdempotentRequest};
use platform::{db::Tx, events};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::mail_token::{MailToken, Purpose};
use crate::model::{Customer, Profile};
use crate::{UserError, UserService, password, store};

/// Somebody who wants to become a customer.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegisterCustomer {
    email: Email,
    /// 8 to 128 characters.
    #[serde(skip_serializing)]
    #[schema(value_type = String, min_length = 8, max_length = 128, example = "correct horse")]
    password: Secret<String>,
    /// How the shop addresses the customer.
    #[schema(min_length = 1, max_length = 200, example = "Ada Lovelace")]
    name: String,
}

impl Validate for RegisterCustomer {
    fn validate(&self, violations: &mut Violations) {
        violations.text("name", &self.name, 1..=200);
    }
}

/// Registers a customer. A mail with a token to verify the address is on its way.
#[utoipa::path(
    post,
    path = "/v1/customers",
    request_body = RegisterCustomer,
    responses((status = 201, body = Profile, description = "Registered.",
        headers(("ETag" = String, description = "The version."),
                ("Location" = String, description = "Where the customer is to be had."))))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    key: IdempotencyKey,
    Valid(body): Valid<RegisterCustomer>,
) -> Result<Reply, ApiError> {
    Ok(users.register_customer(key, body).await?)
}

impl UserService {
    /// Registers a customer.
    pub(crate) async fn register_customer(
        &self,
        key: IdempotencyKey,
        body: RegisterCustomer,
    ) -> Result<Reply, UserError> {
        password::check(&body.password)?;
        let id = self.claim_email(&body.email).await?;
        let request = key.request(id.uuid(), &body);
        if let Some(reply) = self.known_customer(id, &request).await? {
            return Ok(reply);
        }
        let hash = self
            .hasher
            .hash(body.password.clone(), self.db.sources())
            .await?;
        let ttl = self.config.verification_ttl;
        let mine = request.clone();
        let registered = self
            .db
            .write(move |tx| async move {
                let customer = new_customer(&tx, id, body);
                if !store::add_customer(&tx, &customer, &hash).await? {
                    return Err(UserError::EmailTaken);
                }
                let token = MailToken::fresh(tx.sources(), id);
                let expires_at = customer.created_at.plus(ttl);
                store::keep_mail_token(&tx, &token, Purpose::Verify, expires_at).await?;
                events::emit(&tx, &registration(&customer, token.text())).await?;
                let version = customer.version;
                let reply = Reply::created("/v1/customers/me", &Profile::from(customer))
                    .tagged(ETag::version(version));
                request.keep(&tx, &reply).await?;
                Ok(reply)
            })
            .await;
        mine.settle(&self.db, registered).await
    }

    /// The id that the address belongs to: a fresh one, or that of who claimed it before.
    async fn claim_email(&self, email: &Email) -> Result<CustomerId, UserError> {
        let (email, fresh) = (email.clone(), self.db.sources().id());
        self.db
            .write(move |tx| async move { Ok(store::claim_email(&tx, &email, fresh).await?) })
            .await
    }

    /// If the customer exists: the answer to the same request, or that the address is taken. A
    /// claim without a customer is what a crash has left; it may be used.
    async fn known_customer(
        &self,
        id: CustomerId,
        request: &IdempotentRequest,
    ) -> Result<Option<Reply>, UserError> {
        let tx = self.db.read().await?;
        // The customer first: once they are there, so is the answer to who registered them.
        if store::customer(&tx, id).await?.is_none() {
            return Ok(None);
        }
        let reply = request.replay(&tx).await?;
        reply.map(Some).ok_or(UserError::EmailTaken)
    }
}

fn new_customer(tx: &Tx, id: CustomerId, body: RegisterCustomer) -> Customer {
    Customer {
        id,
        email: body.email,
        name: body.name,
        email_verified_at: None,
        version: 1,
        created_at: tx.sources().now(),
    }
}

fn registration(customer: &Customer, verification_token: String) -> UserRegistered {
    UserRegistered {
        customer_id: customer.id,
        email: customer.email.clone(),
        name: customer.name.clone(),
        verification_token,
        registered_at: customer.created_at,
    }
}
