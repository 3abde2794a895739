//! What a message of one direction becomes: everything is made before anything is changed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use kernel::problem::codes;
use kernel::{Kind, Problem};
use minijinja::value::Value;
use wire::Body;

use super::Finding;
use super::body::{BodyEdits, Plan, describe};
use super::fields::{HeaderEdits, QueryEdits, Values};
use super::settings::{Edits, Mismatch, RequestSettings, ResponseSettings};
use super::template::{Asked, Engine, Facts, Scope};
use crate::identity::Identity;
use crate::json_body::{Looked, Unfit, Unread, look};

/// The changes of one direction.
#[derive(Debug)]
pub(super) struct Change {
    side: Side,
    pub(super) engine: Engine,
    pub(super) headers: HeaderEdits,
    pub(super) query: QueryEdits,
    pub(super) body: BodyEdits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

/// A value or a body that could not be made.
#[derive(Debug)]
pub(super) enum Unmade {
    Template(minijinja::Error),
    /// With a line break in it, say.
    Header(HeaderName),
    Document,
    Unfit(Unfit),
    OtherShape,
}

impl From<minijinja::Error> for Unmade {
    fn from(error: minijinja::Error) -> Self {
        Self::Template(error)
    }
}

/// A request as it was, for what is made of it later.
#[derive(Debug, Default)]
pub(super) struct Before {
    pub(super) asked: Option<Asked>,
    pub(super) caller: Option<Arc<Identity>>,
}

/// What a message becomes.
pub(super) struct Made {
    pub(super) headers: Values<HeaderName, HeaderValue>,
    pub(super) query: Values<String, String>,
    pub(super) body: Body,
    /// The length of a body that is new.
    pub(super) length: Option<usize>,
}

impl Change {
    pub(super) fn of_request(
        settings: &RequestSettings,
        captures: &[String],
        wrong: &mut Vec<Finding>,
    ) -> Self {
        let scope = Scope {
            captures,
            response: false,
        };
        let mut engine = Engine::new();
        let headers = HeaderEdits::new(&settings.headers, (&mut engine, scope), wrong);
        let query = QueryEdits::new(&settings.query, (&mut engine, scope), wrong);
        let what = (&settings.json[..], settings.body.as_ref());
        let how = (settings.limit.0, settings.on_mismatch);
        let body = BodyEdits::new(what, how, (&mut engine, scope), wrong);
        Self {
            side: Side::Request,
            engine,
            headers,
            query,
            body,
        }
    }

    pub(super) fn of_response(
        settings: &ResponseSettings,
        captures: &[String],
        wrong: &mut Vec<Finding>,
    ) -> Self {
        let scope = Scope {
            captures,
            response: true,
        };
        let mut engine = Engine::new();
        let headers = HeaderEdits::new(&settings.headers, (&mut engine, scope), wrong);
        let none = Edits::default();
        let query = QueryEdits::new(&none, (&mut engine, scope), wrong);
        let what = (&settings.json[..], settings.body.as_ref());
        let how = (settings.limit.0, settings.on_mismatch);
        let body = BodyEdits::new(what, how, (&mut engine, scope), wrong);
        Self {
            side: Side::Response,
            engine,
            headers,
            query,
            body,
        }
    }

    /// Whether the body must come whole, and not compressed.
    pub(super) fn needs_plain_body(&self) -> bool {
        self.body.changes() || self.body.reads(self.engine.uses().body)
    }

    pub(super) fn describe(&self, headers: &mut HeaderMap, length: Option<usize>) {
        if length.is_some() {
            let new = matches!(self.body.plan, Plan::Document(_));
            describe(headers, length, new || !headers.contains_key(CONTENT_TYPE));
        }
    }

    /// Makes everything that the message becomes, before anything of it is changed. `seen` is the
    /// status of a response, and whether it has no body.
    pub(super) async fn make(
        &self,
        headers: &HeaderMap,
        body: Body,
        (before, seen): (&Before, Option<(StatusCode, bool)>),
        patience: Duration,
    ) -> Result<Made, Problem> {
        let bodiless = seen.is_some_and(|(_, bodiless)| bodiless);
        let uses = self.engine.uses();
        let (document, body) = if self.body.reads(uses.body) && !bodiless {
            self.look(headers, body, patience).await?
        } else {
            (None, body)
        };
        let parsed = match &document {
            Some(text) if uses.body => serde_json::from_slice(text).ok(),
            _ => None,
        };
        // Nested too deeply, or with numbers that expressions cannot hold.
        let unread = uses.body && document.is_some() && parsed.is_none();
        if unread && self.body.on_mismatch == Mismatch::Refuse {
            return Err(self.problem(Unmade::OtherShape));
        }
        let facts = Facts {
            request: before.asked.as_ref().filter(|_| uses.request),
            caller: before.caller.as_deref().filter(|_| uses.identity),
            response: seen
                .filter(|_| uses.response)
                .map(|(status, _)| (status, headers)),
            body: parsed.as_ref(),
        };
        let context = facts.context();
        let has_body = parsed.is_some();
        let explain = |unmade| self.problem(unmade);
        let fields = self.headers.values(&self.engine, &context, has_body);
        let fields = fields.map_err(explain)?;
        let query = self.query.values(&self.engine, &context, has_body);
        let query = query.map_err(explain)?;
        let (body, length) = if bodiless {
            (body, None)
        } else {
            self.new_body(document, body, &context, has_body)?
        };
        Ok(Made {
            headers: fields,
            query,
            body,
            length,
        })
    }

