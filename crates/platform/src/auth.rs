//! Access tokens: JSON Web Tokens signed with EdDSA (RFC 8037), verified against the public keys
//! of the user service. No other algorithm is accepted for these; what verifies the tokens of other
//! issuers shares the [provider](install_provider).

mod authenticator;
mod ring_provider;

use std::fmt;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use kernel::identity::SessionId;
use kernel::problem::codes;
use kernel::{Code, CustomerId, Fault, Kind, Secret, StaffId, StaffRole, Timestamp};
use ring::digest;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};

pub use self::authenticator::{Authenticator, KeySource};
pub use self::ring_provider::install as install_provider;

/// Why a token does not count. Clients learn only that it does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Malformed, forged, for another audience, or signed by an unknown key.
    #[error("the access token is not valid")]
    Invalid,
    /// It was valid once.
    #[error("the access token has expired")]
    Expired,
    /// The keys cannot be had right now.
    #[error("the keys that verify tokens cannot be fetched")]
    NoKeys,
}

impl Fault for TokenError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoKeys => Kind::Unavailable,
            _ => Kind::Unauthenticated,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NoKeys => codes::UNAVAILABLE,
            _ => codes::BAD_TOKEN,
        }
    }
}

/// One public key (RFC 7517, RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Jwk {
    /// Names the key in the header of a token.
    pub kid: String,
    /// Always `OKP`.
    pub kty: String,
    /// Always `Ed25519`.
    pub crv: String,
    /// The 32 bytes of the key in base64url.
    pub x: String,
    /// Always `EdDSA`.
    pub alg: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub usage: String,
}

/// The public keys that verify tokens (RFC 7517).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JwkSet {
    /// The present key first, then those of the past whose tokens have not expired.
    pub keys: Vec<Jwk>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: SessionId,
    iat: i64,
    exp: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    roles: Vec<StaffRole>,
}

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A customer.
    Customer(CustomerId),
    /// A member of staff, with roles.
    Staff(StaffId, Vec<StaffRole>),
}

/// A private key, and the public half that goes to verifiers.
#[derive(Clone)]
pub struct SigningKey {
    kid: String,
    public: String,
    private: EncodingKey,
}

impl SigningKey {
    /// A fresh key pair in PKCS #8, to be kept.
    pub fn generate() -> Secret<Vec<u8>> {
        let random = ring::rand::SystemRandom::new();
        let document =
            Ed25519KeyPair::generate_pkcs8(&random).expect("the system gives randomness");
        Secret::new(document.as_ref().to_vec())
    }

    /// A key that was kept; `None` if the bytes are not a key.
    pub fn from_pkcs8(pkcs8: &Secret<Vec<u8>>) -> Option<Self> {
        ring_provider::install();
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.expose()).ok()?;
        let public = base64url(pair.public_key().as_ref());
        let digest = digest::digest(&digest::SHA256, pair.public_key().as_ref());
        let kid = base64url(&digest.as_ref()[..9]);
        Some(Self {
            kid,
            public,
            private: EncodingKey::from_ed_der(pkcs8.expose()),
        })
    }

    /// The public half.
    pub fn jwk(&self) -> Jwk {
        Jwk {
            kid: self.kid.clone(),
            kty: String::from("OKP"),
            crv: String::from("Ed25519"),
            x: self.public.clone(),
            alg: String::from("EdDSA"),
            usage: String::from("sig"),
        }
    }

    /// A token that speaks for `subject` from `now` for `ttl`.
    pub fn sign(
        &self,
        issuer: &str,
        subject: &Subject,
        session: SessionId,
        now: Timestamp,
        ttl: Duration,
    ) -> String {
        let (sub, roles) = match subject {
            Subject::Customer(id) => (id.to_string(), Vec::new()),
            Subject::Staff(id, roles) => (id.to_string(), roles.clone()),
        };
        let claims = Claims {
            iss: issuer.to_owned(),
            aud: issuer.to_owned(),
            sub,
            sid: session,
            iat: now.seconds(),
            exp: now.plus(ttl).seconds(),
            roles,
        };
        let header = Header {
            kid: Some(self.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, &claims, &self.private).expect("claims are plain data")
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
