//! A small HTTP client that keeps what matters to a test.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde_json::Value;

/// Talks to one shop, as nobody or with a token. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    token: Option<String>,
    inner: HyperClient<HttpConnector, Full<Bytes>>,
}

impl Client {
    /// A client of the listener at `base`, such as `http://127.0.0.1:8080`.
    pub fn new(base: impl Into<String>) -> Self {
        let inner = HyperClient::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self {
            base: base.into(),
            token: None,
            inner,
        }
    }

    /// The same client with a token.
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self {
            token: Some(token.into()),
            ..self.clone()
        }
    }

    /// The same client without a token.
    pub fn anonymous(&self) -> Self {
        Self {
            token: None,
            ..self.clone()
        }
    }

    /// Where it talks to.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// What an admin listener tells of its process once that is ready. No sleeps: it asks until it
    /// is.
    pub async fn ready(&self) -> Value {
        let ready = async {
            loop {
                let answer = self.get("/health/ready").await;
                if answer.status == 200 {
                    return answer.body;
                }
            }
        };
        let ready = tokio::time::timeout(Duration::from_secs(20), ready).await;
        ready.expect("the process becomes ready")
    }

    /// A `GET`.
    pub fn get(&self, path: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// A `POST` with a JSON body.
    pub fn post(&self, path: impl AsRef<str>, body: impl Serialize) -> RequestBuilder {
        self.request(Method::POST, path).json(body)
    }

    /// A `PATCH` with a JSON body.
    pub fn patch(&self, path: impl AsRef<str>, body: impl Serialize) -> RequestBuilder {
        self.request(Method::PATCH, path).json(body)
    }

    /// A `PUT` with a JSON body.
    pub fn put(&self, path: impl AsRef<str>, body: impl Serialize) -> RequestBuilder {
        self.request(Method::PUT, path).json(body)
    }

    /// A `DELETE`.
    pub fn delete(&self, path: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::DELETE, path)
    }

    /// Any request.
    pub fn request(&self, method: Method, path: impl AsRef<str>) -> RequestBuilder {
        let mut request = Request::builder().method(method);
        request = request.uri(format!("{}{}", self.base, path.as_ref()));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        RequestBuilder {
            client: self.clone(),
            request,
            body: Bytes::new(),
        }
    }
}

/// A request that is being put together; `await` sends it.
#[derive(Debug)]
pub struct RequestBuilder {
    client: Client,
    request: http::request::Builder,
    body: Bytes,
}

impl RequestBuilder {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.request = self.request.header(name, value.as_ref());
        self
    }

    /// Adds an `Idempotency-Key`.
    pub fn key(self, key: impl AsRef<str>) -> Self {
        self.header("idempotency-key", key)
    }

    /// Adds an `If-Match`.
    pub fn if_match(self, etag: impl AsRef<str>) -> Self {
        self.header("if-match", etag)
    }

    /// A JSON body.
    pub fn json(mut self, body: impl Serialize) -> Self {
        self.body = serde_json::to_vec(&body)
            .expect("a test's body is JSON")
            .into();
        self.header("content-type", "application/json")
    }

    /// Any body.
    pub fn bytes(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it; fails if there is no answer at all.
    pub async fn try_send(self) -> Result<Answer, String> {
        let request = self
            .request
            .body(Full::new(self.body))
            .map_err(|error| error.to_string())?;
        let what = format!("{} {}", request.method(), request.uri());
        let response = self.client.inner.request(request).await;
        let response = response.map_err(|error| format!("{what}: {error}"))?;
        let (parts, body) = response.into_parts();
        let bytes = body
            .collect()
            .await
            .map_err(|error| format!("{what}: {error}"))?
            .to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Answer {
            what,
            status: parts.status.as_u16(),
            headers: parts.headers,
            bytes,
            body,
        })
    }
}

impl IntoFuture for RequestBuilder {
    type Output = Answer;
    type IntoFuture = std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.try_send().await.expect("the server answers") })
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    what: String,
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub bytes: Bytes,
    /// The body as JSON; null if it is none.
    pub body: Value,
}

impl Answer {
    /// The body, if the status is `status`; fails the test otherwise, showing the body.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        let Self { what, bytes, .. } = &self;
        let shown = String::from_utf8_lossy(bytes);
        assert_eq!(
            self.status, status,
            "{what} answered {}: {shown}",
            self.status
        );
        self.body
    }

    /// The body of a 2xx.
    #[track_caller]
    pub fn ok(self) -> Value {
        let Self {
            what,
            bytes,
            status,
            ..
        } = &self;
        let shown = String::from_utf8_lossy(bytes);
        assert!(
            (200..300).contains(status),
            "{what} answered {status}: {shown}"
        );
        self.body
    }

    /// Checks that it is a problem with this status and code, and returns it.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        let what = self.what.clone();
        let kind = self.header("content-type").map(ToOwned::to_owned);
        let body = self.expect(status);
        assert_eq!(
            kind.as_deref(),
            Some("application/problem+json"),
            "{what}: {body}"
        );
        assert_eq!(body["code"], code, "{what}: {body}");
        body
    }

    /// A header, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The `ETag`.
    #[track_caller]
    pub fn etag(&self) -> String {
        self.header("etag")
            .expect("the answer has an ETag")
            .to_owned()
    }
}
