//! What a route makes of a request: valid, with all that it sets, and without what clients may not
//! say.

use std::time::Duration;

use futures_util::FutureExt;
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use tower::service_fn;
use wire::Body;

use super::{fields, sections};
use crate::door;
use crate::filter::Filter;
use crate::transform::TransformFilter;
use crate::transform::settings::{Edits, RequestSettings};

/// The changes of a route for `/a/{id}`, and a request:
///
/// ```text
/// headers = { set = { x-kind = "{{ request.captures.id }}" }, remove = ["cookie"] }
/// ---
/// /a/7?x=1
/// connection: x-kind
/// ```
pub fn headers(data: &[u8]) {
    let Some([settings, request]) = sections::<2>(data) else {
        return;
    };
    let Ok(settings) = toml::from_str::<RequestSettings>(settings) else {
        return;
    };
    let changes = (Some(&settings), None);
    let Ok(layer) = TransformFilter::new("/a/{id}", changes, Duration::from_secs(1)) else {
        return;
    };
    let mut lines = request.lines();
    let target = lines.next().filter(|target| target.starts_with('/'));
    let Some(Ok(uri)) = target.map(str::parse::<Uri>) else {
        return;
    };
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = uri;
    *request.headers_mut() = fields(lines);
    // As on the way of every request.
    door::strip(request.headers_mut());
    let Some((uri, seen)) = sent(&layer, request) else {
        return;
    };
    check_fields(&settings.headers, &seen);
    check_query(&settings.query, uri.query().unwrap_or_default());
}

/// What is sent on, unless the request is refused.
fn sent(layer: &TransformFilter, request: Request<Body>) -> Option<(Uri, HeaderMap)> {
    let (tell, told) = std::sync::mpsc::channel();
    let upstream = service_fn(move |request: Request<Body>| {
        let (parts, _) = request.into_parts();
        let sent = tell.send((parts.uri, parts.headers));
        async move {
            sent.expect("somebody listens");
            Ok(http::Response::new(Body::empty()))
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let _entered = runtime.as_ref().expect("a runtime").enter();
    let answer = layer.pass(upstream, request).now_or_never();
    answer.expect("nothing to wait for");
    told.try_recv().ok()
}

fn check_fields(edits: &Edits, seen: &HeaderMap) {
    for (name, value) in seen {
        assert!(HeaderName::from_bytes(name.as_str().as_bytes()).is_ok());
        assert!(HeaderValue::from_bytes(value.as_bytes()).is_ok());
        assert_eq!(value.as_bytes(), value.as_bytes().trim_ascii());
        let set = edits.set.keys().chain(edits.add.keys());
        let renamed = edits.rename.values().map(|to| to.get_ref());
        let by_route = set
            .chain(renamed)
            .any(|known| known.eq_ignore_ascii_case(name.as_str()));
        assert!(
            by_route || !door::is_foreign(name),
            "{name} is for the gateway to set"
        );
    }
    // Whoever writes the message says this alone; a wish for another protocol may stay.
    for value in seen.get_all(CONNECTION) {
        assert!(
            value == UPGRADE.as_str() && seen.contains_key(UPGRADE),
            "{value:?}"
        );
    }
    for (name, text) in &edits.set {
        let fixed = text.get_ref();
        let added = edits
            .add
            .keys()
            .any(|known| known.eq_ignore_ascii_case(name));
        let twice = edits
            .set
            .keys()
            .filter(|known| known.eq_ignore_ascii_case(name));
        if fixed.contains(['{', '}']) || added || twice.count() > 1 {
            continue;
        }
        let mut values = seen.get_all(name.as_str()).iter();
        let only = values.next().map(HeaderValue::as_bytes);
        assert_eq!(only, Some(fixed.trim().as_bytes()), "{name}");
        assert!(values.next().is_none(), "{name}");
    }
}

fn check_query(edits: &Edits, query: &str) {
    let fields: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let values = |wanted: &str| -> Vec<&str> {
        let named = fields.iter().filter(|(name, _)| name == wanted);
        named.map(|(_, value)| &**value).collect()
    };
    for (name, text) in &edits.set {
        let fixed = text.get_ref();
        if !fixed.contains(['{', '}']) && !edits.add.contains_key(name) {
            assert_eq!(values(name), [fixed.as_str()], "{name}");
        }
    }
    for gone in edits.remove.iter().map(|name| name.get_ref()) {
        let renamed = edits.rename.values().any(|to| to.get_ref() == gone);
        let made = edits.set.contains_key(gone) || edits.add.contains_key(gone);
        assert!(renamed || made || values(gone).is_empty(), "{gone}");
    }
}
