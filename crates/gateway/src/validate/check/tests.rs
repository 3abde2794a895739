//! Each keyword: what it lets through, and what it does not.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::validate::compile::{Compiler, Version};
use crate::validate::documents::Documents;

/// Compiles the schema at `/s` of a document.
fn compile(document: &Value, version: Version) -> (Schemas, Id) {
    let documents = Documents::from(document.clone());
    let mut compiler = Compiler::new(&documents, version);
    let id = compiler.schema(String::from("/s"));
    (compiler.finish().expect("a schema"), id)
}

/// The pointers of everything that is wrong with a value.
fn wrong(document: &Value, version: Version, value: &Value) -> Vec<String> {
    let (schemas, id) = compile(document, version);
    let mut checker = Checker::new(&schemas);
    checker.check(id, value, &Place::Root(""));
    let found = checker.found().into_iter();
    found.map(|violation| violation.pointer).collect()
}

/// Values that fit a schema, and values that do not, with where.
#[track_caller]
fn holds(version: Version, schema: Value, good: &[Value], bad: &[(Value, &[&str])]) {
    let document = json!({ "s": schema });
    for value in good {
        assert_eq!(
            wrong(&document, version, value),
            [""; 0],
            "{schema} takes {value}"
        );
    }
    for (value, places) in bad {
        assert_eq!(
            wrong(&document, version, value),
            *places,
            "{schema} and {value}"
        );
    }
}

const ROOT: &[&str] = &[""];

#[test]
fn types_and_values() {
    let new =
        |schema, good: &[Value], bad: &[(Value, &[&str])]| holds(Version::New, schema, good, bad);
    new(json!(true), &[json!(1), json!(null)], &[]);
    new(json!(false), &[], &[(json!(1), ROOT)]);
    new(
        json!({"type": "integer"}),
        &[json!(1), json!(1.0), json!(1e300)],
        &[(json!(1.5), ROOT), (json!("1"), ROOT), (json!(null), ROOT)],
    );
    new(
        json!({"type": ["string", "null"]}),
        &[json!("a"), json!(null)],
        &[(json!(1), ROOT), (json!({}), ROOT)],
    );
    new(
        json!({"type": "number"}),
        &[json!(1), json!(1.5)],
        &[(json!(true), ROOT)],
    );
    new(
        json!({"enum": ["a", 1, {"b": [2]}]}),
        &[json!("a"), json!(1.0), json!({"b": [2]})],
        &[(json!("b"), ROOT), (json!({"b": [3]}), ROOT)],
    );
    new(json!({"const": null}), &[json!(null)], &[(json!(0), ROOT)]);
    let old = json!({"type": "string", "nullable": true});
    holds(
        Version::Old,
        old,
        &[json!("a"), json!(null)],
        &[(json!(1), ROOT)],
    );
}

#[test]
fn numbers() {
    let new =
        |schema, good: &[Value], bad: &[(Value, &[&str])]| holds(Version::New, schema, good, bad);
    new(
        json!({"minimum": 1, "maximum": 9_007_199_254_740_993_u64}),
        &[json!(1), json!(9_007_199_254_740_993_u64), json!("0")],
        &[(json!(0.9), ROOT), (json!(9_007_199_254_740_994_u64), ROOT)],
    );
    new(
        json!({"exclusiveMinimum": 0, "exclusiveMaximum": 1}),
        &[json!(0.5)],
        &[(json!(0), ROOT), (json!(1), ROOT)],
    );
    new(
        json!({"multipleOf": 0.01}),
        &[json!(19.99)],
        &[(json!(19.995), ROOT)],
    );
    new(
        json!({"format": "int32"}),
        &[json!(-1), json!("x")],
        &[(json!(1_u64 << 31), ROOT)],
    );
    let old =
        json!({"minimum": 0, "exclusiveMinimum": true, "maximum": 5, "exclusiveMaximum": false});
    holds(
        Version::Old,
        old,
        &[json!(1), json!(5)],
        &[(json!(0), ROOT), (json!(6), ROOT)],
    );
}

