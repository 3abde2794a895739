//! Request bodies: which media types an operation takes, and what a JSON body must be.

use http::HeaderValue;
use serde_json::{Map, Value};

use super::compile::{Compiler, is_annotation, step};
use super::schema::Id;
use super::settings::ValidateSettings;
use crate::json_body::is_json;

/// The body that an operation takes.
#[derive(Debug)]
pub(super) struct RequestBody {
    pub(super) required: bool,
    /// The most specific media types first.
    contents: Vec<(String, Content)>,
}

/// What a body of a media type must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Anything.
    Any,
    /// JSON of this schema.
    Json(Id),
}

impl RequestBody {
    pub(super) fn read(
        pointer: &str,
        settings: &ValidateSettings,
        compiler: &mut Compiler<'_>,
    ) -> Option<Self> {
        let (at, members) = compiler.object(pointer)?;
        for name in members.keys() {
            if !matches!(name.as_str(), "content" | "required") && !is_annotation(name) {
                compiler.wrong(&at, format!("`{name}` is not known here"));
            }
        }
        let Some(Value::Object(types)) = members.get("content") else {
            compiler.wrong(&at, "has no `content`");
            return None;
        };
        let contents = types.iter().map(|(name, media)| {
            let at = format!("{at}/content/{}", step(name));
            let name = essence(name);
            let content = content((&name, media), &at, settings, compiler);
            (name, content)
        });
        let mut contents: Vec<(String, Content)> = contents.collect();
        contents.sort_by_key(|(name, _)| name.matches('*').count());
        Some(Self {
            required: members.get("required") == Some(&Value::Bool(true)),
            contents,
        })
    }

    /// What a body must be whose media type is told like this; none if the operation does not take it.
    pub(super) fn content(&self, told: Option<&HeaderValue>) -> Option<Content> {
        let name = essence(told?.to_str().ok()?);
        let fits = |range: &str| match range.split_once('*') {
            Some((start, _)) => name.starts_with(start),
            None => range == name,
        };
        let found = self.contents.iter().find(|(range, _)| fits(range));
        found
            .map(|(_, content)| *content)
            // What is no JSON cannot be checked.
            .filter(|content| *content == Content::Any || told.is_some_and(is_json))
    }

    /// The media types, for people.
    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self
            .contents
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        names.join(" or ")
    }
}

/// A media type without its parameters.
fn essence(text: &str) -> String {
    let name = text.split(';').next().unwrap_or_default();
    name.trim().to_ascii_lowercase()
}

fn content(
    (name, media): (&str, &Value),
    at: &str,
    settings: &ValidateSettings,
    compiler: &mut Compiler<'_>,
) -> Content {
    let Value::Object(members) = media else {
        compiler.wrong(at, "expected an object");
        return Content::Any;
    };
    if !members.contains_key("schema") || settings.unchecked.iter().any(|other| other == name) {
        return Content::Any;
    }
    let json = HeaderValue::from_str(name).is_ok_and(|name| is_json(&name));
    for member in members.keys() {
        let known = member == "schema" || member == "encoding" && !json;
        if !known && !is_annotation(member) {
            compiler.wrong(at, format!("`{member}` is not known here"));
        }
    }
    if json || name.ends_with('*') {
        return Content::Json(compiler.schema(format!("{at}/schema")));
    }
    if !members.get("schema").is_some_and(is_plain) {
        let problem = format!(
            "the schema of `{name}` cannot be enforced: only JSON is checked; let it pass with \
             `unchecked = [\"{name}\"]`"
        );
        compiler.wrong(at, problem);
    }
    Content::Any
}

/// Whether a schema says no more than that there are bytes.
fn is_plain(schema: &Value) -> bool {
    let plain = |(name, value): (&String, &Value)| match name.as_str() {
        "type" => value == "string",
        "format" => value == "binary",
        name => is_annotation(name),
    };
    schema
        .as_object()
        .is_some_and(|members: &Map<String, Value>| members.iter().all(plain))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::validate::compile::Version;
    use crate::validate::documents::Documents;

    #[test]
    fn the_most_specific_media_type_counts_and_what_is_checked_is_json() {
        let document = json!({"content": {
            "*/*": {"schema": {"type": "object"}},
            "text/*": {},
            "Text/CSV; header=present": {"schema": {"type": "array"}},
            "application/json": {"schema": {"type": "string"}},
        }});
        let settings = "openapi = 'a.json'\nunchecked = ['text/csv']";
        let settings: ValidateSettings = toml::from_str(settings).expect("settings");
        let documents = Documents::from(document);
        let mut compiler = Compiler::new(&documents, Version::New);
        let body = RequestBody::read("", &settings, &mut compiler).expect("a body");
        let content = |told: &'static str| body.content(Some(&HeaderValue::from_static(told)));
        for (told, what) in [
            ("text/csv", Some(Content::Any)),
            ("TEXT/plain; charset=utf-8", Some(Content::Any)),
            ("image/png", None),
        ] {
            assert_eq!(content(told), what, "{told}");
        }
        let (json, other) = (content("application/json"), content("application/a+json"));
        assert!(matches!(json, Some(Content::Json(_))) && matches!(other, Some(Content::Json(_))));
        assert_ne!(json, other);
        assert_eq!(body.content(None), None);
        assert!(compiler.finish().is_ok());
    }
}
