//! `PUT /v1/customers/me/password`: a customer chooses another password.

use axum::extract::State;
use kernel::identity::SessionId;
use kernel::{Caller, CustomerId, Secret, Validate, Violations};
use platform::db::Tx;
use platform::http::{ApiError, CallerOf, ClientAddress, Reply, Valid};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::mail_token::Purpose;
use crate::reset_password::announce;
use crate::session::Owner;
use crate::throttle::Attempt;
use crate::{UserError, UserService, password, store};

/// Another password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePassword {
    /// The present one: who finds an open device must not lock its owner out.
    #[schema(value_type = String, min_length = 1, max_length = 128, example = "correct horse")]
    old_password: Secret<String>,
    /// 8 to 128 characters.
    #[schema(value_type = String, min_length = 8, max_length = 128, example = "battery staple")]
    password: Secret<String>,
}

impl Validate for ChangePassword {
    fn validate(&self, violations: &mut Violations) {
        password::limit(violations, "old_password", &self.old_password);
    }
}

/// Changes the caller's password. Every other session of theirs ends.
#[utoipa::path(
    put,
    path = "/v1/customers/me/password",
    request_body = ChangePassword,
    responses((status = 204, description = "The password is changed."))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    caller: CallerOf,
    client: Option<ClientAddress>,
    Valid(body): Valid<ChangePassword>,
) -> Result<Reply, ApiError> {
    let Caller::Customer { id, session } = caller.0 else {
        return Err(UserError::NotFound("customer").into());
    };
    Ok(users.change_password(id, session, client, body).await?)
}

impl UserService {
    async fn change_password(
        &self,
        id: CustomerId,
        session: SessionId,
        client: Option<ClientAddress>,
        body: ChangePassword,
    ) -> Result<Reply, UserError> {
        password::check(&body.password)?;
        let attempt = Attempt::of_owner(Owner::Customer(id), client);
        let judge = async {
            let known = store::password(&self.db.read().await?, id).await?;
            let right = self.verified(body.old_password, known).await;
            right.map_err(|error| match error {
                UserError::WrongCredentials => UserError::WrongPassword,
                other => other,
            })
        };
        let old = self.throttle.guard(&attempt, judge).await?;
        let new = self.hasher.hash(body.password, self.db.sources()).await?;
        let change = move |tx: Tx| async move { change(&tx, (id, session), &old, &new).await };
        self.db.write(change).await
    }
}

async fn change(
    tx: &Tx,
    (id, session): (CustomerId, SessionId),
    old: &str,
    new: &str,
) -> Result<Reply, UserError> {
    let customer = store::lock_customer(tx, id)
        .await?
        .ok_or(UserError::WrongPassword)?;
    if store::password(tx, id).await?.as_deref() != Some(old) {
        // Somebody has changed it meanwhile.
        return Err(UserError::WrongPassword);
    }
    store::set_password(tx, id, new).await?;
    store::end_sessions(tx, Owner::Customer(id), Some(session)).await?;
    store::withdraw_mail_token(tx, id, Purpose::Reset).await?;
    announce(tx, customer).await?;
    Ok(Reply::no_content())
}
