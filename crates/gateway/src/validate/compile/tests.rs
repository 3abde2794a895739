use proptest::prelude::*;
use serde_json::json;

use super::*;

/// What is wrong with the schema at `/s`.
fn wrong(document: Value, version: Version) -> Vec<String> {
    let documents = Documents::from(document);
    let mut compiler = Compiler::new(&documents, version);
    compiler.schema(String::from("/s"));
    let wrong = compiler.finish().err().unwrap_or_default();
    wrong
        .iter()
        .map(|wrong| wrong.told(Path::new("")))
        .collect()
}

#[track_caller]
fn refused(schema: Value, version: Version, place: &str, words: &str) {
    let told = wrong(json!({ "s": schema }), version);
    let found = told
        .iter()
        .any(|told| told.starts_with(&format!("#{place}: ")) && told.contains(words));
    assert!(found, "{schema}: {told:?}");
}

#[test]
fn what_cannot_be_enforced_is_told_by_name() {
    let new = |schema, place: &str, words: &str| refused(schema, Version::New, place, words);
    for name in [
        "$dynamicRef",
        "$anchor",
        "$id",
        "additionalItems",
        "minlength",
    ] {
        let place = format!("/s/{name}");
        new(
            json!({ name: false }),
            &place,
            &format!("`{name}` is no keyword"),
        );
    }
    new(
        json!({"properties": {"a/b": {"frobnicate": 1}}}),
        "/s/properties/a~1b/frobnicate",
        "no keyword",
    );
    new(json!({"nullable": true}), "/s/nullable", "null");
    new(
        json!({"$schema": "http://json-schema.org/draft-07/schema#"}),
        "/s/$schema",
        "dialect",
    );
    new(json!({"pattern": "(?=a)"}), "/s/pattern", "look-around");
    new(
        json!({"patternProperties": {"(": {}}}),
        "/s/patternProperties",
        "cannot be enforced",
    );
    let old = |schema, place: &str, words: &str| refused(schema, Version::Old, place, words);
    old(
        json!({"unevaluatedProperties": false}),
        "/s/unevaluatedProperties",
        "is no keyword of OpenAPI 3.0",
    );
    old(
        json!({"const": 1}),
        "/s/const",
        "is no keyword of OpenAPI 3.0",
    );
    old(json!({"type": ["string"]}), "/s/type", "is one of");
    old(json!({"type": "null"}), "/s/type", "is one of");
    old(
        json!({"$ref": "#/s", "nullable": true}),
        "/s/nullable",
        "allOf",
    );
    old(
        json!({"exclusiveMinimum": 1}),
        "/s/exclusiveMinimum",
        "true or false",
    );
    old(
        json!({"exclusiveMinimum": true}),
        "/s/exclusiveMinimum",
        "not there",
    );
}

#[test]
fn annotations_say_nothing() {
    let schema = json!({
        "title": "t", "description": "d", "default": 1, "example": 1, "deprecated": true,
        "externalDocs": {}, "xml": {}, "x-own": {"a": 1}, "writeOnly": true, "readOnly": false,
    });
    assert_eq!(wrong(json!({ "s": schema }), Version::Old), [""; 0]);
    let schema =
        json!({"examples": [1], "$comment": "c", "$defs": {}, "contentEncoding": "base64"});
    assert_eq!(wrong(json!({ "s": schema }), Version::New), [""; 0]);
}

#[test]
fn values_of_keywords_have_their_types() {
    let new = |schema, place: &str, words: &str| refused(schema, Version::New, place, words);
    new(json!(1), "/s", "a schema");
    new(json!({"type": "text"}), "/s/type", "is one of");
    new(json!({"type": []}), "/s/type", "is one of");
    new(json!({"enum": []}), "/s/enum", "a list");
    new(json!({"maxLength": -1}), "/s/maxLength", "0 or more");
    new(json!({"maxItems": 1.5}), "/s/maxItems", "0 or more");
    new(json!({"minItems": 1e30}), "/s/minItems", "0 or more");
    new(json!({"minimum": "1"}), "/s/minimum", "a number");
    new(json!({"multipleOf": 0}), "/s/multipleOf", "more than 0");
    new(json!({"required": [1]}), "/s/required", "names");
    new(json!({"properties": []}), "/s/properties", "by names");
    new(json!({"oneOf": {}}), "/s/oneOf", "a list of schemas");
    new(json!({"uniqueItems": 1}), "/s/uniqueItems", "true or false");
    new(
        json!({"discriminator": {}}),
        "/s/discriminator",
        "propertyName",
    );
    let mapped = json!({"propertyName": "k", "mapping": {"a": "A"}});
    new(
        json!({"oneOf": [true], "discriminator": mapped}),
        "/s/discriminator",
        "none of the forms",
    );
}

#[test]
fn references_lead_somewhere() {
    let new = |schema, place: &str, words: &str| refused(schema, Version::New, place, words);
    new(json!({"$ref": "#/no"}), "/s", "there is no `#/no`");
    new(json!({"$ref": "other.json#/a"}), "/s", "was not read");
    new(json!({"$ref": "#/s"}), "/s", "refers to itself");
    new(
        json!({"allOf": [{"not": {"$ref": "#/s"}}]}),
        "/s",
        "refers to itself",
    );
    new(
        json!({"allOf": [{"type": "string"}, {"type": "object"}]}),
        "/s",
        "no value",
    );
    let escaped = json!({"s": {"$ref": "#/a~1b%20c"}, "a/b c": {"type": "string"}});
    assert_eq!(wrong(escaped, Version::New), [""; 0]);
    let deep = (0..100).fold(json!({}), |inner, _| json!({"allOf": [inner]}));
    assert_eq!(wrong(json!({ "s": deep }), Version::New).len(), 1);
}

const KEYWORDS: &str = "type enum const nullable format minimum exclusiveMaximum multipleOf \
    maxLength pattern items prefixItems uniqueItems contains required properties \
    patternProperties additionalProperties propertyNames unevaluatedProperties unevaluatedItems dependentRequired dependentSchemas $ref allOf oneOf \
    not if then discriminator propertyName mapping readOnly a";

fn any_schema() -> impl Strategy<Value = Value> {
    let keywords: Vec<&str> = KEYWORDS.split(' ').collect();
    let keyword = prop::sample::select(keywords);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![
            "string",
            "object",
            "#/s",
            "#/s/properties/a",
            "^a",
            "uuid",
            "a"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 5, move |inner| {
        let members = prop::collection::btree_map(
            keyword.clone().prop_map(str::to_owned),
            inner.clone(),
            0..5,
        );
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            members.prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn every_document_is_taken_or_told(schema in any_schema(), old: bool) {
        let version = if old { Version::Old } else { Version::New };
        let document = json!({ "s": schema });
        let documents = Documents::from(document.clone());
        let mut compiler = Compiler::new(&documents, version);
        let id = compiler.schema(String::from("/s"));
        if let Ok(schemas) = compiler.finish() {
            // A schema is a value as good as any.
            let mut checker = crate::validate::check::Checker::new(&schemas);
            checker.check(id, &document["s"], &crate::validate::check::Place::Root(""));
            prop_assert!(checker.found().len() <= 20);
        }
    }
}
