//! `POST /v1/auth/log-in`: a customer proves who they are.

use axum::extract::State;
use kernel::{Email, Secret, Validate, Violations};
use platform::auth::Subject;
use platform::db::Tx;
use platform::http::{ApiError, ClientAddress, Reply, Valid};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::session::{Owner, RefreshToken};
use crate::throttle::Attempt;
use crate::{Config, UserError, UserService, password, store};

/// Somebody who says who they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogIn {
    pub(crate) email: Email,
    /// 1 to 128 characters.
    #[schema(value_type = String, min_length = 1, max_length = 128, example = "correct horse")]
    pub(crate) password: Secret<String>,
}

impl Validate for LogIn {
    fn validate(&self, violations: &mut Violations) {
        password::limit(violations, "password", &self.password);
    }
}

/// What somebody who has logged in proves it with.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tokens {
    /// Goes into `Authorization: Bearer`.
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// For how many seconds the access token counts.
    #[schema(example = 900)]
    expires_in: u64,
    /// Gets new tokens from `POST /v1/auth/refresh`, once.
    refresh_token: String,
}

/// Logs a customer in. A wrong address and a wrong password get the same answer.
#[utoipa::path(
    post,
    path = "/v1/auth/log-in",
    request_body = LogIn,
    responses((status = 200, body = Tokens, description = "Logged in."))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    client: Option<ClientAddress>,
    Valid(body): Valid<LogIn>,
) -> Result<Reply, ApiError> {
    Ok(users.log_in(client, body).await?)
}

impl UserService {
    async fn log_in(&self, client: Option<ClientAddress>, body: LogIn) -> Result<Reply, UserError> {
        let attempt = Attempt::of_customer(&body.email, client);
        let judge = async {
            let tx = self.db.read().await?;
            // An unknown address costs the same statements as a known one.
            let owner = store::email_owner(&tx, &body.email).await?;
            let id = owner.unwrap_or_else(|| self.db.sources().id());
            let known = store::password(&tx, id).await?;
            let hash = self.verified(body.password, known).await?;
            self.begin_session(Owner::Customer(id), hash).await
        };
        self.throttle.guard(&attempt, judge).await
    }

    /// The hash of a password that is right. Without a known hash it takes as long to say no.
    pub(crate) async fn verified(
        &self,
        password: Secret<String>,
        known: Option<String>,
    ) -> Result<String, UserError> {
        let right = self.hasher.verify(password, known.clone()).await?;
        known.filter(|_| right).ok_or(UserError::WrongCredentials)
    }

    /// Begins a session for somebody whose password has `hash`. The least used sessions end if
    /// they have too many.
    pub(crate) async fn begin_session(
        &self,
        owner: Owner,
        hash: String,
    ) -> Result<Reply, UserError> {
        let config = self.config.clone();
        let begin = move |tx: Tx| async move {
            // Whoever changes the password ends all sessions: one that begins with the old
            // password must not slip in behind.
            let subject = subject(&tx, owner, &hash).await?;
            let token = RefreshToken::fresh(tx.sources(), owner);
            let keep = config.sessions.saturating_sub(1);
            store::trim_sessions(&tx, owner, keep).await?;
            let expires_at = tx.sources().now().plus(config.refresh_ttl);
            store::add_session(&tx, &token, expires_at).await?;
            Ok::<_, UserError>((subject, token))
        };
        let (subject, token) = self.db.write(begin).await?;
        Ok(Reply::ok(&self.tokens(&subject, &token)))
    }

    /// What somebody gets who has proved to be `subject`.
    pub(crate) fn tokens(&self, subject: &Subject, token: &RefreshToken) -> Tokens {
        let Config {
            issuer, access_ttl, ..
        } = &*self.config;
        let now = self.db.sources().now();
        let key = self.keys.signing();
        Tokens {
            access_token: key.sign(issuer, subject, token.session, now, *access_ttl),
            token_type: "Bearer",
            expires_in: access_ttl.as_secs(),
            refresh_token: token.text(),
        }
    }
}

/// Who `owner` is if their password still has `hash` and they may log in.
async fn subject(tx: &Tx, owner: Owner, hash: &str) -> Result<Subject, UserError> {
    let (subject, present) = match owner {
        Owner::Customer(id) => (Subject::Customer(id), store::lock_password(tx, id).await?),
        Owner::Staff(id) => {
            let credentials = store::lock_staff_credentials(tx, id).await?;
            let credentials = credentials.filter(|credentials| credentials.active);
            let credentials = credentials.ok_or(UserError::WrongCredentials)?;
            let roles = credentials.roles.0;
            (Subject::Staff(id, roles), Some(credentials.password_hash))
        }
    };
    if present.as_deref() == Some(hash) {
        Ok(subject)
    } else {
        Err(UserError::WrongCredentials)
    }
}
