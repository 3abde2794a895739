//! Webhooks that providers send, in the form of Standard Webhooks 1.0: the signature is the
//! HMAC-SHA256 of `id.timestamp.body`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contracts::order::codes;
use http::HeaderMap;
use kernel::{Code, Fault, Kind, Timestamp};
use ring::hmac;

/// How old a webhook may be, and how far the clocks may be apart.
const TOLERANCE_SECONDS: i64 = 300;

/// Why a webhook does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The signature is missing, wrong or too old, or webhooks are not set up.
    #[error("the signature of the webhook is missing, wrong or too old")]
    BadSignature,
    /// Signed, but not of a known form.
    #[error("the webhook cannot be read: {0}")]
    Unreadable(String),
    /// It could not be looked into right now; send it again.
    #[error("the webhook cannot be taken in right now")]
    Later,
}

impl Fault for WebhookError {
    fn kind(&self) -> Kind {
        match self {
            Self::BadSignature => Kind::Unauthenticated,
            Self::Unreadable(_) => Kind::Malformed,
            Self::Later => Kind::Unavailable,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::BadSignature => codes::BAD_SIGNATURE,
            Self::Unreadable(_) => kernel::problem::codes::MALFORMED,
            Self::Later => codes::PROVIDER_UNAVAILABLE,
        }
    }
}

/// Checks the signature of `body`, made with `secret` not long before `now`.
pub(super) fn verify(
    headers: &HeaderMap,
    body: &[u8],
    secret: &[u8],
    now: Timestamp,
) -> Result<(), WebhookError> {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .ok_or(WebhookError::BadSignature)
    };
    let (id, timestamp, signatures) = (
        text("webhook-id")?,
        text("webhook-timestamp")?,
        text("webhook-signature")?,
    );
    let sent: i64 = timestamp.parse().map_err(|_| WebhookError::BadSignature)?;
    if now.seconds().saturating_sub(sent).saturating_abs() > TOLERANCE_SECONDS {
        return Err(WebhookError::BadSignature);
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let genuine = |signature: &str| {
        let tag = signature
            .strip_prefix("v1,")
            .and_then(|tag| STANDARD.decode(tag).ok());
        tag.is_some_and(|tag| hmac::verify(&key, &signed, &tag).is_ok())
    };
    if signatures.split(' ').any(genuine) {
        Ok(())
    } else {
        Err(WebhookError::BadSignature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's libraries.
    const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    fn headers(signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut set = |name: &'static str, value: &str| {
            headers.insert(name, value.parse().expect("a header"));
        };
        set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek");
        set("webhook-timestamp", "1614265330");
        set("webhook-signature", signature);
        headers
    }

    fn check(signature: &str, now_seconds: i64, body: &[u8]) -> Result<(), WebhookError> {
        let secret = STANDARD.decode(SECRET).expect("base64");
        let now = Timestamp::from_micros(now_seconds * 1_000_000);
        verify(&headers(signature), body, &secret, now)
    }

    #[test]
    fn accepts_the_known_vector_while_it_is_fresh() {
        let good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(check(good, 1_614_265_330, BODY), Ok(()));
        assert_eq!(
            check(&format!("v1,AAAA {good}"), 1_614_265_330, BODY),
            Ok(())
        );
        assert!(check(good, 1_614_265_330 + 301, BODY).is_err());
        assert!(check(good, 1_614_265_330, b"{}").is_err());
        assert!(check("v1,AAAA", 1_614_265_330, BODY).is_err());
    }
}
