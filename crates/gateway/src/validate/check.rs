//! Whether a value is what a schema says, and where it is not.

mod array;
mod combined;
mod object;
mod unevaluated;

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Number, Value};

use self::unevaluated::Evaluated;
use super::number::Decimal;
use super::schema::{Id, Schema, Schemas, Types};
use super::value::equal;

/// The most violations that are told.
pub(super) const MOST: usize = 20;
/// The most schemas that are looked at for one value; several for each member of what is sent.
const STEPS: u32 = 1 << 20;
/// The deepest nesting of schemas for one value; documents have 128 levels at most.
const DEEPEST: usize = 512;
/// Bytes that a pattern reads in a step.
const READ: usize = 64;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// A JSON pointer.
    pub(super) pointer: String,
    pub(super) detail: String,
}

/// The way to a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    Root(&'a str),
    Member(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

/// As a JSON pointer (RFC 6901).
impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(root) => f.write_str(root),
            Self::Member(outer, name) => write!(f, "{outer}/{}", step(name)),
            Self::Item(outer, index) => write!(f, "{outer}/{index}"),
        }
    }
}

/// A name as a step of a pointer.
pub(super) fn step(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Members that need not be there although they are `required`, because requests must not have them.
#[derive(Debug, Clone, Copy)]
struct Spared<'a> {
    names: &'a BTreeSet<String>,
    outer: Option<&'a Self>,
}

impl Spared<'_> {
    fn has(&self, name: &str) -> bool {
        self.names.contains(name) || self.outer.is_some_and(|outer| outer.has(name))
    }
}

/// A value, where it is, and what is spared of it.
#[derive(Debug, Clone, Copy)]
struct Subject<'a> {
    value: &'a Value,
    place: &'a Place<'a>,
    spared: Option<&'a Spared<'a>>,
}

/// Checks the values of one request.
#[derive(Debug)]
pub(super) struct Checker<'s> {
    schemas: &'s Schemas,
    steps: u32,
    depth: usize,
    most: usize,
    found: Vec<Violation>,
    /// What of the value was looked at, if a schema wants to know.
    evaluated: Option<Evaluated>,
}

impl<'s> Checker<'s> {
    pub(super) fn new(schemas: &'s Schemas) -> Self {
        Self {
            schemas,
            steps: STEPS,
            depth: 0,
            most: MOST,
            found: Vec::new(),
            evaluated: None,
        }
    }

