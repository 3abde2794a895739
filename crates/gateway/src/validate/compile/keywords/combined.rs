//! Keywords that bring other schemas for the same value.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Reader;
use crate::validate::schema::{Discriminator, Id};

/// Where the names of schemas are.
const SCHEMAS: &str = "#/components/schemas/";

impl Reader<'_, '_> {
    pub(super) fn combining(&mut self, name: &str, value: &Value) -> bool {
        match name {
            "$ref" => {
                if let Some(target) = self.compiler.target(self.at, value) {
                    let id = self.compiler.schema(target);
                    self.schema.combined.all.push(id);
                }
            }
            "allOf" => {
                let all = self.list(name, value);
                self.schema.combined.all.extend(all);
            }
            "anyOf" => self.schema.combined.any = self.list(name, value),
            "oneOf" => self.schema.combined.one = self.list(name, value),
            "not" => self.schema.combined.not = Some(self.child(name)),
            "if" => self.schema.combined.when = Some(self.child(name)),
            "then" => self.schema.combined.then = Some(self.child(name)),
            "else" => self.schema.combined.otherwise = Some(self.child(name)),
            "discriminator" => self.schema.combined.discriminator = self.discriminator(value),
            _ => return false,
        }
        true
    }

    /// It changes nothing about which values fit (OpenAPI 3.1, 4.8.25), only what is told of those
    /// that do not. Without forms beside it, it is for those that are made of this schema.
    fn discriminator(&mut self, value: &Value) -> Option<Discriminator> {
        let Some(property) = value.get("propertyName").and_then(Value::as_str) else {
            self.wrong("discriminator", "has a `propertyName`");
            return None;
        };
        let mut lists = ["oneOf", "anyOf"].into_iter().filter_map(|name| {
            let forms = self.members.get(name)?.as_array()?;
            Some((name, forms))
        });
        let (Some((name, forms)), None) = (lists.next(), lists.next()) else {
            return None;
        };
        let mut by_reference: BTreeMap<String, Id> = BTreeMap::new();
        for (index, form) in forms.iter().enumerate() {
            let id = self.compiler.schema(format!("{}/{name}/{index}", self.at));
            if let Some(reference) = form.get("$ref").and_then(Value::as_str) {
                by_reference.insert(reference.to_owned(), id);
            }
        }
        let mut known: BTreeMap<String, Id> = BTreeMap::new();
        let mapping = value.get("mapping").and_then(Value::as_object);
        for (name, reference) in mapping.into_iter().flatten() {
            let reference = reference.as_str().unwrap_or_default();
            let by_name = format!("{SCHEMAS}{reference}");
            match by_reference.get(reference).or(by_reference.get(&by_name)) {
                Some(id) => {
                    known.insert(name.clone(), *id);
                }
                None => {
                    let problem = format!("maps `{name}` to what is none of the forms beside it");
                    self.wrong("discriminator", &problem);
                }
            }
        }
        // Forms that are not mapped go by the names of their schemas.
        let mapped: Vec<Id> = known.values().copied().collect();
        for (reference, id) in by_reference {
            if let Some(name) = reference.strip_prefix(SCHEMAS)
                && !mapped.contains(&id)
            {
                known.insert(name.to_owned(), id);
            }
        }
        Some(Discriminator {
            property: property.to_owned(),
            forms: known,
        })
    }
}
