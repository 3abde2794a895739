//! Keywords of numbers, texts, arrays and objects.

use regex::Regex;
use serde_json::Value;

use super::Reader;
use crate::validate::compile::Version;
use crate::validate::pattern;

impl Reader<'_, '_> {
    /// Of numbers and texts.
    pub(super) fn of_values(&mut self, name: &str, value: &Value) -> bool {
        match name {
            "minimum" if self.excludes("exclusiveMinimum") => {
                self.schema.number.above = self.number(name, value);
            }
            "maximum" if self.excludes("exclusiveMaximum") => {
                self.schema.number.below = self.number(name, value);
            }
            "minimum" => self.schema.number.least = self.number(name, value),
            "maximum" => self.schema.number.most = self.number(name, value),
            "exclusiveMinimum" | "exclusiveMaximum" if self.compiler.version == Version::Old => {
                let bound = name.replace("exclusiveM", "m");
                if self.flag(name, value) && !self.members.contains_key(&bound) {
                    self.wrong(name, "is about a bound that is not there");
                }
            }
            "exclusiveMinimum" => self.schema.number.above = self.number(name, value),
            "exclusiveMaximum" => self.schema.number.below = self.number(name, value),
            "multipleOf" => {
                let step = self.number(name, value);
                if step.is_some_and(|step| !step.is_positive()) {
                    self.wrong(name, "is more than 0");
                } else {
                    self.schema.number.step = step;
                }
            }
            "minLength" => self.schema.text.shortest = self.count(name, value),
            "maxLength" => self.schema.text.longest = self.count(name, value),
            "pattern" => {
                self.schema.text.pattern = match value {
                    Value::String(text) => self.pattern(name, text),
                    _ => {
                        self.wrong(name, "is a text");
                        None
                    }
                }
            }
            _ => return false,
        }
        true
    }

    pub(super) fn of_arrays(&mut self, name: &str, value: &Value) -> bool {
        match name {
            "items" => self.schema.array.items = Some(self.child(name)),
            "prefixItems" => self.schema.array.prefix = self.list(name, value),
            "contains" => self.schema.array.contains = Some(self.child(name)),
            "minContains" => self.schema.array.least_contained = self.count(name, value),
            "maxContains" => self.schema.array.most_contained = self.count(name, value),
            "minItems" => self.schema.array.least = self.count(name, value),
            "maxItems" => self.schema.array.most = self.count(name, value),
            "unevaluatedItems" => self.schema.array.unevaluated = Some(self.child(name)),
            "uniqueItems" => self.schema.array.unique = self.flag(name, value),
            _ => return false,
        }
        true
    }

    pub(super) fn of_objects(&mut self, name: &str, value: &Value) -> bool {
        match name {
            "properties" => {
                self.schema.object.properties = self.named(name, value);
                let names = value
                    .as_object()
                    .into_iter()
                    .flat_map(|members| members.keys());
                let hidden = names.filter(|member| self.is_read_only(member));
                let hidden: Vec<String> = hidden.cloned().collect();
                self.schema.read_only.extend(hidden);
            }
            "patternProperties" => {
                for (text, id) in self.named(name, value) {
                    let pattern = self.pattern(name, &text);
                    self.schema
                        .object
                        .patterns
                        .extend(pattern.map(|pattern| (pattern, id)));
                }
            }
            "additionalProperties" => self.schema.object.others = Some(self.child(name)),
            "propertyNames" => self.schema.object.names = Some(self.child(name)),
            "required" => self.schema.object.required = self.names(name, value),
            "dependentRequired" => {
                let Value::Object(lists) = value else {
                    self.wrong(name, "has lists of names by names");
                    return true;
                };
                for (member, list) in lists {
                    let list = self.names(name, list);
                    self.schema
                        .object
                        .required_with
                        .insert(member.clone(), list);
                }
            }
            "dependentSchemas" => self.schema.object.schema_with = self.named(name, value),
            "unevaluatedProperties" => self.schema.object.unevaluated = Some(self.child(name)),
            "minProperties" => self.schema.object.least = self.count(name, value),
            "maxProperties" => self.schema.object.most = self.count(name, value),
            _ => return false,
        }
        true
    }

    /// Whether a bound is not itself allowed, as OpenAPI 3.0 says it.
    fn excludes(&self, name: &str) -> bool {
        self.members.get(name) == Some(&Value::Bool(true))
    }

    fn pattern(&mut self, name: &str, text: &str) -> Option<Regex> {
        let compiled = pattern::compile(text);
        compiled
            .map_err(|problem| self.wrong(name, &format!("cannot be enforced: {problem}")))
            .ok()
    }

    /// Whether a member is `readOnly`, or what it refers to is.
    fn is_read_only(&self, member: &str) -> bool {
        let documents = self.compiler.documents;
        let place = format!("{}/properties/{}", self.at, super::step(member));
        let Some(Value::Object(own)) = documents.at(&place) else {
            return false;
        };
        let says = |members: &serde_json::Map<String, Value>| {
            members.get("readOnly") == Some(&Value::Bool(true))
        };
        // Where a reference leads nowhere is told where it is compiled.
        let target = |members: &serde_json::Map<String, Value>| {
            let reference = members.get("$ref")?.as_str()?;
            let target = documents.target(&place, reference).ok()?;
            documents.at(&target)?.as_object()
        };
        says(own) || target(own).is_some_and(says)
    }
}