    pub(super) fn schemas(&self) -> &'s Schemas {
        self.schemas
    }

    /// What was wrong.
    pub(super) fn found(mut self) -> Vec<Violation> {
        if self.steps == 0 {
            // Whatever else was found may not be so: what was not looked at counted as wrong.
            self.found = vec![Violation {
                pointer: String::new(),
                detail: String::from("it takes too much work to check the request"),
            }];
        }
        self.found
    }

    /// Tells what is wrong.
    pub(super) fn report(&mut self, place: &Place<'_>, detail: impl Into<String>) {
        if self.found.len() < self.most {
            self.found.push(Violation {
                pointer: place.to_string(),
                detail: detail.into(),
            });
        }
    }

    /// Checks a value, which is at `place`.
    pub(super) fn check(&mut self, id: Id, value: &Value, place: &Place<'_>) {
        let spared = None;
        let subject = Subject {
            value,
            place,
            spared,
        };
        self.apart(|checker| checker.subject(id, subject));
    }

    /// Looks at another value than that of which is noted what was evaluated.
    fn apart<R>(&mut self, look: impl FnOnce(&mut Self) -> R) -> R {
        let outer = self.evaluated.take();
        let looked = look(self);
        self.evaluated = outer;
        looked
    }

    /// Whether a value is what the schema says; nothing is told.
    pub(super) fn fits(&mut self, id: Id, value: &Value) -> bool {
        let place = &Place::Root("");
        let spared = None;
        let subject = Subject {
            value,
            place,
            spared,
        };
        self.apart(|checker| checker.subject_fits(id, subject))
    }

    fn subject_fits(&mut self, id: Id, subject: Subject<'_>) -> bool {
        let found = std::mem::take(&mut self.found);
        let most = std::mem::replace(&mut self.most, 1);
        let evaluated = self.evaluated.clone();
        self.subject(id, subject);
        self.most = most;
        let fits = std::mem::replace(&mut self.found, found).is_empty();
        if !fits {
            // What does not fit says nothing of the value.
            self.evaluated = evaluated;
        }
        fits
    }

    /// Whether nobody will be told what is wrong, only that something is.
    fn is_silent(&self) -> bool {
        self.most < MOST
    }

    /// Takes steps; false if there are none left.
    fn take(&mut self, steps: usize) -> bool {
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        self.steps = self.steps.saturating_sub(steps);
        self.steps > 0
    }

    fn subject(&mut self, id: Id, subject: Subject<'_>) {
        if self.found.len() >= self.most {
            return;
        }
        if self.depth >= DEEPEST {
            self.steps = 0;
        }
        if !self.take(1) {
            return self.report(subject.place, "not looked at");
        }
        self.depth += 1;
        let schemas = self.schemas;
        self.rules(&schemas[id], subject);
        self.depth -= 1;
    }

    fn rules(&mut self, schema: &Schema, subject: Subject<'_>) {
        let Subject { value, place, .. } = subject;
        if schema.nothing {
            return self.report(place, "nothing may be here");
        }
        let is = Types::of(value);
        if let Some(types) = schema.types
            && !types.meets(is)
        {
            return self.report(place, format!("expected {types}, not {is}"));
        }
        self.values(schema, value, place);
        match unevaluated::wanted(schema, value) {
            Some(rest) => self.and_the_rest(schema, rest, subject),
            None => self.structure(schema, subject),
        }
    }

    /// What lies within the value, and other schemas for it.
    fn structure(&mut self, schema: &Schema, subject: Subject<'_>) {
        let place = subject.place;
        match subject.value {
            Value::Number(number) => self.number(schema, number, place),
            Value::String(text) => self.text(schema, text, place),
            Value::Array(items) => self.array(&schema.array, items, place),
            Value::Object(members) => self.object(schema, members, subject),
            Value::Null | Value::Bool(_) => {}
        }
        self.combined(schema, subject);
    }

    fn values(&mut self, schema: &Schema, value: &Value, place: &Place<'_>) {
        let same = |other: &Value| equal(value, other);
        if let Some(values) = &schema.values
            && !(self.take(values.len() / 16) && values.iter().any(same))
        {
            self.report(place, format!("expected {}", one_of(values)));
        }
        if let Some(constant) = &schema.constant
            && !same(constant)
        {
            let only = std::slice::from_ref(constant);
            self.report(place, format!("expected {}", one_of(only)));
        }
    }

    fn number(&mut self, schema: &Schema, value: &Number, place: &Place<'_>) {
        let (number, rules) = (Decimal::new(value), &schema.number);
        if let Some(least) = rules.least.filter(|least| number < *least) {
            self.report(place, format!("expected at least {least}"));
        }
        if let Some(above) = rules.above.filter(|above| number <= *above) {
            self.report(place, format!("expected more than {above}"));
        }
        if let Some(most) = rules.most.filter(|most| number > *most) {
            self.report(place, format!("expected at most {most}"));
        }
        if let Some(below) = rules.below.filter(|below| number >= *below) {
            self.report(place, format!("expected less than {below}"));
        }
        if let Some(step) = rules.step.filter(|step| !number.is_multiple_of(*step)) {
            self.report(place, format!("expected a multiple of {step}"));
        }
        if let Some(format) = schema.format
            && !format.holds_number(number)
        {
            self.report(place, format!("expected {}", format.expected()));
        }
    }

    fn text(&mut self, schema: &Schema, text: &str, place: &Place<'_>) {
        let rules = &schema.text;
        if rules.shortest.is_some() || rules.longest.is_some() {
            let length = text.chars().count();
            if let Some(shortest) = rules.shortest.filter(|shortest| length < *shortest) {
                self.report(place, format!("expected at least {shortest} characters"));
            }
            if let Some(longest) = rules.longest.filter(|longest| length > *longest) {
                // What is too long is not read further.
                return self.report(place, format!("expected at most {longest} characters"));
            }
        }
        if let Some(pattern) = &rules.pattern
            && !(self.take(text.len() / READ) && pattern.is_match(text))
        {
            self.report(place, "the text does not match its pattern");
        }
        if let Some(format) = schema.format
            && !format.holds_text(text)
        {
            self.report(place, format!("expected {}", format.expected()));
        }
    }
}

/// The values that are allowed, the first of them.
fn one_of(values: &[Value]) -> String {
    const SHOWN: usize = 10;
    let mut told: Vec<String> = values.iter().take(SHOWN).map(Value::to_string).collect();
    if values.len() > SHOWN {
        told.push(format!("{} more", values.len() - SHOWN));
    }
    match &told[..] {
        [one] => one.clone(),
        _ => format!("one of {}", told.join(", ")),
    }
}

#[cfg(test)]
mod tests;
