//! Schemas for the same value: all of them, any, one, or none.

use serde_json::Value;

use super::{Checker, Place, Spared, Subject};
use crate::validate::schema::{Combined, Id, Schema, Types};

impl Checker<'_> {
    pub(super) fn combined(&mut self, schema: &Schema, subject: Subject<'_>) {
        let spared = Spared {
            names: &schema.read_only,
            outer: subject.spared,
        };
        let subject = Subject {
            spared: Some(&spared),
            ..subject
        };
        let rules = &schema.combined;
        for id in &rules.all {
            self.subject(*id, subject);
        }
        if !rules.any.is_empty() {
            self.form(&rules.any, false, rules, subject);
        }
        if !rules.one.is_empty() {
            self.form(&rules.one, true, rules, subject);
        }
        if let Some(id) = rules.not
            && self.subject_fits(id, subject)
        {
            self.report(subject.place, "the value has a form that is excluded");
        }
        if let Some(id) = rules.when {
            let branch = if self.subject_fits(id, subject) {
                rules.then
            } else {
                rules.otherwise
            };
            if let Some(id) = branch {
                self.subject(id, subject);
            }
        }
    }

    /// Checks that a value has one of these forms, and no other one if they exclude each other.
    fn form(&mut self, forms: &[Id], exclusive: bool, rules: &Combined, subject: Subject<'_>) {
        let is = Types::of(subject.value);
        let schemas = self.schemas;
        let of_type = forms.iter().filter(|id| schemas[**id].admits.meets(is));
        let of_type: Vec<Id> = of_type.copied().collect();
        if let [only] = of_type[..] {
            // What is wrong with it is what is wrong with the value.
            return self.subject(only, subject);
        }
        // Two are too many, or one is enough, unless all that fit say what they have looked at.
        let enough = match (exclusive, &self.evaluated) {
            (true, _) => 2,
            (false, None) => 1,
            (false, Some(_)) => usize::MAX,
        };
        let fitting = of_type.iter().filter(|id| self.subject_fits(**id, subject));
        match fitting.take(enough).count() {
            0 => self.fits_none(forms.len(), rules, subject),
            2.. if exclusive => {
                let detail = "the value has more than one of the forms that exclude each other";
                self.report(subject.place, detail);
            }
            _ => {}
        }
    }

    /// Tells why a value has none of some forms: what is wrong with the one that it is meant to have,
    /// if it says that.
    fn fits_none(&mut self, forms: usize, rules: &Combined, subject: Subject<'_>) {
        let detail = format!("the value has none of the {forms} allowed forms");
        let (Some(told), Value::Object(members), false) =
            (&rules.discriminator, subject.value, self.is_silent())
        else {
            return self.report(subject.place, detail);
        };
        let place = Place::Member(subject.place, &told.property);
        let Some(kind) = members.get(&told.property) else {
            return self.report(&place, "the member is required");
        };
        match kind.as_str().and_then(|kind| told.forms.get(kind)) {
            Some(id) => self.subject(*id, subject),
            None => {
                let names: Vec<&str> = told.forms.keys().map(String::as_str).collect();
                self.report(&place, format!("expected one of {}", names.join(", ")));
            }
        }
    }
}
