//! What is known of schemas only when those are known that they refer to for the same value.

use serde_json::Value;

use super::Wrong;
use crate::validate::schema::{Combined, Id, Schema, Types};

/// The most schemas, one within the other, for one value.
const DEEPEST: usize = 64;

/// Works out what each schema admits, and which members are read-only. Schemas that refer to
/// themselves for the same value have no meaning, and those that no value fits are a mistake.
pub(super) fn settle(schemas: &mut [Schema], places: &[String], wrong: &mut Vec<Wrong>) {
    let order = match order(schemas) {
        Ok(order) => order,
        Err(id) => {
            wrong.push(Wrong {
                place: places[id.0].clone(),
                problem: String::from("the schema refers to itself for the same value"),
            });
            return;
        }
    };
    let mut heights = vec![0; schemas.len()];
    for id in order {
        let below = schemas[id.0].in_place().map(|other| heights[other.0] + 1);
        heights[id.0] = below.max().unwrap_or_default();
        let admits = admits(schemas, id);
        let all = schemas[id.0].combined.all.clone();
        for other in all {
            let more = schemas[other.0].read_only.clone();
            schemas[id.0].read_only.extend(more);
        }
        let schema = &mut schemas[id.0];
        schema.admits = admits;
        if heights[id.0] == DEEPEST {
            wrong.push(Wrong {
                place: places[id.0].clone(),
                problem: format!(
                    "more than {DEEPEST} schemas, one within the other, for one value"
                ),
            });
        }
        if admits == Types::NONE && !schema.nothing {
            wrong.push(Wrong {
                place: places[id.0].clone(),
                problem: String::from("no value can be of all the types that are asked for"),
            });
        }
    }
}

/// The types of the values that may fit.
fn admits(schemas: &[Schema], id: Id) -> Types {
    let schema = &schemas[id.0];
    if schema.nothing {
        return Types::NONE;
    }
    let of = |values: &[Value]| {
        let types = values.iter().map(Types::of);
        types.fold(Types::NONE, Types::or)
    };
    let Combined { all, any, one, .. } = &schema.combined;
    let of_any = |forms: &[Id]| {
        let types = forms.iter().map(|form| schemas[form.0].admits);
        types.fold(Types::NONE, Types::or)
    };
    let own = [
        schema.types,
        schema.values.as_deref().map(of),
        schema.constant.as_ref().map(std::slice::from_ref).map(of),
        (!any.is_empty()).then(|| of_any(any)),
        (!one.is_empty()).then(|| of_any(one)),
    ];
    let all = all.iter().map(|other| schemas[other.0].admits);
    own.into_iter()
        .flatten()
        .chain(all)
        .fold(Types::ALL, Types::and)
}

/// An order in which schemas come after those that they refer to for the same value; or one that
/// refers to itself.
fn order(schemas: &[Schema]) -> Result<Vec<Id>, Id> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; schemas.len()];
    let mut order = Vec::with_capacity(schemas.len());
    let mut stack: Vec<Id> = (0..schemas.len()).rev().map(Id).collect();
    while let Some(id) = stack.pop() {
        match marks[id.0] {
            Mark::Done => {}
            Mark::Open => {
                marks[id.0] = Mark::Done;
                order.push(id);
            }
            Mark::New => {
                marks[id.0] = Mark::Open;
                stack.push(id);
                for other in schemas[id.0].in_place() {
                    match marks[other.0] {
                        Mark::Open => return Err(other),
                        Mark::New => stack.push(other),
                        Mark::Done => {}
                    }
                }
            }
        }
    }
    Ok(order)
}
