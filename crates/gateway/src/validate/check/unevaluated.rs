//! Members and items that no schema for the same value has looked at: `unevaluatedProperties` and
//! `unevaluatedItems` (JSON Schema 2020-12, core, section 11).

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Checker, Place, Subject};
use crate::validate::schema::{Id, Schema};

/// What schemas have looked at of an object or an array.
#[derive(Debug, Clone, Default)]
pub(super) struct Evaluated {
    /// Whether that is all.
    all: bool,
    members: BTreeSet<String>,
    items: BTreeSet<usize>,
}

/// By what the rest of a value is checked, if the schema says so.
pub(super) fn wanted(schema: &Schema, value: &Value) -> Option<Id> {
    match value {
        Value::Object(_) => schema.object.unevaluated,
        Value::Array(_) => schema.array.unevaluated,
        _ => None,
    }
}

impl Checker<'_> {
    /// A member has a schema, which is looked at.
    pub(super) fn has_evaluated_member(&mut self, name: &str) {
        if let Some(evaluated) = &mut self.evaluated {
            evaluated.members.insert(name.to_owned());
        }
    }

    /// An item has a schema, which is looked at.
    pub(super) fn has_evaluated_item(&mut self, index: usize) {
        if let Some(evaluated) = &mut self.evaluated {
            evaluated.items.insert(index);
        }
    }

    /// Checks a value, and by `rest` what nobody has looked at then.
    pub(super) fn and_the_rest(&mut self, schema: &Schema, rest: Id, subject: Subject<'_>) {
        let before = self.found.len();
        let outer = self.evaluated.replace(Evaluated::default());
        self.structure(schema, subject);
        let evaluated = std::mem::replace(&mut self.evaluated, outer).unwrap_or_default();
        if let Some(outer) = &mut self.evaluated {
            outer.all = true;
        }
        // Who has none of the forms would hear of each member that it is not known.
        if evaluated.all || self.found.len() > before {
            return;
        }
        match subject.value {
            Value::Object(members) => {
                let unknown = |(name, _): &(&String, _)| !evaluated.members.contains(*name);
                for (name, value) in members.iter().filter(unknown) {
                    self.one_of_the_rest(rest, value, &Place::Member(subject.place, name));
                }
            }
            Value::Array(items) => {
                let unknown = |(index, _): &(usize, _)| !evaluated.items.contains(index);
                for (index, item) in items.iter().enumerate().filter(unknown) {
                    self.one_of_the_rest(rest, item, &Place::Item(subject.place, index));
                }
            }
            _ => {}
        }
    }

    fn one_of_the_rest(&mut self, rest: Id, value: &Value, place: &Place<'_>) {
        match place {
            Place::Member(..) if self.schemas[rest].nothing => {
                self.report(place, "the member is not known");
            }
            _ => self.check(rest, value, place),
        }
    }
}
