//! Why a request goes no further, as RFC 6750 tells it.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, Response};
use kernel::problem::codes;
use kernel::{Kind, Problem};
use platform::http::refuse;
use wire::Body;

/// Why somebody, or nobody, may not call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Nothing was presented.
    Missing,
    /// What was presented does not count, and why.
    BadToken(&'static str),
    /// Somebody, but without a scope that the route wants.
    Scopes,
    /// Somebody, but without the role, or with another claim.
    Forbidden(&'static str),
    /// Nobody can say whether it counts.
    Away(&'static str),
}

impl Refused {
    /// The answer; `scopes` are those that the route wants.
    pub(super) fn answer(self, scopes: &[String]) -> Response<Body> {
        let unauthenticated = |code, detail| Problem::new(Kind::Unauthenticated, code, detail);
        let forbidden = |detail| Problem::new(Kind::Forbidden, codes::FORBIDDEN, detail);
        let (problem, challenge) = match self {
            Self::Missing => {
                let detail = "the route wants a token or an API key, and there is none";
                let problem = unauthenticated(codes::UNAUTHENTICATED, String::from(detail));
                (problem, Some(String::from("Bearer")))
            }
            Self::BadToken(why) => {
                let problem = unauthenticated(
                    codes::BAD_TOKEN,
                    format!("the credential does not count: {why}"),
                );
                let challenge =
                    format!(r#"Bearer error="invalid_token", error_description="{why}""#);
                (problem, Some(challenge))
            }
            Self::Scopes => {
                let scopes = scopes.join(" ");
                let problem = forbidden(format!("the route wants all of these scopes: {scopes}"));
                let challenge = format!(r#"Bearer error="insufficient_scope", scope="{scopes}""#);
                (problem, Some(challenge))
            }
            Self::Forbidden(why) => (forbidden(String::from(why)), None),
            Self::Away(why) => {
                let detail = format!("whether the credential counts cannot be found out: {why}");
                (Problem::unavailable(codes::UNAVAILABLE, detail, 1), None)
            }
        };
        let mut response = refuse(problem);
        if let Some(challenge) = challenge.and_then(|text| HeaderValue::try_from(text).ok()) {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
