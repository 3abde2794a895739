//! Schemas, compiled: references are places in one list, so that they may go round in circles.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Index;

use regex::Regex;
use serde_json::Value;

use super::format::Format;
use super::number::Decimal;

/// The place of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id(pub(super) usize);

/// All schemas of a document that requests are checked by.
#[derive(Debug, Default)]
pub(super) struct Schemas(pub(super) Vec<Schema>);

impl Index<Id> for Schemas {
    type Output = Schema;

    fn index(&self, id: Id) -> &Schema {
        &self.0[id.0]
    }
}

/// What a value must be. Everything holds at once.
#[derive(Debug, Default)]
pub(super) struct Schema {
    /// `false`: no value fits.
    pub(super) nothing: bool,
    pub(super) types: Option<Types>,
    /// `enum`.
    pub(super) values: Option<Vec<Value>>,
    /// `const`.
    pub(super) constant: Option<Value>,
    pub(super) format: Option<Format>,
    pub(super) number: NumberRules,
    pub(super) text: TextRules,
    pub(super) array: ArrayRules,
    pub(super) object: ObjectRules,
    pub(super) combined: Combined,
    /// The types that it leaves, with what it refers to.
    pub(super) admits: Types,
    /// Members that it, or what must hold with it, calls `readOnly`.
    pub(super) read_only: BTreeSet<String>,
}

/// Rules of numbers.
#[derive(Debug, Default)]
pub(super) struct NumberRules {
    pub(super) least: Option<Decimal>,
    pub(super) most: Option<Decimal>,
    /// `exclusiveMinimum`.
    pub(super) above: Option<Decimal>,
    /// `exclusiveMaximum`.
    pub(super) below: Option<Decimal>,
    pub(super) step: Option<Decimal>,
}

/// Rules of texts; lengths are in characters.
#[derive(Debug, Default)]
pub(super) struct TextRules {
    pub(super) shortest: Option<usize>,
    pub(super) longest: Option<usize>,
    pub(super) pattern: Option<Regex>,
}

/// Rules of arrays.
#[derive(Debug, Default)]
pub(super) struct ArrayRules {
    /// Of the first items.
    pub(super) prefix: Vec<Id>,
    /// Of all others.
    pub(super) items: Option<Id>,
    pub(super) contains: Option<Id>,
    pub(super) least_contained: Option<usize>,
    pub(super) most_contained: Option<usize>,
    pub(super) least: Option<usize>,
    pub(super) most: Option<usize>,
    pub(super) unique: bool,
    /// Of items that neither these rules nor other schemas for the same value have looked at.
    pub(super) unevaluated: Option<Id>,
}

/// Rules of objects.
#[derive(Debug, Default)]
pub(super) struct ObjectRules {
    pub(super) properties: BTreeMap<String, Id>,
    pub(super) patterns: Vec<(Regex, Id)>,
    /// Of members that neither `properties` nor `patterns` name.
    pub(super) others: Option<Id>,
    pub(super) names: Option<Id>,
    pub(super) required: Vec<String>,
    pub(super) required_with: BTreeMap<String, Vec<String>>,
    /// What must hold if a member is there.
    pub(super) schema_with: BTreeMap<String, Id>,
    pub(super) least: Option<usize>,
    pub(super) most: Option<usize>,
    /// Of members that neither these rules nor other schemas for the same value have looked at.
    pub(super) unevaluated: Option<Id>,
}

/// Other schemas for the same value.
#[derive(Debug, Default)]
pub(super) struct Combined {
    /// `$ref` and `allOf`.
    pub(super) all: Vec<Id>,
    pub(super) any: Vec<Id>,
    pub(super) one: Vec<Id>,
    pub(super) not: Option<Id>,
    pub(super) when: Option<Id>,
    pub(super) then: Option<Id>,
    pub(super) otherwise: Option<Id>,
    pub(super) discriminator: Option<Discriminator>,
}

/// Which form a value is meant to have, to tell what is wrong with it.
#[derive(Debug)]
pub(super) struct Discriminator {
    pub(super) property: String,
    pub(super) forms: BTreeMap<String, Id>,
}

impl Schema {
    /// The schemas that are looked at for the same value.
    pub(super) fn in_place(&self) -> impl Iterator<Item = Id> {
        let Combined {
            all,
            any,
            one,
            not,
            when,
            then,
            otherwise,
            ..
        } = &self.combined;
        let with = self.object.schema_with.values();
        let lists = all.iter().chain(any).chain(one).chain(with);
        let others = [not, when, then, otherwise].into_iter().flatten();
        lists.chain(others).copied()
    }
}

/// A set of types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub(super) const NONE: Self = Self(0);
    pub(super) const NULL: Self = Self(1);
    pub(super) const BOOLEAN: Self = Self(2);
    pub(super) const INTEGER: Self = Self(4);
    /// Integers are numbers.
    pub(super) const NUMBER: Self = Self(4 | 8);
    pub(super) const STRING: Self = Self(16);
    pub(super) const ARRAY: Self = Self(32);
    pub(super) const OBJECT: Self = Self(64);
    pub(super) const ALL: Self = Self(127);

    const NAMES: [(Self, &str, &str); 7] = [
        (Self::NULL, "null", "null"),
        (Self::BOOLEAN, "boolean", "a boolean"),
        (Self::NUMBER, "number", "a number"),
        (Self::INTEGER, "integer", "an integer"),
        (Self::STRING, "string", "a string"),
        (Self::ARRAY, "array", "an array"),
        (Self::OBJECT, "object", "an object"),
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        let found = Self::NAMES.iter().find(|(_, known, _)| *known == name);
        found.map(|(types, ..)| *types)
    }

    /// The type of a value.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(number) if Decimal::new(number).is_integer() => Self::INTEGER,
            // Without those that are integers: what takes only integers does not take it.
            Value::Number(_) => Self(8),
            Value::String(_) => Self::STRING,
            Value::Array(_) => Self::ARRAY,
            Value::Object(_) => Self::OBJECT,
        }
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the two have a type in common.
    pub(super) fn meets(self, other: Self) -> bool {
        self.and(other) != Self::NONE
    }
}

/// `none` would be the natural start, but a schema that says nothing admits everything.
impl Default for Types {
    fn default() -> Self {
        Self::ALL
    }
}

/// For people: `a string or null`.
impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0;
        let mut first = true;
        for (types, _, told) in Self::NAMES {
            if left & types.0 == types.0 {
                f.write_str(if first { "" } else { " or " })?;
                f.write_str(told)?;
                (left, first) = (left & !types.0, false);
            }
        }
        // A number that is no integer.
        if left != 0 {
            f.write_str("a number")?;
        }
        Ok(())
    }
}
