//! `POST /v1/auth/log-out`: a session ends.

use axum::extract::State;
use platform::db::Tx;
use platform::http::{ApiError, Reply, Valid};

use crate::refresh_session::PresentedToken;
use crate::session::RefreshToken;
use crate::{UserError, UserService, store};

/// Ends a session, whichever of its refresh tokens is presented. That it has ended before is no
/// error. Access tokens of the session count until they expire.
#[utoipa::path(
    post,
    path = "/v1/auth/log-out",
    request_body = PresentedToken,
    responses((status = 204, description = "The session has ended."))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    Valid(body): Valid<PresentedToken>,
) -> Result<Reply, ApiError> {
    Ok(users.log_out(body).await?)
}

impl UserService {
    async fn log_out(&self, body: PresentedToken) -> Result<Reply, UserError> {
        if let Some(token) = RefreshToken::read(body.refresh_token.expose()) {
            let end = move |tx: Tx| async move {
                store::end_session(&tx, token.owner, token.session).await
            };
            self.db.write(end).await?;
        }
        Ok(Reply::no_content())
    }
}
