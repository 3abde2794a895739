//! Bodies that are changed: read up to a limit, or passed on as they came.

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, TRAILER, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderValue};
use minijinja::value::Value;

use super::Finding;
use super::change::Unmade;
use super::json::{Misfit, Node, Pointer};
use super::settings::{JsonEdit, Mismatch};
use super::template::{Engine, Json, Scope};

/// What becomes of a body.
#[derive(Debug)]
pub(super) struct BodyEdits {
    pub(super) plan: Plan,
    pub(super) limit: usize,
    pub(super) on_mismatch: Mismatch,
}

/// How a body changes.
#[derive(Debug)]
pub(super) enum Plan {
    Nothing,
    Edits(Vec<Edit>),
    /// A new document, by its name in the engine.
    Document(String),
}

/// One edit of a document.
#[derive(Debug)]
pub(super) enum Edit {
    Set(Pointer, Json),
    Remove(Pointer),
    Move(Pointer, Pointer),
}

impl Edit {
    /// Checks and compiles an edit.
    pub(super) fn new(
        edit: &JsonEdit,
        engine: &mut Engine,
        scope: Scope<'_>,
    ) -> Result<Self, String> {
        let form = "an edit is { set = \"/a\", value = 1 }, { remove = \"/a\" }, \
                    { rename = \"/a\", to = \"/b\" } or { move = \"/a\", to = \"/b\" }";
        let JsonEdit {
            set,
            value,
            remove,
            rename,
            shift,
            to,
        } = edit;
        let some_place = |text: &str| {
            let pointer = Pointer::new(text)?;
            if pointer.is_root() {
                return Err(String::from(
                    "the whole document cannot be removed or moved",
                ));
            }
            Ok(pointer)
        };
        match (set, value, remove, rename.as_ref().xor(shift.as_ref()), to) {
            (Some(at), Some(value), None, None, None) if rename.is_none() => {
                Ok(Self::Set(Pointer::new(at)?, engine.json(value, scope)?))
            }
            (None, None, Some(at), None, None) if rename.is_none() => {
                Ok(Self::Remove(some_place(at)?))
            }
            (None, None, None, Some(from), Some(to)) => {
                let (from, to) = (some_place(from)?, Pointer::new(to)?);
                if from != to && from.holds(&to) {
                    return Err(String::from("a value cannot be moved into itself"));
                }
                Ok(Self::Move(from, to))
            }
            _ => Err(String::from(form)),
        }
    }
}

impl BodyEdits {
    /// Compiles the changes; whatever is wrong is told with its place.
    pub(super) fn new(
        (json, body): (&[toml::Spanned<JsonEdit>], Option<&toml::Spanned<String>>),
        (limit, on_mismatch): (usize, Mismatch),
        (engine, scope): (&mut Engine, Scope<'_>),
        wrong: &mut Vec<Finding>,
    ) -> Self {
        let mut edits = Vec::new();
        for edit in json {
            match Edit::new(edit.get_ref(), engine, scope) {
                Ok(compiled) => edits.push(compiled),
                Err(problem) => wrong.push((Some(edit.span()), problem)),
            }
        }
        let mut plan = if json.is_empty() {
            Plan::Nothing
        } else {
            Plan::Edits(edits)
        };
        if let Some(source) = body {
            if !json.is_empty() {
                let problem = "a body is edited (`json`) or new (`body`), not both";
                wrong.push((Some(source.span()), String::from(problem)));
            }
            match engine.document(source.get_ref(), scope) {
                Ok(name) => plan = Plan::Document(name),
                Err(problem) => wrong.push((Some(source.span()), format!("body: {problem}"))),
            }
        }
        Self {
            plan,
            limit,
            on_mismatch,
        }
    }

    /// Whether the body becomes another one.
    pub(super) fn changes(&self) -> bool {
        !matches!(self.plan, Plan::Nothing)
    }

    /// Whether the body that comes must be read.
    pub(super) fn reads(&self, named: bool) -> bool {
        named || matches!(self.plan, Plan::Edits(_))
    }

    /// The new body; none if it stays as it is.
    pub(super) fn make(
        &self,
        engine: &Engine,
        context: &Value,
        document: Option<&Bytes>,
    ) -> Result<Option<String>, Unmade> {
        match &self.plan {
            Plan::Nothing => Ok(None),
            Plan::Document(name) => {
                let text = engine.fill_document(name, context, self.limit)?;
                if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_err() {
                    return Err(Unmade::Document);
                }
                Ok(Some(text))
            }
            Plan::Edits(edits) => {
                let Some(document) = document else {
                    return Ok(None);
                };
                let mut node = Node::read(document).ok_or(Unmade::Document)?;
                for edit in edits {
                    let done = match edit {
                        Edit::Set(at, value) => {
                            let value = Node::value(engine.fill_json(value, context)?);
                            node.set(at, value)
                        }
                        Edit::Remove(at) => {
                            node.take(at);
                            Ok(())
                        }
                        Edit::Move(from, to) => node.shift(from, to),
                    };
                    done.map_err(|Misfit| Unmade::OtherShape)?;
                }
                let mut out = String::with_capacity(document.len());
                node.write(&mut out);
                Ok(Some(out))
            }
        }
    }
}

/// Makes the headers right for another body, and takes out what was said about the old one.
pub(super) fn describe(headers: &mut HeaderMap, length: Option<usize>, new: bool) {
    for name in [
        ETAG,
        ACCEPT_RANGES,
        TRAILER,
        TRANSFER_ENCODING,
        CONTENT_LENGTH,
    ] {
        headers.remove(name);
    }
    for name in ["digest", "content-digest", "repr-digest", "content-md5"] {
        headers.remove(name);
    }
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    if new {
        headers.remove(CONTENT_ENCODING);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
}
