//! An issuer of tokens, played.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode};
use kernel::Timestamp;
use parking_lot::Mutex;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Publishes keys, and knows tokens.
pub(crate) struct Played {
    pub(crate) url: String,
    state: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    keys: Mutex<Vec<Value>>,
    tokens: Mutex<BTreeMap<String, Value>>,
    away: Mutex<bool>,
    fetches: AtomicUsize,
    questions: AtomicUsize,
    asked_by: Mutex<String>,
}

impl Played {
    pub(crate) async fn start() -> Self {
        let state = Arc::new(Inner::default());
        let router = Router::new()
            .route("/jwks", get(jwks))
            .route("/introspect", post(introspect))
            .with_state(state.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let serving = axum::serve(listener, router);
        #[expect(clippy::disallowed_methods, reason = "ends with the test")]
        tokio::spawn(serving.into_future());
        Self { url, state }
    }

    pub(crate) fn publishes(&self, keys: &[&Key]) {
        *self.state.keys.lock() = keys.iter().map(|key| key.jwk()).collect();
    }

    pub(crate) fn knows(&self, token: &str, answer: Value) {
        self.state.tokens.lock().insert(token.to_owned(), answer);
    }

    pub(crate) fn is_away(&self, away: bool) {
        *self.state.away.lock() = away;
    }

    /// How often the keys were fetched.
    pub(crate) fn fetches(&self) -> usize {
        self.state.fetches.load(Ordering::SeqCst)
    }

    /// How often it was asked about a token.
    pub(crate) fn questions(&self) -> usize {
        self.state.questions.load(Ordering::SeqCst)
    }

    pub(crate) fn asked_by(&self) -> String {
        self.state.asked_by.lock().clone()
    }
}

async fn jwks(State(state): State<Arc<Inner>>) -> (StatusCode, String) {
    state.fetches.fetch_add(1, Ordering::SeqCst);
    if *state.away.lock() {
        return (StatusCode::SERVICE_UNAVAILABLE, String::new());
    }
    let keys = state.keys.lock().clone();
    (StatusCode::OK, json!({ "keys": keys }).to_string())
}

async fn introspect(
    State(state): State<Arc<Inner>>,
    headers: HeaderMap,
    form: String,
) -> (StatusCode, String) {
    state.questions.fetch_add(1, Ordering::SeqCst);
    if *state.away.lock() {
        return (StatusCode::SERVICE_UNAVAILABLE, String::new());
    }
    let who = headers["authorization"].to_str().expect("text");
    *state.asked_by.lock() = who.to_owned();
    let fields: BTreeMap<String, String> = form_urlencoded::parse(form.as_bytes())
        .into_owned()
        .collect();
    let known = state.tokens.lock().get(&fields["token"]).cloned();
    let answer = known.unwrap_or_else(|| json!({ "active": false }));
    (StatusCode::OK, answer.to_string())
}

/// A key pair of an issuer.
pub(crate) struct Key {
    kid: String,
    pair: Pair,
}

enum Pair {
    Ed(Ed25519KeyPair),
    Ec(EcdsaKeyPair),
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token in the making: its head and its claims, not signed yet.
pub(crate) fn unsigned(head: &Value, claims: &Value) -> String {
    let part = |value: &Value| base64url(value.to_string());
    format!("{}.{}", part(head), part(claims))
}

/// Signed with a shared secret.
pub(crate) fn sign_by_secret(secret: &[u8], head: &Value, claims: &Value) -> String {
    let text = unsigned(head, claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
    format!("{text}.{}", base64url(tag))
}

impl Key {
    pub(crate) fn ed(kid: &str) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("generated");
        Self {
            kid: kid.to_owned(),
            pair: Pair::Ed(Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("a key")),
        }
    }

    pub(crate) fn ec(kid: &str) -> Self {
        let (how, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(how, &random).expect("generated");
        let pair = EcdsaKeyPair::from_pkcs8(how, document.as_ref(), &random).expect("a key");
        Self {
            kid: kid.to_owned(),
            pair: Pair::Ec(pair),
        }
    }

    pub(crate) fn public(&self) -> &[u8] {
        match &self.pair {
            Pair::Ed(pair) => pair.public_key().as_ref(),
            Pair::Ec(pair) => pair.public_key().as_ref(),
        }
    }

    fn jwk(&self) -> Value {
        let public = self.public();
        match &self.pair {
            Pair::Ed(_) => {
                json!({"kid": self.kid, "kty": "OKP", "crv": "Ed25519", "x": base64url(public)})
            }
            Pair::Ec(_) => {
                let (x, y) = public[1..].split_at(32);
                json!({
                    "kid": self.kid, "kty": "EC", "crv": "P-256", "use": "sig",
                    "x": base64url(x), "y": base64url(y),
                })
            }
        }
    }

    pub(crate) fn head(&self) -> Value {
        let way = match &self.pair {
            Pair::Ed(_) => "EdDSA",
            Pair::Ec(_) => "ES256",
        };
        json!({ "alg": way, "kid": self.kid })
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as(&self.head(), claims)
    }

    pub(crate) fn sign_as(&self, head: &Value, claims: &Value) -> String {
        let text = unsigned(head, claims);
        let signature = match &self.pair {
            Pair::Ed(pair) => base64url(pair.sign(text.as_bytes())),
            Pair::Ec(pair) => {
                let signature = pair.sign(&SystemRandom::new(), text.as_bytes());
                base64url(signature.expect("signed"))
            }
        };
        format!("{text}.{signature}")
    }
}

/// The claims of a good token, with `more` of them.
pub(crate) fn claims(now: Timestamp, more: &Value) -> Value {
    let mut claims = json!({
        "iss": "https://acme.test",
        "aud": ["shop", "other"],
        "sub": "u1",
        "iat": now.seconds(),
        "exp": now.seconds() + 900,
    });
    for (name, value) in more.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
}
