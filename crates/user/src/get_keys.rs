//! `GET /.well-known/jwks.json`: the keys that verify access tokens.

use axum::extract::State;
use platform::auth::JwkSet;
use platform::http::{ApiError, Reply};

use crate::keys::PUBLISHED_FOR;
use crate::{UserError, UserService};

/// Shows the public keys that verify access tokens (RFC 7517). A new key is shown ten minutes
/// before it signs.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    responses((status = 200, body = JwkSet, description = "The keys.",
        headers(("Cache-Control" = String, description = "For how long the keys may be kept."))))
)]
pub(crate) async fn handler(State(users): State<UserService>) -> Result<Reply, ApiError> {
    Ok(users.get_keys().await?)
}

impl UserService {
    async fn get_keys(&self) -> Result<Reply, UserError> {
        Ok(Reply::ok(&self.keys.public().await?).public_for(PUBLISHED_FOR))
    }
}
