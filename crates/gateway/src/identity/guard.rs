//! What stands before a route that wants to know who calls.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderName, Request, Response};
use wire::Body;
use wire::tls::ClientCertificate;

use super::access::Access;
use super::certificates::Certificates;
use super::introspection::Introspection;
use super::issuer::{self, Issuer};
use super::keys::KeyFile;
use super::presented::Presented;
use super::refusal::Refused;
use super::tell::Tell;
use super::{Identities, Identity, fingerprint};
use crate::access_log::note;
use crate::table::{self, Away};
use crate::trailers;

/// Lets a request through to whom it may call, with an [`Identity`] in its extensions (as
/// `Arc<Identity>`) unless it is nobody's.
#[derive(Debug)]
pub(crate) struct Guard {
    issuers: Vec<Arc<Issuer>>,
    introspection: Option<Arc<Introspection>>,
    keys: Vec<Arc<KeyFile>>,
    certificates: Option<Arc<Certificates>>,
    access: Access,
    tell: Tell,
    optional: bool,
    strip: bool,
}

impl Guard {
    /// For checked settings, whose names `identities` knows.
    pub(crate) fn new(auth: &table::Auth, identities: &Identities) -> Self {
        let by = auth.by.iter();
        let introspection = by
            .clone()
            .find_map(|name| identities.introspections.get(name));
        let certificates = by
            .clone()
            .find_map(|name| identities.certificates.get(name));
        Self {
            certificates: certificates.cloned(),
            issuers: by
                .clone()
                .filter_map(|name| identities.issuers.get(name).cloned())
                .collect(),
            introspection: introspection.cloned(),
            keys: by
                .filter_map(|name| identities.keys.get(name).cloned())
                .collect(),
            access: Access::new(auth),
            tell: Tell::new(&auth.forward),
            optional: auth.optional,
            strip: auth.strip,
        }
    }

    /// Lets the request through, or answers why not.
    pub(crate) async fn admit(&self, request: &mut Request<Body>) -> Result<(), Response<Body>> {
        if self.tell.strip(request.headers_mut()) {
            // What is told of the caller nobody says behind the body.
            let body = std::mem::take(request.body_mut());
            *request.body_mut() = trailers::none(body);
        }
        let admitted = self.identify(request).await;
        admitted.map_err(|refused| refused.answer(&self.access.scopes))
    }

    async fn identify(&self, request: &mut Request<Body>) -> Result<(), Refused> {
        let (identified, shown_in) = {
            let names = self.keys.iter().map(|file| &file.header);
            let presented = if self.reads_headers() {
                Presented::find(request.headers(), names)?
            } else {
                Presented::Nobody
            };
            match presented {
                Presented::Key(header, key) => (self.owner(header, key), Some(header.clone())),
                Presented::Bearer(token) => (self.bearer(token).await, Some(AUTHORIZATION)),
                Presented::Nobody => match self.shown(request) {
                    Some(shown) => (shown, None),
                    None if self.optional => return Ok(()),
                    None if self.reads_headers() => return Err(Refused::Missing),
                    None => {
                        let why = "the route wants a certificate, and the client has shown none";
                        return Err(Refused::Forbidden(why));
                    }
                },
            }
        };
        let headers = request.headers_mut();
        if let Some(shown_in) = shown_in.filter(|_| self.strip) {
            headers.remove(shown_in);
        }
        let identity = match identified {
            Err(Refused::Away(_)) if self.lets_anybody_in() => return Ok(()),
            identified => identified?,
        };
        note(|trail| trail.by_subject(&identity));
        self.access.check(&identity)?;
        self.tell.tell(&identity, headers);
        request.extensions_mut().insert(identity);
        Ok(())
    }

    /// Whether credentials in headers are for this route at all, and not for the upstream.
    fn reads_headers(&self) -> bool {
        self.certificates.is_none()
            || self.introspection.is_some()
            || !(self.issuers.is_empty() && self.keys.is_empty())
    }

    /// Whose certificate the connection has shown, where that counts.
    fn shown(&self, request: &Request<Body>) -> Option<Result<Arc<Identity>, Refused>> {
        let shown = request.extensions().get::<ClientCertificate>()?;
        Some(self.certificates.as_ref()?.owner(shown))
    }

    /// Whether a token that nobody can say anything about counts as none. Only where tokens are
    /// asked about: the keys of an issuer are not away for long.
    fn lets_anybody_in(&self) -> bool {
        let open = |asked: &Arc<Introspection>| asked.definition.when_away == Away::Open;
        self.issuers.is_empty()
            && self.access.wants_nothing()
            && self.introspection.as_ref().is_some_and(open)
    }

    /// Whose key it is, of those that are looked for in `header`.
    fn owner(&self, header: &HeaderName, key: &str) -> Result<Arc<Identity>, Refused> {
        let digest = fingerprint(key);
        let mut files = self.keys.iter().filter(|file| file.header == *header);
        files
            .find_map(|file| file.owner(&digest))
            .ok_or(Refused::BadToken("the API key is not known"))
    }

    /// Whose token or key it is: each has one source that can say so, and no other is tried.
    async fn bearer(&self, token: &str) -> Result<Arc<Identity>, Refused> {
        let digest = fingerprint(token);
        if let Some(known) = self.issuers.iter().find_map(|issuer| issuer.known(&digest)) {
            return known;
        }
        if let Some(owner) = self.keys.iter().find_map(|file| file.owner(&digest)) {
            return Ok(owner);
        }
        if !self.issuers.is_empty()
            && let Some(says) = issuer::says(token)
            && let Some(issuer) = self
                .issuers
                .iter()
                .find(|issuer| issuer.definition.issuer == says)
        {
            // Boxed, as the question below: what is known is known without.
            return Box::pin(issuer.verify(token, digest)).await;
        }
        match &self.introspection {
            Some(introspection) => Box::pin(introspection.ask(token, digest)).await,
            None => Err(Refused::BadToken("nobody here can verify it")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue};
    use http_body::Frame;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    #[tokio::test]
    async fn nobody_passes_only_where_that_is_optional() {
        for (optional, refused) in [(false, Some(401)), (true, None)] {
            let auth = format!("by = []\noptional = {optional}");
            let auth: table::Auth = toml::from_str(&auth).expect("right");
            let guard = Guard::new(&auth, &Identities::default());
            let admitted = guard.admit(&mut Request::new(Body::empty())).await;
            let status = admitted.err().map(|answer| answer.status().as_u16());
            assert_eq!(status, refused);
        }
    }

    #[tokio::test]
    async fn what_the_upstream_is_told_of_the_caller_nobody_says_behind_the_body() {
        let said = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("root"))]);
        for (forward, passed) in [("{ subject = 'x-who' }", false), ("{}", true)] {
            let auth = format!("by = []\noptional = true\nforward = {forward}");
            let auth: table::Auth = toml::from_str(&auth).expect("right");
            let guard = Guard::new(&auth, &Identities::default());
            let frames = [Frame::data(Bytes::from("a")), Frame::trailers(said.clone())];
            let frames = frames.map(Ok::<_, Infallible>);
            let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
            let mut request = Request::new(body);
            guard.admit(&mut request).await.expect("anybody may");
            let body = request.into_body().collect().await.expect("whole");
            let trailers = body.trailers().expect("they are at its end");
            assert_eq!(!trailers.is_empty(), passed, "{forward}");
        }
    }
}
