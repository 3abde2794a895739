//! Schemas of a document, compiled once. What cannot be enforced is an error, by its name: nothing is
//! silently left out.

mod keywords;
mod order;

use std::collections::HashMap;
use std::fmt;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use self::keywords::Reader;
pub(super) use self::keywords::is_annotation;
pub(super) use super::check::step;
use super::schema::{Id, Schema, Schemas};

/// The most schemas of a document.
const MOST: usize = 50_000;
/// The most references in a row.
const CHAIN: usize = 64;

/// The version of a document: its schemas have other keywords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// 3.0.
    Old,
    /// 3.1: those of JSON Schema 2020-12.
    New,
}

/// What is wrong with a document, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    /// A JSON pointer.
    pub(super) pointer: String,
    pub(super) problem: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}: {}", self.pointer, self.problem)
    }
}

/// Compiles schemas as they are asked for, each once.
#[derive(Debug)]
pub(super) struct Compiler<'d> {
    document: &'d Value,
    version: Version,
    known: HashMap<String, Id>,
    /// By their ids; where each one is.
    pointers: Vec<String>,
    wrong: Vec<Wrong>,
}

impl<'d> Compiler<'d> {
    pub(super) fn new(document: &'d Value, version: Version) -> Self {
        Self {
            document,
            version,
            known: HashMap::new(),
            pointers: Vec::new(),
            wrong: Vec::new(),
        }
    }

    /// Tells what is wrong.
    pub(super) fn wrong(&mut self, pointer: &str, problem: impl Into<String>) {
        self.wrong.push(Wrong {
            pointer: pointer.to_owned(),
            problem: problem.into(),
        });
    }

    /// The schema at a pointer; it will be compiled.
    pub(super) fn schema(&mut self, pointer: String) -> Id {
        if let Some(id) = self.known.get(&pointer) {
            return *id;
        }
        let id = Id(self.pointers.len());
        self.known.insert(pointer.clone(), id);
        self.pointers.push(pointer);
        id
    }

    /// The object at a pointer, or the one that it refers to; with where that is.
    pub(super) fn object(&mut self, pointer: &str) -> Option<(String, &'d Map<String, Value>)> {
        let mut pointer = pointer.to_owned();
        for _ in 0..CHAIN {
            let Some(Value::Object(members)) = self.document.pointer(&pointer) else {
                self.wrong(&pointer, "expected an object");
                return None;
            };
            let Some(reference) = members.get("$ref") else {
                return Some((pointer, members));
            };
            pointer = self.target(&pointer, reference)?;
        }
        self.wrong(&pointer, "too many references in a row");
        None
    }

    /// Where a `$ref` leads to; `pointer` is where it is.
    fn target(&mut self, pointer: &str, reference: &Value) -> Option<String> {
        let local = reference.as_str().and_then(|text| text.strip_prefix('#'));
        let decoded = local.and_then(|text| percent_decode_str(text).decode_utf8().ok());
        let target = decoded.filter(|target| target.starts_with('/'));
        let Some(target) = target else {
            let problem = "`$ref` leads to a place in the same document, such as \
                           \"#/components/schemas/Item\"";
            self.wrong(pointer, problem);
            return None;
        };
        if self.document.pointer(&target).is_none() {
            self.wrong(pointer, format!("`$ref`: there is no `#{target}`"));
            return None;
        }
        Some(target.into_owned())
    }

    /// Compiles everything that was asked for.
    pub(super) fn finish(mut self) -> Result<Schemas, Vec<Wrong>> {
        let mut schemas = Vec::new();
        while let Some(pointer) = self.pointers.get(schemas.len()).cloned() {
            if schemas.len() >= MOST {
                self.wrong(&pointer, format!("a document has {MOST} schemas at most"));
                break;
            }
            schemas.push(self.compile(&pointer));
        }
        if self.wrong.is_empty() {
            order::settle(&mut schemas, &self.pointers, &mut self.wrong);
        }
        if self.wrong.is_empty() {
            Ok(Schemas(schemas))
        } else {
            Err(self.wrong)
        }
    }

    fn compile(&mut self, pointer: &str) -> Schema {
        let nothing = match self.document.pointer(pointer) {
            Some(Value::Object(members)) => {
                return Reader::new(self, pointer, members).read();
            }
            Some(Value::Bool(all)) => !all,
            _ => {
                self.wrong(pointer, "expected a schema: an object");
                false
            }
        };
        Schema {
            nothing,
            ..Schema::default()
        }
    }
}

#[cfg(test)]
mod tests;
