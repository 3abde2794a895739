//! Parameters: of the path, the query, the header and cookies, as the forms say by which they are
//! written (OpenAPI 3.1, 4.8.12).

mod read;
mod written;

use std::collections::HashSet;

pub(super) use self::read::read;
pub(super) use self::written::Written;
use super::check::{Checker, Place};
use super::compile::Wrong;
use super::document::Operation;
use super::schema::{Id, Schema, Schemas, Types};

/// Where a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Location {
    Path,
    Query,
    Header,
    Cookie,
}

/// How a parameter is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `a,b`: in the path and in headers.
    Simple,
    /// `x=a&x=b`, or `x=a,b`: in the query and in cookies.
    Form,
    /// `x=a%20b`.
    Spaces,
    /// `x=a|b`.
    Pipes,
    /// `x[a]=1&x[b]=2`.
    Deep,
    /// A JSON document.
    Json,
}

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Single,
    List,
    Object,
}

/// A parameter of an operation.
#[derive(Debug)]
pub(super) struct Parameter {
    name: String,
    location: Location,
    required: bool,
    /// `allowEmptyValue`.
    may_be_empty: bool,
    style: Style,
    explode: bool,
    schema: Id,
    shape: Shape,
    /// Where it is in the document.
    at: String,
}

impl Location {
    fn root(self) -> &'static str {
        match self {
            Self::Path => "/path",
            Self::Query => "/query",
            Self::Header => "/header",
            Self::Cookie => "/cookie",
        }
    }
}

impl Parameter {
    /// Its name, if it is a part of the path.
    pub(super) fn capture(&self) -> Option<&str> {
        (self.location == Location::Path).then_some(self.name.as_str())
    }

    /// Finds out what it is, which is known when all schemas are.
    pub(super) fn shape_by(&mut self, schemas: &Schemas) -> Result<(), Wrong> {
        let shape = shape(schemas, self).map_err(|problem| Wrong {
            place: self.at.clone(),
            problem: String::from(problem),
        })?;
        self.shape = shape;
        Ok(())
    }

    /// Whether it takes whatever no other parameter of the query has.
    fn takes_the_rest(&self) -> bool {
        self.style == Style::Form && self.explode && self.shape == Shape::Object
    }

    fn check(&self, others: &HashSet<&str>, written: &Written<'_>, checker: &mut Checker<'_>) {
        let root = Place::Root(self.location.root());
        let place = Place::Member(&root, &self.name);
        match self.value(others, written, checker) {
            Ok(Some(value)) => {
                let empty = self.may_be_empty && value == "";
                if !empty {
                    checker.check(self.schema, &value, &place);
                }
            }
            Ok(None) if self.required => checker.report(&place, "the parameter is required"),
            Ok(None) => {}
            Err(problem) => checker.report(&place, problem),
        }
    }
}

/// Checks the parameters of a request; those of the query that are not known are told if
/// `unknown` are refused.
pub(super) fn check(
    operation: &Operation,
    written: &Written<'_>,
    unknown: bool,
    checker: &mut Checker<'_>,
) {
    let parameters = &operation.parameters;
    let of_query = parameters
        .iter()
        .filter(|parameter| parameter.location == Location::Query);
    let names: HashSet<&str> = of_query.clone().map(|of| of.name.as_str()).collect();
    for parameter in parameters {
        parameter.check(&names, written, checker);
    }
    if !unknown || of_query.clone().any(Parameter::takes_the_rest) {
        return;
    }
    for name in written.query_names() {
        let deep = name.split_once('[').map_or("", |(start, _)| start);
        let mut known = of_query.clone();
        if !known.any(|of| of.name == name || of.style == Style::Deep && of.name == deep) {
            let place = Place::Root("/query");
            checker.report(&Place::Member(&place, name), "the parameter is not known");
        }
    }
}

fn shape(schemas: &Schemas, parameter: &Parameter) -> Result<Shape, &'static str> {
    let admits = schemas[parameter.schema].admits;
    let simple = Types::STRING.or(Types::NUMBER).or(Types::BOOLEAN);
    let shape = match (admits.meets(Types::ARRAY), admits.meets(Types::OBJECT)) {
        // What may be anything is a text.
        _ if admits.and(simple) == simple => Shape::Single,
        (false, false) => Shape::Single,
        (true, false) if !admits.meets(simple) => Shape::List,
        (false, true) if !admits.meets(simple) => Shape::Object,
        _ => {
            return Err("a parameter is a single value, a list or an object, not one or the other");
        }
    };
    match (parameter.style, shape, parameter.explode) {
        (Style::Json, ..) | (Style::Simple | Style::Form, Shape::Single, _) => Ok(shape),
        (Style::Simple, ..) => Ok(shape),
        (Style::Form, ..) if parameter.location == Location::Query => Ok(shape),
        (Style::Spaces | Style::Pipes, Shape::List, false) => Ok(shape),
        (Style::Deep, Shape::Object, true) => Ok(shape),
        _ => Err("the form by which the parameter is written is not supported for what it is"),
    }
}

/// The first thing that `find` finds in a schema, or in those that hold with it.
fn seek<T>(schemas: &Schemas, id: Id, find: &impl Fn(&Schema) -> Option<T>) -> Option<T> {
    let schema = &schemas[id];
    let rules = &schema.combined;
    let mut others = rules.all.iter().chain(&rules.any).chain(&rules.one);
    find(schema).or_else(|| others.find_map(|other| seek(schemas, *other, find)))
}

#[cfg(test)]
mod tests;
