//! One request, answered from several: the parts are asked for side by side, or one after the other
//! where one needs what another has found, and their documents are put together as they came.
//!
//! Parts are requests to the gateway itself: they are routed, guarded and balanced like any other,
//! only not limited once more.

mod part;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::future::{BoxFuture, join_all};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use wire::{Body, turn};

use self::part::{Got, Part};
use crate::router::Template;
use crate::table;

/// Answers the request for a part.
pub(crate) type Ask<'a> =
    &'a (dyn Fn(Request<Body>) -> BoxFuture<'a, Response<Body>> + Send + Sync);

/// A document that is put together, ready to be asked for.
#[derive(Debug)]
pub(crate) struct Compose {
    path: Template,
    parts: Vec<Part>,
    deadline: Duration,
}

/// What the parts of one answer have in common.
struct Sheet<'a, 'ask> {
    ask: Ask<'ask>,
    /// What the path of the request holds.
    captures: BTreeMap<&'a str, &'a str>,
    request: &'a http::request::Parts,
    deadline: Instant,
    /// Each part once, for the answer and for those that need it.
    got: Vec<OnceCell<Got>>,
}

impl Compose {
    /// For a checked definition.
    pub(crate) fn new(definition: &table::Compose, longest: Duration) -> Option<Self> {
        let names: Vec<&str> = definition.parts.keys().map(String::as_str).collect();
        let parts = definition
            .parts
            .iter()
            .map(|(name, part)| Part::new(name, part, &names));
        Some(Self {
            path: Template::new(&definition.path).ok()?,
            parts: parts.collect::<Option<_>>()?,
            deadline: definition.deadline.unwrap_or(longest).min(longest),
        })
    }

    /// The parts, by name, with what is asked for.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parts
            .iter()
            .map(|part| (part.name.as_str(), part.source.as_str()))
    }

    /// Answers a request.
    pub(crate) async fn call(&self, request: Request<Body>, ask: Ask<'_>) -> Response<Body> {
        let (head, _) = request.into_parts();
        let values = self.path.captures(head.uri.path());
        let sheet = Sheet {
            ask,
            captures: self
                .path
                .names()
                .iter()
                .map(String::as_str)
                .zip(values)
                .collect(),
            request: &head,
            deadline: turn::now() + self.deadline,
            got: self.parts.iter().map(|_| OnceCell::new()).collect(),
        };
        join_all((0..self.parts.len()).map(|index| self.get(&sheet, index))).await;
        let got: Vec<Got> = sheet
            .got
            .into_iter()
            .filter_map(OnceCell::into_inner)
            .collect();
        self.document(got, &head.headers)
    }

    /// One part; those that it needs come first.
    fn get<'a>(&'a self, sheet: &'a Sheet<'a, '_>, index: usize) -> BoxFuture<'a, &'a Got> {
        Box::pin(async move {
            let part = &self.parts[index];
            let get = || async {
                let needed = part.needs.iter().map(|needed| self.get(sheet, *needed));
                let needed = join_all(needed).await;
                part.get(sheet, &needed).await
            };
            sheet.got[index].get_or_init(get).await
        })
    }

    /// Puts the parts together, or answers what a required one has come to.
    fn document(&self, got: Vec<Got>, asked: &HeaderMap) -> Response<Body> {
        let length: usize = got.iter().map(Got::length).sum();
        let mut out = BytesMut::with_capacity(length + 32 * (self.parts.len() + 1));
        let mut missing: Vec<&str> = Vec::new();
        let mut private = false;
        for (part, got) in self.parts.iter().zip(got) {
            let document = match got {
                Got::Document(document) => document,
                Got::Nothing(answer) if part.required => return answer.into_inner(),
                Got::Nothing(_) => {
                    missing.push(&part.name);
                    part.fallback.clone()
                }
            };
            private |= part.is_private(asked);
            out.put_u8(if out.is_empty() { b'{' } else { b',' });
            // Names of parts need no escapes.
            out.put_slice(b"\"");
            out.put_slice(part.name.as_bytes());
            out.put_slice(b"\":");
            out.put_slice(&document);
        }
        out.put_slice(b",\"missing\":[");
        for (number, name) in missing.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            out.put_slice(format!("{comma}\"{name}\"").as_bytes());
        }
        out.put_slice(b"]}");
        let mut response = Response::new(Body::full(out.freeze()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let caching = if private || !missing.is_empty() {
            "private, no-store"
        } else {
            "no-cache"
        };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
        response
    }
}

/// What a document of JSON holds at a dotted path, as a text for a target.
fn look_up(document: &Bytes, path: &str) -> Option<String> {
    let document: serde_json::Value = serde_json::from_slice(document).ok()?;
    let found = path
        .split('.')
        .try_fold(&document, |value, step| match value {
            serde_json::Value::Object(fields) => fields.get(step),
            serde_json::Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })?;
    match found {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_into_a_document() {
        let document = Bytes::from_static(br#"{"a":{"b":["x",{"c":7}]},"n":null}"#);
        assert_eq!(look_up(&document, "a.b.0").as_deref(), Some("x"));
        assert_eq!(look_up(&document, "a.b.1.c").as_deref(), Some("7"));
        for nothing in ["a", "a.b.2", "a.b.x", "n", "z"] {
            assert_eq!(look_up(&document, nothing), None, "{nothing}");
        }
    }
}