    /// The body that goes on, and its length if it is a new one.
    fn new_body(
        &self,
        document: Option<Bytes>,
        body: Body,
        context: &Value,
        has_body: bool,
    ) -> Result<(Body, Option<usize>), Problem> {
        let made = if self.can_make(document.as_ref(), has_body) {
            self.body.make(&self.engine, context, document.as_ref())
        } else {
            Ok(None)
        };
        match made {
            Ok(Some(text)) => {
                let length = text.len();
                Ok((Body::full(text), Some(length)))
            }
            Err(Unmade::OtherShape) if self.body.on_mismatch == Mismatch::Pass => {
                Ok((document.map_or(body, Body::full), None))
            }
            Ok(None) => Ok((document.map_or(body, Body::full), None)),
            Err(unmade) => Err(self.problem(unmade)),
        }
    }

    /// Whether there is what the new body is made of.
    fn can_make(&self, document: Option<&Bytes>, has_body: bool) -> bool {
        match &self.body.plan {
            Plan::Nothing => false,
            Plan::Edits(_) => document.is_some(),
            Plan::Document(name) => has_body || !self.engine.names_body(name),
        }
    }

    /// Reads a body: the document, or the body as it came.
    async fn look(
        &self,
        headers: &HeaderMap,
        body: Body,
        patience: Duration,
    ) -> Result<(Option<Bytes>, Body), Problem> {
        let looked = look(headers, body, self.body.limit, patience).await;
        let looked = looked.map_err(|unread| match (unread, self.side) {
            (Unread::Late, Side::Request) => Problem::late_body(),
            (Unread::Late, Side::Response) => {
                let detail = "the body of the answer did not come in time";
                Problem::new(Kind::DeadlineExceeded, codes::DEADLINE, detail)
            }
            (Unread::BrokeOff, Side::Request) => {
                let detail = "the body of the request broke off";
                Problem::new(Kind::Malformed, codes::MALFORMED, detail)
            }
            (Unread::BrokeOff, Side::Response) => {
                let detail = "the body of the answer broke off";
                Problem::new(Kind::BadGateway, codes::BAD_UPSTREAM, detail)
            }
        })?;
        match looked {
            Looked::Document(text) => Ok((Some(text), Body::empty())),
            Looked::Empty => Ok((None, Body::empty())),
            Looked::Unfit(unfit, _) if self.body.on_mismatch == Mismatch::Refuse => {
                Err(self.problem(Unmade::Unfit(unfit)))
            }
            Looked::Unfit(_, body) => Ok((None, body)),
        }
    }

    /// What is answered when something could not be made.
    fn problem(&self, unmade: Unmade) -> Problem {
        let detail = match &unmade {
            // What the expression was about is in the error; its source is not for clients.
            Unmade::Template(error) => format!(
                "a value that the route makes of it cannot be made: {}",
                error.kind()
            ),
            Unmade::Header(name) => {
                format!("the value for the header `{name}` has a line break or is no text")
            }
            Unmade::Document => String::from("what the route makes of it is no JSON"),
            Unmade::Unfit(Unfit::NotJson) => String::from("the body is no JSON"),
            Unmade::Unfit(Unfit::TooLong) => {
                format!("the body is longer than {} bytes", self.body.limit)
            }
            Unmade::Unfit(Unfit::Encoded) => {
                String::from("the body is compressed, and the route changes it: send it plain")
            }
            Unmade::OtherShape => String::from("the body has another shape than the route expects"),
        };
        match (self.side, unmade) {
            (Side::Response, _) => Problem::new(Kind::BadGateway, codes::BAD_UPSTREAM, detail),
            (_, Unmade::Unfit(Unfit::TooLong)) => {
                Problem::new(Kind::TooLarge, codes::TOO_LARGE, detail)
            }
            (_, Unmade::Unfit(Unfit::Encoded)) => {
                Problem::new(Kind::UnsupportedMedia, codes::UNSUPPORTED_MEDIA, detail)
            }
            _ => Problem::new(Kind::Malformed, codes::MALFORMED, detail),
        }
    }
}