#[test]
fn texts() {
    let new =
        |schema, good: &[Value], bad: &[(Value, &[&str])]| holds(Version::New, schema, good, bad);
    new(
        json!({"minLength": 2, "maxLength": 3}),
        &[json!("éé"), json!("日本語"), json!(1)],
        &[(json!("é"), ROOT), (json!("abcd"), ROOT)],
    );
    new(
        json!({"pattern": "^a+$"}),
        &[json!("aa"), json!(1)],
        &[(json!("ab"), ROOT)],
    );
    new(
        json!({"format": "uuid"}),
        &[json!(1)],
        &[(json!("x"), ROOT)],
    );
    new(json!({"format": "of-somebody"}), &[json!("x")], &[]);
}

#[test]
fn arrays() {
    let new =
        |schema, good: &[Value], bad: &[(Value, &[&str])]| holds(Version::New, schema, good, bad);
    new(
        json!({"items": {"type": "integer"}, "minItems": 1, "maxItems": 3}),
        &[json!([1, 2]), json!({})],
        &[
            (json!([]), ROOT),
            (json!([1, 2, 3, 4]), ROOT),
            (json!([1, "a", "b"]), &["/1", "/2"]),
        ],
    );
    new(
        json!({"minItems": 1.0, "maxItems": 1e1}),
        &[json!(vec![0; 10])],
        &[(json!([]), ROOT), (json!(vec![0; 11]), ROOT)],
    );
    new(
        json!({"prefixItems": [{"type": "string"}], "items": false}),
        &[json!(["a"]), json!([])],
        &[(json!([1]), &["/0"]), (json!(["a", 1]), &["/1"])],
    );
    new(
        json!({"uniqueItems": true}),
        &[json!([1, "1", [1], {"a": 1}])],
        &[
            (json!([1, 1.0]), &["/1"]),
            (json!([{"a": 1, "b": 2}, {"b": 2, "a": 1}]), &["/1"]),
        ],
    );
    new(
        json!({"contains": {"const": 1}}),
        &[json!([0, 1])],
        &[(json!([0]), ROOT)],
    );
    new(
        json!({"contains": {"const": 1}, "minContains": 0, "maxContains": 1}),
        &[json!([])],
        &[(json!([1, 1]), ROOT)],
    );
}

#[test]
fn objects() {
    let new =
        |schema, good: &[Value], bad: &[(Value, &[&str])]| holds(Version::New, schema, good, bad);
    new(
        json!({
            "required": ["a"], "properties": {"a": {"type": "string"}, "~/": {"type": "null"}},
            "patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": false,
        }),
        &[json!({"a": "", "x-1": 1}), json!([])],
        &[
            (json!({"b": 1}), &["/a", "/b"]),
            (
                json!({"a": 1, "x-1": "1", "~/": 0}),
                &["/a", "/x-1", "/~0~1"],
            ),
        ],
    );
    new(
        json!({"additionalProperties": {"type": "integer"}, "propertyNames": {"maxLength": 2}}),
        &[json!({"ab": 1})],
        &[(json!({"a": "1", "abc": 1}), &["/a", "/abc"])],
    );
    new(
        json!({"minProperties": 1, "maxProperties": 2}),
        &[json!({"a": 1})],
        &[(json!({}), ROOT), (json!({"a": 1, "b": 1, "c": 1}), ROOT)],
    );
    new(
        json!({
            "dependentRequired": {"a": ["b"]},
            "dependentSchemas": {"c": {"properties": {"d": {"type": "string"}}}},
        }),
        &[
            json!({"b": 1}),
            json!({"d": 1}),
            json!({"a": 1, "b": 1, "c": 1, "d": ""}),
        ],
        &[
            (json!({"a": 1}), &["/b"]),
            (json!({"c": 1, "d": 1}), &["/d"]),
        ],
    );
}

