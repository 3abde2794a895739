//! Tokens that say nothing themselves: a server is asked about each (RFC 7662).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use kernel::{Secret, Timestamp};
use serde_json::{Map, Value};

use super::fetch::Remote;
use super::refusal::Refused;
use super::sources::Shared;
use super::{Identity, chain, date, is_for, secret};
use crate::table;

/// Bytes of an answer.
const ANSWER_LIMIT: usize = 64 << 10;
/// Answers that are remembered.
const KEPT: usize = 16_384;
/// How long a token that does not count is remembered, at most.
const NEGATIVE: Duration = Duration::from_secs(10);
/// How long it is remembered that there was no answer: those who wait do not all ask again.
const AWAY: Duration = Duration::from_secs(1);
/// Connections that are kept.
const IDLE: usize = 16;

/// Asks one server.
pub(super) struct Introspection {
    pub(super) name: Arc<str>,
    pub(super) definition: table::Introspection,
    remote: Option<(Remote, HeaderValue)>,
    /// By the SHA-256 of a token. Who asks first asks for all who wait.
    answers: quick_cache::sync::Cache<[u8; 32], Answer>,
    shared: Shared,
}

/// What is known of a token, and until when.
#[derive(Debug, Clone)]
struct Answer {
    is: Result<Arc<Identity>, Refused>,
    until: Timestamp,
}

impl std::fmt::Debug for Introspection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Introspection({})", self.name)
    }
}

impl Introspection {
    pub(super) fn new(name: &str, definition: &table::Introspection, shared: &Shared) -> Self {
        let remote = secret::client(definition).and_then(|secret| {
            let remote = Remote::new(&definition.url, definition.deadline, ANSWER_LIMIT, IDLE)?;
            Ok((remote, basic(&definition.client_id, &secret)?))
        });
        let remote = remote
            .inspect_err(|problem| tracing::error!(introspection = name, problem, "cannot ask"));
        Self {
            name: name.into(),
            definition: definition.clone(),
            remote: remote.ok(),
            answers: quick_cache::sync::Cache::new(KEPT),
            shared: shared.clone(),
        }
    }

    /// Whose token it is.
    pub(super) async fn ask(
        &self,
        token: &str,
        fingerprint: [u8; 32],
    ) -> Result<Arc<Identity>, Refused> {
        let now = self.shared.sources.now();
        self.answers
            .remove_if(&fingerprint, |answer| answer.until <= now);
        let found = self.answers.get_or_insert_async(&fingerprint, async {
            Ok::<_, std::convert::Infallible>(self.fresh(token).await)
        });
        // Those who wait for another's answer wait no longer than for one of their own.
        let patience = self.definition.deadline + Duration::from_secs(1);
        let Ok(Ok(answer)) = tokio::time::timeout(patience, found).await else {
            return Err(Refused::Away(
                "the server that knows gave no answer in time",
            ));
        };
        let identity = answer.is?;
        if self.shared.revocations.has(&identity) {
            return Err(Refused::BadToken("it was revoked"));
        }
        Ok(identity)
    }

    async fn fresh(&self, token: &str) -> Answer {
        let is = self.told(token).await;
        let now = self.shared.sources.now();
        let longest = now.plus(self.definition.cache);
        let until = match &is {
            Ok(identity) => identity.expires.map_or(longest, |end| end.min(longest)),
            Err(Refused::Away(_)) => now.plus(AWAY),
            Err(_) => now.plus(NEGATIVE.min(self.definition.cache)),
        };
        Answer { is, until }
    }

    async fn told(&self, token: &str) -> Result<Arc<Identity>, Refused> {
        const AWAY: Refused = Refused::Away("the server that knows gives no answer");
        let (remote, authorization) = self.remote.as_ref().ok_or(AWAY)?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token)
            .append_pair("token_type_hint", "access_token")
            .finish();
        let answer = remote
            .post(form, authorization.clone())
            .await
            .map_err(|error| chain(&error))
            .and_then(|answer| {
                serde_json::from_slice::<Map<String, Value>>(&answer)
                    .map_err(|error| error.to_string())
            });
        let claims = answer.map_err(|error| {
            tracing::warn!(introspection = %self.name, error, "no answer about a token");
            AWAY
        })?;
        if claims.get("active") != Some(&Value::Bool(true)) {
            return Err(Refused::BadToken("it is not active"));
        }
        let now = self.shared.sources.now();
        if date(&claims, "exp").is_some_and(|end| end <= now) {
            return Err(Refused::BadToken("it has expired"));
        }
        let wanted = &self.definition.audience;
        if !wanted.is_empty() && !is_for(&claims, wanted) {
            return Err(Refused::BadToken("it is meant for somebody else"));
        }
        let subject = ["sub", "username", "client_id"]
            .iter()
            .find_map(|name| claims.get(*name)?.as_str());
        let subject = subject.unwrap_or_default().to_owned();
        let roles = &self.definition.roles;
        Ok(Arc::new(Identity::from_claims(
            &self.name, &subject, roles, claims,
        )))
    }
}

/// RFC 6749, section 2.3.1: both are encoded as in a form first.
fn basic(client: &str, secret: &Secret<String>) -> Result<HeaderValue, String> {
    let encoded =
        |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let both = format!("{}:{}", encoded(client), encoded(secret.expose()));
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(both)))
        .map_err(|error| error.to_string())?;
    value.set_sensitive(true);
    Ok(value)
}
