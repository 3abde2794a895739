//! Asking a server that knows about keys or tokens.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HOST};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use wire::Body;
use wire::client::{ExchangeError, Pool, Settings};

use crate::table;
use crate::upstream::Dial;

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("no answer")]
    Exchange(#[from] ExchangeError),
    #[error("no answer within {0:?}")]
    Late(Duration),
    #[error("the answer has the status {0}")]
    Status(StatusCode),
    #[error("the answer broke off, or is longer than {0} bytes")]
    Body(usize),
}

/// One URL of one server.
#[derive(Debug)]
pub(super) struct Remote {
    pool: Pool,
    host: HeaderValue,
    target: Uri,
    deadline: Duration,
    limit: usize,
}

impl Remote {
    /// Documents of up to `limit` bytes that are there within `deadline`; `idle` connections are
    /// kept.
    pub(super) fn new(
        url: &str,
        deadline: Duration,
        limit: usize,
        idle: usize,
    ) -> Result<Self, String> {
        let (server, target) = table::target(url)?;
        let definition = table::Upstream {
            connect_timeout: deadline,
            ..table::Upstream::default()
        };
        let dial = Dial::new(&server, &definition)?;
        let host = HeaderValue::try_from(dial.authority.as_str())
            .map_err(|_| format!("`{server}` cannot stand in a header"))?;
        let settings = Settings {
            idle,
            idle_timeout: Duration::from_secs(10),
            ..Settings::default()
        };
        Ok(Self {
            pool: Pool::new(Arc::new(dial), settings),
            host,
            target,
            deadline,
            limit,
        })
    }

    /// The document.
    pub(super) async fn get(&self) -> Result<Bytes, FetchError> {
        self.ask(Request::new(Body::empty())).await
    }

    /// What is answered to a form.
    pub(super) async fn post(
        &self,
        form: String,
        authorization: HeaderValue,
    ) -> Result<Bytes, FetchError> {
        let mut request = Request::new(Body::full(form));
        *request.method_mut() = Method::POST;
        let headers = request.headers_mut();
        headers.insert(http::header::AUTHORIZATION, authorization);
        headers.insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        self.ask(request).await
    }

    async fn ask(&self, mut request: Request<Body>) -> Result<Bytes, FetchError> {
        *request.uri_mut() = self.target.clone();
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let asking = async {
            // Asking twice is asking once: it may be sent again on a new connection.
            let response = self.pool.exchange(request, true).await?;
            if response.status() != StatusCode::OK {
                return Err(FetchError::Status(response.status()));
            }
            let whole = Limited::new(response.into_body(), self.limit).collect();
            let whole = whole.await.map_err(|_| FetchError::Body(self.limit))?;
            Ok(whole.to_bytes())
        };
        let answer = tokio::time::timeout(self.deadline, asking).await;
        answer.unwrap_or(Err(FetchError::Late(self.deadline)))
    }
}
