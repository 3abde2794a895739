//! Answers made of what is stored.

use http::header::{
    ACCEPT_RANGES, AGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, DATE, ETAG,
    EXPIRES, LAST_MODIFIED, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use kernel::Timestamp;
use wire::Body;

use super::conditional::{Heeded, Part, has_it, part};
use super::directives::CDN_CACHE_CONTROL;
use super::entry::{Entry, Meta};
use super::status::CACHE_STATUS;

/// What a 304 repeats of the 200 (RFC 9110, section 15.4.5).
const REPEATED: [HeaderName; 7] = [
    CACHE_CONTROL,
    CONTENT_LOCATION,
    DATE,
    ETAG,
    EXPIRES,
    VARY,
    CDN_CACHE_CONTROL,
];

/// What the caches nearer to the upstream told.
pub(crate) fn statuses(headers: &HeaderMap) -> Box<[HeaderValue]> {
    headers.get_all(CACHE_STATUS).iter().cloned().collect()
}

/// The stored answer to a request with this method and these fields.
pub(crate) fn answer(
    entry: &Entry,
    method: &Method,
    request: &HeaderMap,
    now: Timestamp,
    status: HeaderValue,
) -> Response<Body> {
    let meta = &*entry.meta;
    let age = HeaderValue::from(meta.policy.age(now).as_secs());
    let whole = meta.status == StatusCode::OK;
    let heeded = Heeded::of(request);
    let mut response = if whole && heeded.condition && has_it(request, &meta.head) {
        not_modified(meta)
    } else if *method == Method::HEAD {
        head_only(entry)
    } else if whole && heeded.range {
        ranged(entry, request)
    } else {
        let mut response = Response::new(Body::full(entry.body.clone()));
        *response.status_mut() = meta.status;
        *response.headers_mut() = meta.head.clone();
        response
    };
    let headers = response.headers_mut();
    headers.insert(AGE, age);
    headers.insert(CACHE_STATUS, status);
    response
}

/// An answer that has just come from the upstream, for whoever asked for it.
pub(crate) fn passed_on(
    meta: &Meta,
    request: &HeaderMap,
    body: Body,
    status: HeaderValue,
) -> Response<Body> {
    let conditional = Heeded::of(request).condition;
    let has_it = conditional && meta.status == StatusCode::OK && has_it(request, &meta.head);
    let mut response = if has_it {
        not_modified(meta)
    } else {
        let mut response = Response::new(body);
        *response.status_mut() = meta.status;
        *response.headers_mut() = meta.head.clone();
        response
    };
    let headers = response.headers_mut();
    match &meta.told_age {
        Some(age) => drop(headers.insert(AGE, age.clone())),
        None => drop(headers.remove(AGE)),
    }
    headers.remove(CACHE_STATUS);
    for told in &meta.told_status {
        headers.append(CACHE_STATUS, told.clone());
    }
    headers.append(CACHE_STATUS, status);
    response
}

fn not_modified(meta: &Meta) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    for name in REPEATED {
        for value in meta.head.get_all(&name) {
            headers.append(&name, value.clone());
        }
    }
    // Of use only to those who have no better validator.
    if let Some(changed) = meta
        .head
        .get(LAST_MODIFIED)
        .filter(|_| !meta.head.contains_key(ETAG))
    {
        headers.insert(LAST_MODIFIED, changed.clone());
    }
    response
}

fn head_only(entry: &Entry) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = entry.meta.status;
    *response.headers_mut() = entry.meta.head.clone();
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, entry.body.len().into());
    response
}

fn ranged(entry: &Entry, request: &HeaderMap) -> Response<Body> {
    let length = entry.body.len();
    let (status, body, range) = match part(request, &entry.meta.head, length) {
        Part::All => (StatusCode::OK, entry.body.clone(), None),
        Part::Slice(from, to) => {
            let range = format!("bytes {from}-{}/{length}", to - 1);
            (
                StatusCode::PARTIAL_CONTENT,
                entry.body.slice(from..to),
                Some(range),
            )
        }
        Part::Beyond => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            let range = format!("bytes */{length}");
            response.headers_mut().insert(CONTENT_RANGE, digits(range));
            return response;
        }
    };
    let mut head = entry.meta.head.clone();
    head.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    head.insert(CONTENT_LENGTH, body.len().into());
    if let Some(range) = range {
        head.insert(CONTENT_RANGE, digits(range));
    }
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = status;
    *response.headers_mut() = head;
    response
}

fn digits(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("letters and digits")
}
