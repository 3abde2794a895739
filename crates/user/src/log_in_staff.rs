//! `POST /v1/auth/staff/log-in`: a member of staff proves who they are.

use axum::extract::State;
use platform::http::{ApiError, ClientAddress, Reply, Valid};

use crate::log_in::{LogIn, Tokens};
use crate::session::Owner;
use crate::throttle::Attempt;
use crate::{UserError, UserService, store};

/// Logs a member of staff in. A wrong address, a wrong password and a member who is not active any
/// more get the same answer.
#[utoipa::path(
    post,
    path = "/v1/auth/staff/log-in",
    request_body = LogIn,
    responses((status = 200, body = Tokens, description = "Logged in."))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    client: Option<ClientAddress>,
    Valid(body): Valid<LogIn>,
) -> Result<Reply, ApiError> {
    Ok(users.log_in_staff(client, body).await?)
}

impl UserService {
    async fn log_in_staff(
        &self,
        client: Option<ClientAddress>,
        body: LogIn,
    ) -> Result<Reply, UserError> {
        let attempt = Attempt::of_staff(&body.email, client);
        let judge = async {
            let tx = self.db.read().await?;
            let known = store::staff_credentials(&tx, &body.email).await?;
            let id = known.as_ref().map(|known| known.id);
            let hash = known.filter(|known| known.active);
            let hash = hash.map(|known| known.password_hash);
            let hash = self.verified(body.password, hash).await?;
            let id = id.ok_or(UserError::WrongCredentials)?;
            self.begin_session(Owner::Staff(id), hash).await
        };
        self.throttle.guard(&attempt, judge).await
    }
}
