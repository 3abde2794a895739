//! Schemas of a document, compiled once. What cannot be enforced is an error, by its name: nothing is
//! silently left out.

mod keywords;
mod order;

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Map, Value};

use self::keywords::Reader;
pub(super) use self::keywords::is_annotation;
pub(super) use super::check::step;
use super::documents::{Documents, told};
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
    pub(super) place: String,
    pub(super) problem: String,
}

impl Wrong {
    /// As it is told of the document that is called `name`.
    pub(super) fn told(&self, name: &Path) -> String {
        let told = told(&self.place);
        let file = if told.starts_with('#') {
            format!("{}{told}", name.display())
        } else {
            name.with_file_name(told).display().to_string()
        };
        format!("{file}: {}", self.problem)
    }
}

/// Compiles schemas as they are asked for, each once.
#[derive(Debug)]
pub(super) struct Compiler<'d> {
    documents: &'d Documents,
    version: Version,
    known: HashMap<String, Id>,
    /// By their ids; where each one is.
    places: Vec<String>,
    wrong: Vec<Wrong>,
}

impl<'d> Compiler<'d> {
    pub(super) fn new(documents: &'d Documents, version: Version) -> Self {
        Self {
            documents,
            version,
            known: HashMap::new(),
            places: Vec::new(),
            wrong: Vec::new(),
        }
    }

    /// Tells what is wrong.
    pub(super) fn wrong(&mut self, place: &str, problem: impl Into<String>) {
        self.wrong.push(Wrong {
            place: place.to_owned(),
            problem: problem.into(),
        });
    }

    /// The schema at a place; it will be compiled.
    pub(super) fn schema(&mut self, place: String) -> Id {
        if let Some(id) = self.known.get(&place) {
            return *id;
        }
        let id = Id(self.places.len());
        self.known.insert(place.clone(), id);
        self.places.push(place);
        id
    }

    /// The object at a place, or the one that it refers to; with where that is.
    pub(super) fn object(&mut self, place: &str) -> Option<(String, &'d Map<String, Value>)> {
        let mut place = place.to_owned();
        for _ in 0..CHAIN {
            let Some(Value::Object(members)) = self.documents.at(&place) else {
                self.wrong(&place, "expected an object");
                return None;
            };
            let Some(reference) = members.get("$ref") else {
                return Some((place, members));
            };
            place = self.target(&place, reference)?;
        }
        self.wrong(&place, "too many references in a row");
        None
    }

    /// Where a `$ref` leads to; `place` is where it is.
    fn target(&mut self, place: &str, reference: &Value) -> Option<String> {
        let target = match reference {
            Value::String(reference) => self.documents.target(place, reference),
            _ => Err(String::from("`$ref` is a text")),
        };
        target.map_err(|problem| self.wrong(place, problem)).ok()
    }

    /// Compiles everything that was asked for.
    pub(super) fn finish(mut self) -> Result<Schemas, Vec<Wrong>> {
        let mut schemas = Vec::new();
        while let Some(place) = self.places.get(schemas.len()).cloned() {
            if schemas.len() >= MOST {
                self.wrong(&place, format!("a document has {MOST} schemas at most"));
                break;
            }
            schemas.push(self.compile(&place));
        }
        if self.wrong.is_empty() {
            order::settle(&mut schemas, &self.places, &mut self.wrong);
        }
        if self.wrong.is_empty() {
            Ok(Schemas(schemas))
        } else {
            Err(self.wrong)
        }
    }

    fn compile(&mut self, place: &str) -> Schema {
        let nothing = match self.documents.at(place) {
            Some(Value::Object(members)) => {
                return Reader::new(self, place, members).read();
            }
            Some(Value::Bool(all)) => !all,
            _ => {
                self.wrong(place, "expected a schema: an object");
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