#[test]
fn combinations() {
    let new =
        |schema, good: &[Value], bad: &[(Value, &[&str])]| holds(Version::New, schema, good, bad);
    new(
        json!({"allOf": [{"minimum": 1}, {"maximum": 2}]}),
        &[json!(1)],
        &[(json!(0), ROOT), (json!(3), ROOT)],
    );
    new(
        json!({"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 1}, {"type": "array", "items": {"type": "null"}}]}),
        &[json!(null), json!(2), json!([])],
        // Of the forms, the one of its type tells what is wrong.
        &[(json!([1]), &["/0"]), (json!("a"), ROOT)],
    );
    new(
        json!({"oneOf": [{"multipleOf": 2}, {"multipleOf": 3}]}),
        &[json!(2), json!(3)],
        &[(json!(6), ROOT), (json!(5), ROOT)],
    );
    new(
        json!({"not": {"type": "string"}}),
        &[json!(1)],
        &[(json!("a"), ROOT)],
    );
    new(
        json!({"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}}),
        &[json!({"a": 1, "b": 1}), json!({"c": 1})],
        &[(json!({"a": 1}), &["/b"]), (json!({}), &["/c"])],
    );
}

#[test]
fn members_that_no_schema_has_looked_at() {
    let new =
        |schema, good: &[Value], bad: &[(Value, &[&str])]| holds(Version::New, schema, good, bad);
    // Where `additionalProperties` sees what stands beside it, this sees all that holds for the object.
    new(
        json!({
            "allOf": [{"properties": {"a": {"type": "integer"}}}],
            "patternProperties": {"^x-": true}, "unevaluatedProperties": false,
        }),
        &[json!({"a": 1, "x-b": 2}), json!(1)],
        &[
            (json!({"a": 1, "b": 2, "c": 3}), &["/b", "/c"]),
            // That nobody knows the others is not said of an object that is wrong already.
            (json!({"a": "1", "b": 2}), &["/a"]),
        ],
    );
    new(
        json!({"properties": {"a": true}, "unevaluatedProperties": {"type": "string"}}),
        &[json!({"a": 1, "b": "2"})],
        &[(json!({"a": 1, "b": 2}), &["/b"])],
    );
    // All forms that fit have looked, those that do not have not, nor has what is excluded.
    let forms = json!({
        "anyOf": [
            {"properties": {"a": {"const": 1}}, "required": ["a"]},
            {"properties": {"b": {"const": 2}}, "required": ["b"]},
            {"properties": {"c": {"const": 3}}},
        ],
        "not": {"properties": {"d": {"const": 4}}, "required": ["d", "e"]},
        "if": {"properties": {"f": {"const": 1}}, "required": ["f"]},
        "then": {"properties": {"g": true}},
        "else": {"properties": {"h": true}},
        "dependentSchemas": {"a": {"properties": {"i": true}}},
        "unevaluatedProperties": false,
    });
    new(
        forms,
        &[
            json!({"a": 1, "b": 2, "i": 5, "h": 6}),
            json!({"c": 3, "f": 1, "g": 1}),
        ],
        &[
            (json!({"a": 1, "b": 3}), &["/b"]),
            (json!({"b": 2, "i": 5, "d": 4}), &["/d", "/i"]),
            (json!({"c": 3, "f": 1, "h": 1}), &["/h"]),
            (json!({"c": 3, "f": 2, "g": 1}), &["/f", "/g"]),
        ],
    );
    // What lies in a member is another object; what has looked at all of one leaves nothing.
    new(
        json!({
            "properties": {"a": {"properties": {"b": true}}}, "unevaluatedProperties": false,
        }),
        &[json!({"a": {"b": 1, "c": 1}})],
        &[(json!({"a": {}, "b": 1}), &["/b"])],
    );
    new(
        json!({"allOf": [{"unevaluatedProperties": true}], "unevaluatedProperties": false}),
        &[json!({"a": 1})],
        &[],
    );
}

#[test]
fn items_that_no_schema_has_looked_at() {
    let new =
        |schema, good: &[Value], bad: &[(Value, &[&str])]| holds(Version::New, schema, good, bad);
    new(
        json!({
            "prefixItems": [true], "contains": {"type": "string"}, "minContains": 0,
            "unevaluatedItems": {"type": "null"},
        }),
        &[json!([1, "a", null]), json!({"a": 1})],
        &[(json!([1, 2, "a", 3]), &["/1", "/3"])],
    );
    new(
        json!({"anyOf": [{"items": true}, {"maxItems": 1}], "unevaluatedItems": false}),
        &[json!([1, 2, 3])],
        &[],
    );
}

#[test]
fn a_discriminator_picks_the_form_whose_mistakes_are_told() {
    let document = json!({
        "s": {
            "oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}],
            "discriminator": {"propertyName": "kind", "mapping": {"dog": "Dog"}},
        },
        "components": {"schemas": {
            "Cat": {"type": "object", "required": ["kind", "lives"], "properties": {"lives": {"type": "integer"}}},
            "Dog": {"type": "object", "required": ["kind", "tricks"], "properties": {"tricks": {"type": "array"}}},
        }},
    });
    let wrong = |value| wrong(&document, Version::New, &value);
    assert_eq!(wrong(json!({"kind": "Cat", "lives": 9})), [""; 0]);
    assert_eq!(wrong(json!({"kind": "Cat", "lives": "9"})), ["/lives"]);
    assert_eq!(wrong(json!({"kind": "dog"})), ["/tricks"]);
    assert_eq!(
        wrong(json!({"kind": "Dog"})),
        ["/kind"],
        "it is mapped to another name"
    );
    assert_eq!(wrong(json!({"lives": "9"})), ["/kind"]);
    assert_eq!(wrong(json!(1)), [""]);
}

#[test]
fn what_is_read_only_is_not_sent_and_not_missed() {
    let document = json!({
        "s": {"allOf": [
            {"$ref": "#/base"},
            {"required": ["id", "name"], "properties": {"name": {"type": "string"}}},
        ]},
        "base": {"required": ["id"], "properties": {"id": {"type": "string", "readOnly": true}}},
    });
    let wrong = |value| wrong(&document, Version::Old, &value);
    assert_eq!(wrong(json!({"name": "a"})), [""; 0]);
    assert_eq!(
        wrong(json!({"name": "a", "id": "1"})),
        ["/allOf/id".replace("/allOf", "")]
    );
    assert_eq!(wrong(json!({})), ["/name"]);
}

#[test]
fn schemas_may_go_round_in_circles() {
    let document = json!({
        "s": {"type": "object", "additionalProperties": false, "properties": {
            "next": {"$ref": "#/s"}, "all": {"items": {"$ref": "#/s"}},
        }},
    });
    let value = json!({"next": {"all": [{}, {"next": {"x": 1}}]}});
    assert_eq!(
        wrong(&document, Version::New, &value),
        ["/next/all/1/next/x"]
    );
}

#[test]
fn what_is_wrong_deep_inside_is_found_without_much_work() {
    let forms = json!({"oneOf": [{"type": "null"}, {"$ref": "#/object"}, {"$ref": "#/other"}]});
    let document = json!({
        "s": forms,
        "object": {"type": "object", "properties": {"a": {"$ref": "#/s"}}},
        "other": {"type": "array"},
    });
    let deep = (0..60).fold(json!(1), |inner, _| json!({ "a": inner }));
    assert_eq!(wrong(&document, Version::New, &deep), ["/a".repeat(60)]);
}

#[test]
fn forms_within_forms_are_told_apart_without_much_work() {
    let form = |kind: &str| {
        json!({
            "type": "object", "required": ["kind"],
            "properties": {"kind": {"const": kind}, "a": {"$ref": "#/s"}},
        })
    };
    let document = json!({
        "s": {
            "oneOf": [
                {"$ref": "#/components/schemas/Cat"},
                {"$ref": "#/components/schemas/Dog"},
            ],
            "discriminator": {"propertyName": "kind"},
        },
        "components": {"schemas": {"Cat": form("Cat"), "Dog": form("Dog")}},
    });
    let deep = |inner| (0..60).fold(inner, |inner, _| json!({"a": inner, "kind": "Dog"}));
    let good = deep(json!({"kind": "Cat"}));
    assert_eq!(wrong(&document, Version::New, &good), [""; 0]);
    let bad = deep(json!({"kind": "Cow"}));
    assert_eq!(
        wrong(&document, Version::New, &bad),
        ["/a".repeat(60) + "/kind"]
    );
}

#[test]
fn the_stack_is_deep_enough_for_the_deepest_value() {
    let within = (0..20).fold(
        json!({"additionalProperties": {"$ref": "#/s"}}),
        |inner, _| json!({"anyOf": [inner, {"type": "null"}]}),
    );
    let document = json!({"s": within});
    let deep = (0..120).fold(json!({}), |inner, _| json!({ "a": inner }));
    let (schemas, id) = compile(&document, Version::New);
    let mut checker = Checker::new(&schemas);
    checker.check(id, &deep, &Place::Root(""));
    let found = checker.found();
    assert!(found[0].detail.contains("too much work"), "{found:?}");
}

#[test]
fn the_work_and_what_is_told_are_bounded() {
    let many = json!({"s": {"items": {"type": "string"}}});
    let value = Value::from_iter(0..1000);
    assert_eq!(wrong(&many, Version::New, &value).len(), MOST);
    let strict = json!({"s": {"additionalProperties": false}});
    let members = (0..50).map(|number| (number.to_string(), json!(1)));
    let value = Value::Object(members.collect());
    assert_eq!(wrong(&strict, Version::New, &value).len(), MOST);
    // Each level is looked at twice: 2 to the power of 60.
    let twice = json!({"s": {"anyOf": [
        {"type": "array", "items": {"$ref": "#/s"}},
        {"type": "array", "items": {"$ref": "#/s"}, "maxItems": 1},
    ]}});
    let deep = (0..60).fold(json!(0), |inner, _| json!([inner]));
    let (schemas, id) = compile(&twice, Version::New);
    let mut checker = Checker::new(&schemas);
    checker.check(id, &deep, &Place::Root(""));
    let found = checker.found();
    assert_eq!(found.len(), 1);
    assert!(found[0].detail.contains("too much work"), "{found:?}");
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z~/é-]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        let members = prop::collection::btree_map("[a-dk]|kind|x-[a-z]", inner.clone(), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Value::from),
            members.prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn every_value_is_taken_or_told(value in any_value()) {
        let document = json!({
            "s": {
                "anyOf": [
                    {"type": ["integer", "number"], "multipleOf": 0.25, "minimum": -1e9, "exclusiveMaximum": 7},
                    {"type": "string", "maxLength": 3, "pattern": "^[a-z]", "format": "date-time"},
                    {"type": "array", "prefixItems": [{"$ref": "#/s"}], "items": {"$ref": "#/s"}, "uniqueItems": true},
                    {"oneOf": [{"$ref": "#/a"}, {"$ref": "#/b"}], "discriminator": {"propertyName": "kind"}},
                ],
                "not": {"const": 3},
            },
            "a": {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/s"}}, "patternProperties": {"^x-": {"$ref": "#/s"}}},
            "b": {"type": "object", "minProperties": 1, "allOf": [{"properties": {"a": true}}], "unevaluatedProperties": {"$ref": "#/s"}, "propertyNames": {"maxLength": 1}},
        });
        let (schemas, id) = compile(&document, Version::New);
        let mut checker = Checker::new(&schemas);
        let fits = checker.fits(id, &value);
        checker.check(id, &value, &Place::Root(""));
        let found = checker.found();
        prop_assert_eq!(fits, found.is_empty());
        for violation in found {
            prop_assert!(value.pointer(&violation.pointer).is_some() || !violation.pointer.is_empty());
        }
    }
}
