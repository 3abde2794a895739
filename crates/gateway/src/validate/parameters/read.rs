//! Parameters as a document says them.

use serde_json::{Map, Value};

use super::{Location, Parameter, Shape, Style};
use crate::validate::compile::{Compiler, is_annotation};

/// What is written like a parameter, but said in another way (OpenAPI 3.1, 4.8.12.1).
const NOT_PARAMETERS: [&str; 3] = ["accept", "content-type", "authorization"];
const KNOWN: [&str; 9] = [
    "allowEmptyValue",
    "allowReserved",
    "content",
    "explode",
    "in",
    "name",
    "required",
    "schema",
    "style",
];

/// The parameters of these objects, a path and an operation; later ones take the place of those
/// before.
pub(in crate::validate) fn read(of: &[&str], compiler: &mut Compiler<'_>) -> Vec<Parameter> {
    let mut parameters: Vec<Parameter> = Vec::new();
    for at in of {
        let list = compiler.object(at);
        let count = match list.and_then(|(_, members)| members.get("parameters")) {
            None => 0,
            Some(Value::Array(list)) => list.len(),
            Some(_) => {
                compiler.wrong(at, "`parameters` is a list");
                0
            }
        };
        for index in 0..count {
            let Some(parameter) = parameter(&format!("{at}/parameters/{index}"), compiler) else {
                continue;
            };
            let same = |other: &Parameter| {
                other.name == parameter.name && other.location == parameter.location
            };
            parameters.retain(|other| !same(other));
            parameters.push(parameter);
        }
    }
    parameters
}

fn parameter(pointer: &str, compiler: &mut Compiler<'_>) -> Option<Parameter> {
    let (at, members) = compiler.object(pointer)?;
    for name in members.keys() {
        if !KNOWN.contains(&name.as_str()) && !is_annotation(name) {
            compiler.wrong(&at, format!("`{name}` is not known here"));
        }
    }
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let flag = |name: &str| members.get(name).and_then(Value::as_bool);
    let location = match text("in") {
        Some("path") => Location::Path,
        Some("query") => Location::Query,
        Some("header") => Location::Header,
        Some("cookie") => Location::Cookie,
        _ => {
            compiler.wrong(&at, "`in` is path, query, header or cookie");
            return None;
        }
    };
    let Some(name) = text("name") else {
        compiler.wrong(&at, "has no `name`");
        return None;
    };
    if location == Location::Header && NOT_PARAMETERS.contains(&name.to_ascii_lowercase().as_str())
    {
        return None;
    }
    let (style, schema) = form(members, (location, &at), compiler)?;
    Some(Parameter {
        name: name.to_owned(),
        location,
        required: flag("required").unwrap_or(location == Location::Path),
        may_be_empty: location == Location::Query && flag("allowEmptyValue") == Some(true),
        style,
        explode: flag("explode").unwrap_or(matches!(style, Style::Form | Style::Deep)),
        schema: compiler.schema(schema),
        shape: Shape::Single,
        at,
    })
}

/// How a parameter is written, and where its schema is.
fn form(
    members: &Map<String, Value>,
    (location, at): (Location, &str),
    compiler: &mut Compiler<'_>,
) -> Option<(Style, String)> {
    match (members.get("schema"), members.get("content")) {
        (Some(_), None) => {
            let schema = format!("{at}/schema");
            let query = location == Location::Query;
            let style = match members.get("style").map(|style| style.as_str()) {
                None if matches!(location, Location::Path | Location::Header) => Style::Simple,
                None => Style::Form,
                Some(Some("simple")) if matches!(location, Location::Path | Location::Header) => {
                    Style::Simple
                }
                Some(Some("form")) if matches!(location, Location::Query | Location::Cookie) => {
                    Style::Form
                }
                Some(Some("spaceDelimited")) if query => Style::Spaces,
                Some(Some("pipeDelimited")) if query => Style::Pipes,
                Some(Some("deepObject")) if query => Style::Deep,
                _ => {
                    compiler.wrong(at, "the `style` is not supported here");
                    return None;
                }
            };
            Some((style, schema))
        }
        (None, Some(Value::Object(content))) if content.len() == 1 => {
            if content.get("application/json")?.get("schema").is_none() {
                compiler.wrong(at, "`content` has no `schema`");
                return None;
            }
            Some((
                Style::Json,
                format!("{at}/content/application~1json/schema"),
            ))
        }
        _ => {
            compiler.wrong(
                at,
                "has one of `schema` and `content`, which is `application/json`",
            );
            None
        }
    }
}
