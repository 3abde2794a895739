//! One part of a document.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Collected, Limited};
use kernel::problem::codes;
use kernel::{Kind, Problem};
use parking_lot::Mutex;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use platform::http::refuse;
use tokio::time::Instant;
use wire::deadline::before;
use wire::{Body, turn};

use super::{Sheet, look_up};
use crate::cache::key::Target;
use crate::json_body::is_json;
use crate::json_syntax;
use crate::table;
use crate::template::Text;

/// Documents that are kept for a part, the least used are forgotten first.
const KEPT: usize = 256;

#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: String,
    /// What is asked for, as it was written.
    pub(super) source: String,
    target: Text,
    /// The parts whose documents the target names.
    pub(super) needs: Vec<usize>,
    pub(super) required: bool,
    /// In place of a document that is missing.
    pub(super) fallback: Bytes,
    deadline: Duration,
    limit: usize,
    /// Fields of the request that are passed on.
    pass: Vec<HeaderName>,
    kept: Option<Kept>,
}

/// Documents that are as good as new for a while.
#[derive(Debug)]
struct Kept {
    time: Duration,
    documents: quick_cache::sync::Cache<String, (Instant, Bytes)>,
}

impl Kept {
    /// What a document is kept under: whom it is asked of depends on the host, too.
    fn key(&self, sheet: &Sheet<'_, '_>, target: &str) -> String {
        Target::with(&sheet.request.uri, &sheet.request.headers, |of| {
            format!("{} {} {} {target}", of.scheme, of.authority, of.routed)
        })
    }
}

/// What became of a part.
#[derive(Debug)]
pub(super) enum Got {
    Document(Bytes),
    /// No document; what to answer if the part is required.
    Nothing(Mutex<Response<Body>>),
}

impl Got {
    fn nothing(answer: Response<Body>) -> Self {
        Self::Nothing(Mutex::new(answer))
    }

    pub(super) fn length(&self) -> usize {
        match self {
            Self::Document(document) => document.len(),
            Self::Nothing(_) => 0,
        }
    }
}

impl Part {
    /// For a checked definition; `names` are those of all parts, in their order.
    pub(super) fn new(name: &str, part: &table::Part, names: &[&str]) -> Option<Self> {
        let target = Text::new(&part.get).ok()?;
        let needs = target.names().filter_map(|named| {
            let (first, _) = named.split_once('.')?;
            names.iter().position(|known| *known == first)
        });
        let pass = part.pass.iter().filter_map(|name| name.parse().ok());
        Some(Self {
            name: name.to_owned(),
            source: part.get.clone(),
            needs: needs.collect(),
            target,
            required: part.required,
            fallback: Bytes::from(part.fallback.clone()),
            deadline: part.deadline,
            limit: part.limit.0,
            pass: pass.collect(),
            kept: part.cache.map(|time| Kept {
                time,
                documents: quick_cache::sync::Cache::new(KEPT),
            }),
        })
    }

    /// Whether its document may be for one client only.
    pub(super) fn is_private(&self, asked: &HeaderMap) -> bool {
        let told = |name: &HeaderName| *name == AUTHORIZATION || *name == COOKIE;
        self.pass
            .iter()
            .any(|name| told(name) && asked.contains_key(name))
    }

    /// Asks for it; `needed` is what became of the parts that it needs, in their order.
    pub(super) async fn get(&self, sheet: &Sheet<'_, '_>, needed: &[&Got]) -> Got {
        let Some(target) = self.target(sheet, needed) else {
            return Got::nothing(refuse(self.unavailable("a part that it needs is missing")));
        };
        let kept = self
            .kept
            .as_ref()
            .map(|kept| (kept, kept.key(sheet, &target)));
        if let Some((kept, key)) = &kept
            && let Some((until, document)) = kept.documents.get(key)
            && turn::now() < until
        {
            return Got::Document(document);
        }
        let Ok(uri) = Uri::try_from(target.as_str()) else {
            return Got::nothing(refuse(self.unavailable("its target is none")));
        };
        let deadline = sheet.deadline.min(turn::now() + self.deadline);
        match before(deadline, pin!(self.ask(sheet, uri))).await {
            None => {
                let detail = format!("the part `{}` was not there in time", self.name);
                Got::nothing(refuse(Problem::new(
                    Kind::DeadlineExceeded,
                    codes::DEADLINE,
                    detail,
                )))
            }
            Some(got) => {
                if let (Some((kept, key)), Got::Document(document)) = (kept, &got) {
                    let until = turn::now() + kept.time;
                    // Without what has arrived with it.
                    let document = Bytes::copy_from_slice(document);
                    kept.documents.insert(key, (until, document));
                }
                got
            }
        }
    }

    /// What is asked for now.
    fn target(&self, sheet: &Sheet<'_, '_>, needed: &[&Got]) -> Option<String> {
        let mut found: Vec<String> = Vec::new();
        let mut documents = needed.iter();
        for name in self.target.names() {
            let value = match name.split_once('.') {
                None if name == "query" => sheet.request.uri.query().unwrap_or_default().to_owned(),
                None => (*sheet.captures.get(name)?).to_owned(),
                Some((_, path)) => {
                    let Got::Document(document) = documents.next()? else {
                        return None;
                    };
                    encoded(&look_up(document, path)?)
                }
            };
            found.push(value);
        }
        let mut values = found.iter();
        Some(self.target.target(|_| values.next().map(String::as_str)))
    }

    async fn ask(&self, sheet: &Sheet<'_, '_>, uri: Uri) -> Got {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = uri;
        let asked = sheet.request;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        for name in self.pass.iter().chain(&[http::header::HOST]) {
            for value in asked.headers.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        let response = (sheet.ask)(request).await;
        let kind = response.headers().get(CONTENT_TYPE);
        if !response.status().is_success() || !kind.is_some_and(is_json) {
            if self.required {
                return Got::nothing(response);
            }
            // What nobody reads would hold up others who wait for their answers on its connection.
            return Got::nothing(response.map(|_| Body::empty()));
        }
        let document = self.whole(response.into_body()).await;
        // Only looked over, not read: it goes on as it came.
        if !json_syntax::is_json(&document) {
            let detail = format!(
                "the part `{}` broke off, is too large, or is no JSON",
                self.name
            );
            let problem = Problem::new(Kind::BadGateway, codes::BAD_UPSTREAM, detail);
            return Got::nothing(refuse(problem));
        }
        Got::Document(document)
    }

    /// All of a body; nothing, which is no JSON, of one that breaks off or is too large.
    async fn whole(&self, body: Body) -> Bytes {
        match body.into_whole() {
            Ok(whole) if whole.len() <= self.limit => whole,
            Ok(_) => Bytes::new(),
            Err(body) => {
                let collected = Box::pin(Limited::new(body, self.limit).collect()).await;
                collected.map(Collected::to_bytes).unwrap_or_default()
            }
        }
    }

    fn unavailable(&self, why: &str) -> Problem {
        Problem::unavailable(
            codes::UNAVAILABLE,
            format!("the part `{}`: {why}", self.name),
            1,
        )
    }
}

/// What could mean something in a target: all but what RFC 3986 calls unreserved (section 2.3).
const MEANINGFUL: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A text as a part of a target: everything is escaped that could mean something there.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, &MEANINGFUL).to_string()
}
