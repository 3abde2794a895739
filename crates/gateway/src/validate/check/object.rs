//! Objects.

use serde_json::{Map, Value};

use super::{Checker, Place, READ, Spared, Subject};
use crate::validate::schema::Schema;

impl Checker<'_> {
    pub(super) fn object(
        &mut self,
        schema: &Schema,
        members: &Map<String, Value>,
        subject: Subject<'_>,
    ) {
        let (rules, place) = (&schema.object, subject.place);
        if let Some(least) = rules.least.filter(|least| members.len() < *least) {
            self.report(place, format!("expected at least {least} members"));
        }
        if let Some(most) = rules.most.filter(|most| members.len() > *most) {
            // What is too large is not read further.
            return self.report(place, format!("expected at most {most} members"));
        }
        let spared = Spared {
            names: &schema.read_only,
            outer: subject.spared,
        };
        let with = rules.required_with.iter();
        let with = with.filter(|(name, _)| members.contains_key(*name));
        let required = rules.required.iter();
        for name in required.chain(with.flat_map(|(_, required)| required)) {
            if !members.contains_key(name) && !spared.has(name) {
                self.report(&Place::Member(place, name), "the member is required");
            }
        }
        // What tells forms apart is plain: looked at first, other forms are soon given up.
        for plain in [true, false] {
            let of_kind = |value: &Value| plain != (value.is_object() || value.is_array());
            for (name, value) in members.iter().filter(|(_, value)| of_kind(value)) {
                self.member(schema, (name, value), place);
            }
        }
        for (name, id) in &rules.schema_with {
            if members.contains_key(name) {
                self.subject(*id, subject);
            }
        }
    }

    fn member(&mut self, schema: &Schema, (name, value): (&str, &Value), place: &Place<'_>) {
        let (rules, place) = (&schema.object, &Place::Member(place, name));
        if let Some(id) = rules.names
            && !self.fits(id, &Value::from(name))
        {
            self.report(place, "the name of the member is not allowed");
        }
        let mut named = false;
        if let Some(id) = rules.properties.get(name) {
            named = true;
            if schema.read_only.contains(name) {
                return self.report(place, "the member is read-only");
            }
            self.check(*id, value, place);
        }
        for (pattern, id) in &rules.patterns {
            if self.take(name.len() / READ + 1) && pattern.is_match(name) {
                named = true;
                self.check(*id, value, place);
            }
        }
        if named || rules.others.is_some() {
            self.has_evaluated_member(name);
        }
        match rules.others {
            Some(id) if !named && self.schemas[id].nothing => {
                self.report(place, "the member is not known");
            }
            Some(id) if !named => self.check(id, value, place),
            _ => {}
        }
    }
}
