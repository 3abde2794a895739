//! Leads plain HTTP to HTTPS.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use http::header::{HOST, LOCATION};
use http::uri::Authority;
use http::{HeaderValue, Request, Response, StatusCode};
use tower::Service;
use wire::Body;

/// Answers every request with the same URL by `https`. The method stays (308): what was sent in the
/// clear once is sent encrypted from then on. Cheap to clone.
#[derive(Debug, Clone, Copy)]
pub struct ToHttps {
    port: u16,
}

impl ToHttps {
    /// Leads to `port`.
    pub fn to(port: u16) -> Self {
        Self { port }
    }

    fn location<B>(self, request: &Request<B>) -> Option<HeaderValue> {
        let uri = request.uri();
        let named = || {
            let host = request.headers().get(HOST)?.to_str().ok()?;
            host.parse::<Authority>().ok()
        };
        let authority = uri.authority().cloned().or_else(named)?;
        // Neither user information nor the port of plain HTTP goes along.
        let host = authority.host();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path } else { "/" };
        let location = match self.port {
            443 => format!("https://{host}{path}"),
            port => format!("https://{host}:{port}{path}"),
        };
        HeaderValue::try_from(location)
            .ok()
            .filter(|_| !host.is_empty())
    }
}

impl Service<Request<Body>> for ToHttps {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // It waits for nothing.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = match self.location(&request) {
            Some(location) => {
                response.headers_mut().insert(LOCATION, location);
                StatusCode::PERMANENT_REDIRECT
            }
            // Nobody knows where to.
            None => StatusCode::BAD_REQUEST,
        };
        ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(port: u16, host: &str, uri: &str) -> Option<String> {
        let request = Request::get(uri)
            .header(HOST, host)
            .body(())
            .expect("valid");
        let location = ToHttps::to(port).location(&request)?;
        Some(location.to_str().expect("text").to_owned())
    }

    #[test]
    fn the_same_url_encrypted() {
        let plain = |port, host, uri| location(port, host, uri).expect("somewhere");
        assert_eq!(
            plain(443, "shop.example", "/a?b=%2F"),
            "https://shop.example/a?b=%2F"
        );
        assert_eq!(plain(443, "shop.example:80", "/"), "https://shop.example/");
        assert_eq!(plain(8443, "[::1]:8080", "/a"), "https://[::1]:8443/a");
        assert_eq!(
            plain(443, "a@shop.example", "//evil.example"),
            "https://shop.example//evil.example"
        );
        assert_eq!(
            plain(443, "other", "http://shop.example/a"),
            "https://shop.example/a"
        );
        assert_eq!(location(443, "not a host", "/"), None);
    }
}
