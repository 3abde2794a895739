//! The keywords of schemas.

mod combined;
mod values;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Compiler, Version, step};
use crate::validate::format::Format;
use crate::validate::number::Decimal;
use crate::validate::schema::{Id, Schema, Types};

/// What is for people and tools, or only describes what JSON Schema does not look into.
const ANNOTATIONS: [&str; 14] = [
    "$comment",
    "$defs",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "default",
    "deprecated",
    "description",
    "example",
    "examples",
    "externalDocs",
    "title",
    "writeOnly",
    "xml",
];
/// The dialects of which these keywords are.
const DIALECTS: [&str; 2] = [
    "https://json-schema.org/draft/2020-12/schema",
    "https://spec.openapis.org/oas/3.1/dialect/base",
];
/// Keywords of 3.1 that 3.0 does not have.
const NEW: [&str; 15] = [
    "$schema",
    "const",
    "contains",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "maxContains",
    "minContains",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Whether a keyword says nothing about values.
pub(in crate::validate) fn is_annotation(name: &str) -> bool {
    ANNOTATIONS.contains(&name) || name.starts_with("x-")
}

/// Reads one schema.
pub(super) struct Reader<'c, 'd> {
    compiler: &'c mut Compiler<'d>,
    /// Where the schema is.
    at: &'c str,
    members: &'c Map<String, Value>,
    schema: Schema,
}

impl<'c, 'd> Reader<'c, 'd> {
    pub(super) fn new(
        compiler: &'c mut Compiler<'d>,
        at: &'c str,
        members: &'c Map<String, Value>,
    ) -> Self {
        Self {
            compiler,
            at,
            members,
            schema: Schema::default(),
        }
    }

    pub(super) fn read(mut self) -> Schema {
        let old = self.compiler.version == Version::Old;
        let referring = old && self.members.contains_key("$ref");
        for (name, value) in self.members {
            if is_annotation(name) {
                continue;
            }
            if referring && name != "$ref" {
                let problem =
                    "has no meaning beside `$ref` in OpenAPI 3.0: put the two into `allOf`";
                self.wrong(name, problem);
                continue;
            }
            if old && NEW.contains(&name.as_str()) {
                self.wrong(name, "is no keyword of OpenAPI 3.0");
                continue;
            }
            let known = self.general(name, value)
                || self.of_values(name, value)
                || self.of_arrays(name, value)
                || self.of_objects(name, value)
                || self.combining(name, value);
            if !known {
                self.wrong(name, "is no keyword that this gateway can enforce");
            }
        }
        if self.members.get("nullable") == Some(&Value::Bool(true)) {
            self.schema.types = self.schema.types.map(|types| types.or(Types::NULL));
        }
        self.schema
    }

    /// Tells what is wrong with a keyword.
    fn wrong(&mut self, name: &str, problem: &str) {
        let pointer = format!("{}/{}", self.at, step(name));
        self.compiler.wrong(&pointer, format!("`{name}` {problem}"));
    }

    fn general(&mut self, name: &str, value: &Value) -> bool {
        match name {
            "type" => self.schema.types = self.types(value),
            "format" => match value {
                Value::String(format) => self.schema.format = Format::named(format),
                _ => self.wrong(name, "is a text"),
            },
            "enum" => match value {
                Value::Array(values) if !values.is_empty() => {
                    self.schema.values = Some(values.clone());
                }
                _ => self.wrong(name, "is a list of values"),
            },
            "const" => self.schema.constant = Some(value.clone()),
            "nullable" => {
                self.flag(name, value);
                if self.compiler.version == Version::New {
                    self.wrong(name, "is of OpenAPI 3.0: write `\"type\": [..., \"null\"]`");
                }
            }
            // Looked at where the members of its object are.
            "readOnly" => {
                self.flag(name, value);
            }
            "$schema" => {
                if !value.as_str().is_some_and(|of| DIALECTS.contains(&of)) {
                    self.wrong(name, "names a dialect that is not that of OpenAPI 3.1");
                }
            }
            _ => return false,
        }
        true
    }

    fn types(&mut self, value: &Value) -> Option<Types> {
        let named = |value: &Value| Types::named(value.as_str()?);
        let old = self.compiler.version == Version::Old;
        let types = match value {
            Value::Array(names) if !old && !names.is_empty() => {
                let types = names.iter().map(named);
                types.reduce(|one, other| Some(one?.or(other?))).flatten()
            }
            value => named(value).filter(|types| !old || *types != Types::NULL),
        };
        if types.is_none() {
            let problem = "is one of boolean, integer, number, string, array, object; in OpenAPI 3.1 \
                           also null, and a list of them";
            self.wrong("type", problem);
        }
        types
    }

    fn flag(&mut self, name: &str, value: &Value) -> bool {
        value.as_bool().unwrap_or_else(|| {
            self.wrong(name, "is true or false");
            false
        })
    }

    fn count(&mut self, name: &str, value: &Value) -> Option<usize> {
        // 2.0 is 2, as everywhere in JSON Schema.
        let count = match value {
            Value::Number(number) => Decimal::new(number).count(),
            _ => None,
        };
        if count.is_none() {
            self.wrong(name, "is a number of 0 or more");
        }
        count
    }

    fn number(&mut self, name: &str, value: &Value) -> Option<Decimal> {
        match value {
            Value::Number(number) => Some(Decimal::new(number)),
            _ => {
                self.wrong(name, "is a number");
                None
            }
        }
    }

    fn names(&mut self, name: &str, value: &Value) -> Vec<String> {
        let names: Option<Vec<String>> = match value {
            Value::Array(names) => names
                .iter()
                .map(|name| name.as_str().map(str::to_owned))
                .collect(),
            _ => None,
        };
        names.unwrap_or_else(|| {
            self.wrong(name, "is a list of names");
            Vec::new()
        })
    }

    fn child(&mut self, name: &str) -> Id {
        let pointer = format!("{}/{}", self.at, step(name));
        self.compiler.schema(pointer)
    }

    fn list(&mut self, name: &str, value: &Value) -> Vec<Id> {
        let Some(schemas) = value.as_array().filter(|schemas| !schemas.is_empty()) else {
            self.wrong(name, "is a list of schemas");
            return Vec::new();
        };
        let indices = 0..schemas.len();
        indices
            .map(|index| self.compiler.schema(format!("{}/{name}/{index}", self.at)))
            .collect()
    }

    fn named(&mut self, name: &str, value: &Value) -> BTreeMap<String, Id> {
        let Value::Object(schemas) = value else {
            self.wrong(name, "has schemas by names");
            return BTreeMap::new();
        };
        let child = |member: &String| {
            let pointer = format!("{}/{name}/{}", self.at, step(member));
            (member.clone(), self.compiler.schema(pointer))
        };
        schemas.keys().map(child).collect()
    }
}
