//! Parameters of a document, and requests that have them or not.

use std::path::Path;

use http::{Method, Request};
use serde_json::{Value, json};

use super::*;
use crate::validate::document::Asked;
use crate::validate::document::Document;
use crate::validate::documents::Documents;
use crate::validate::settings::ValidateSettings;

fn settings() -> ValidateSettings {
    toml::from_str("openapi = 'a.json'").expect("settings")
}

fn compile(parameters: Value) -> Result<Document, Vec<Wrong>> {
    let document = json!({
        "openapi": "3.1.0",
        "paths": {"/a/{id}": {
            "parameters": [{"in": "path", "name": "id", "required": true, "schema": {"type": "integer"}}],
            "get": {"parameters": parameters},
        }},
    });
    Document::compile(&Documents::from(document), &settings())
}

/// The pointers of what is wrong with a request for `target`.
fn wrong(document: &Document, target: &str, headers: &[(&'static str, &str)]) -> Vec<String> {
    let mut request = Request::get(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).expect("a request").into_parts();
    let Asked::Operation(operation, path) = document.find(&Method::GET, parts.uri.path()) else {
        panic!("{target} is not there");
    };
    let mut checker = Checker::new(&document.schemas);
    let written = Written::new(&operation.template, path, &parts);
    check(operation, &written, true, &mut checker);
    let found = checker.found().into_iter();
    found.map(|violation| violation.pointer).collect()
}

/// One parameter `x`, and the targets that fit and do not.
#[track_caller]
fn query(parameter: Value, good: &[&str], bad: &[(&str, &[&str])]) {
    let mut all = json!({"in": "query", "name": "x"});
    let own = parameter.as_object().cloned().unwrap_or_default();
    all.as_object_mut().expect("an object").extend(own);
    let document = compile(json!([all])).expect("a document");
    for query in good {
        let target = format!("/a/1?{query}");
        assert_eq!(
            wrong(&document, &target, &[]),
            [""; 0],
            "{parameter} {query}"
        );
    }
    for (query, places) in bad {
        let target = format!("/a/1?{query}");
        assert_eq!(
            wrong(&document, &target, &[]),
            *places,
            "{parameter} {query}"
        );
    }
}

#[test]
fn single_values_have_the_types_that_their_texts_stand_for() {
    let x: &[&str] = &["/query/x"];
    query(
        json!({"schema": {"type": "integer", "minimum": 1}}),
        &["", "x=1", "x=18446744073709551615"],
        &[
            ("x=0", x),
            ("x=a", x),
            ("x=", x),
            ("x=%201", x),
            ("x=1&x=2", x),
            ("y=1", &["/query/y"]),
        ],
    );
    query(
        json!({"schema": {"type": "boolean"}}),
        &["x=true"],
        &[("x=1", x), ("x=True", x)],
    );
    query(
        json!({"schema": {"type": "string", "maxLength": 3}, "required": true}),
        &["x=123", "x=%C3%A9%2B+", "x="],
        &[("x=1234", x), ("", x)],
    );
    query(
        json!({"schema": {"enum": ["1", "a"]}}),
        &["x=1", "x=a"],
        &[("x=b", x)],
    );
    query(
        json!({"schema": {"type": ["integer", "string"], "minLength": 2}}),
        &["x=1", "x=ab"],
        &[("x=a", x)],
    );
    query(
        json!({"schema": {"type": "integer"}, "allowEmptyValue": true}),
        &["x="],
        &[("x=a", x)],
    );
    query(json!({"schema": {}}), &["x=1", "x=a"], &[]);
}

#[test]
fn lists_and_objects_are_written_in_their_forms() {
    let list = json!({"type": "array", "maxItems": 2, "items": {"type": "integer"}});
    let of = |style: &str, explode: bool, schema: &Value| json!({"style": style, "explode": explode, "schema": schema});
    query(
        of("form", true, &list),
        &["x=1&x=2", ""],
        &[
            ("x=1,2", &["/query/x/0"]),
            ("x=1&x=a", &["/query/x/1"]),
            ("x=1&x=2&x=3", &["/query/x"]),
        ],
    );
    query(
        of("form", false, &list),
        &["x=1,2", "x=1%2C2"],
        &[("x=1&x=2", &["/query/x"]), ("x=1,", &["/query/x/1"])],
    );
    query(
        of("spaceDelimited", false, &list),
        &["x=1%202"],
        &[("x=1,2", &["/query/x/0"])],
    );
    query(
        of("pipeDelimited", false, &list),
        &["x=1|2"],
        &[("x=1|a", &["/query/x/1"])],
    );
    let object = json!({
        "type": "object", "additionalProperties": false, "required": ["a"],
        "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
    });
    query(
        of("deepObject", true, &object),
        &["", "x[a]=1&x[b]=1", "x%5Ba%5D=1"],
        &[
            ("x[b]=1", &["/query/x/a"]),
            ("x[a]=a", &["/query/x/a"]),
            ("x[a]=1&x[c]=1", &["/query/x/c"]),
            ("x[a]=1&x[a]=2", &["/query/x"]),
        ],
    );
    query(
        of("form", true, &object),
        &["a=1&b=c"],
        &[("b=1", &["/query/x/a"]), ("a=1&c=1", &["/query/x/c"])],
    );
    query(
        of("form", false, &object),
        &["x=a,1,b,c"],
        &[("x=a,b", &["/query/x/a"]), ("x=a", &["/query/x"])],
    );
    query(
        json!({"content": {"application/json": {"schema": object}}}),
        &["x=%7B%22a%22:1%7D"],
        &[("x=%7B%7D", &["/query/x/a"]), ("x=a", &["/query/x"])],
    );
}

#[test]
fn the_path_and_the_header_have_parameters_too() {
    let document = compile(json!([
        {"in": "header", "name": "X-Ids", "required": true, "schema": {"type": "array", "items": {"type": "integer"}}},
        {"in": "header", "name": "Authorization", "required": true, "schema": {"type": "integer"}},
        {"in": "cookie", "name": "seen", "schema": {"type": "boolean"}},
    ]));
    let document = document.expect("a document");
    let good: &[(&str, &str)] = &[
        ("x-ids", "1, 2"),
        ("x-ids", "3"),
        ("cookie", "a=b; seen=true"),
    ];
    assert_eq!(wrong(&document, "/a/1", good), [""; 0]);
    let bad: &[(&str, &str)] = &[("x-ids", "1, a"), ("cookie", "seen=2")];
    let told = ["/path/id", "/header/X-Ids/1", "/cookie/seen"];
    assert_eq!(wrong(&document, "/a/x%20y", bad), told);
    assert_eq!(wrong(&document, "/a/1", &[]), ["/header/X-Ids"]);
}

#[test]
fn what_cannot_be_read_is_told() {
    let refused = |parameter: Value, words: &str| {
        let told = compile(json!([parameter])).expect_err("wrong");
        let told: Vec<String> = told.iter().map(|wrong| wrong.told(Path::new(""))).collect();
        let here = "#/paths/~1a~1{id}/get";
        assert!(
            told.iter()
                .any(|told| told.starts_with(here) && told.contains(words)),
            "{parameter}: {told:?}"
        );
    };
    let string = json!({"type": "string"});
    refused(
        json!({"in": "path", "name": "no", "required": true, "schema": string}),
        "`no` is not both",
    );
    refused(
        json!({"in": "query", "name": "x"}),
        "one of `schema` and `content`",
    );
    refused(
        json!({"in": "body", "name": "x", "schema": string}),
        "path, query, header or cookie",
    );
    refused(json!({"in": "query", "schema": string}), "no `name`");
    refused(
        json!({"in": "query", "name": "x", "schema": string, "styel": "form"}),
        "`styel`",
    );
    refused(
        json!({"in": "query", "name": "x", "schema": string, "style": "matrix"}),
        "`style`",
    );
    let either = json!({"type": ["string", "array"]});
    refused(
        json!({"in": "query", "name": "x", "schema": either}),
        "one or the other",
    );
    let list = json!({"type": "array"});
    refused(
        json!({"in": "cookie", "name": "x", "schema": list}),
        "not supported for what it is",
    );
    refused(
        json!({"in": "query", "name": "x", "style": "deepObject", "schema": list}),
        "not supported",
    );
}

#[test]
fn what_is_misspelled_is_told() {
    let wrong = |item: Value| {
        let document = json!({"openapi": "3.1.0", "paths": {"/a": item, "/{b}": {}, "/{c}": {}}});
        let wrong = Document::compile(&Documents::from(document), &settings());
        let told = wrong.expect_err("wrong");
        let last = told.last().map(|wrong| wrong.told(Path::new("")));
        assert!(last.is_some_and(|last| last.contains("only in the names")));
        told.first().map(|wrong| wrong.told(Path::new("")))
    };
    for (item, told) in [
        (json!({"gett": {}}), "#/paths/~1a: `gett`"),
        (
            json!({"get": {"requestbody": {}}}),
            "#/paths/~1a/get: `requestbody`",
        ),
        (
            json!({"post": {"requestBody": {"contents": {}}}}),
            "#/paths/~1a/post/requestBody: `contents`",
        ),
        (
            json!({"post": {"servers": []}}),
            "#/paths/~1a/post: has `servers`",
        ),
        (
            json!({"post": {"parameters": {}}}),
            "#/paths/~1a/post: `parameters`",
        ),
    ] {
        let found = wrong(item).expect("something");
        assert!(found.starts_with(told), "{found}");
    }
}

#[test]
fn the_servers_path_stands_before_those_of_the_document() {
    let compile = |server: &str, more: &str| {
        let document = json!({
            "openapi": "3.0.3",
            "servers": [{"url": server, "variables": {"v": {"default": "v1"}}}],
            "paths": {"/a": {"get": {}}},
        });
        let settings: ValidateSettings =
            toml::from_str(&format!("openapi = 'a.json'\n{more}")).expect("settings");
        Document::compile(&Documents::from(document), &settings)
    };
    let has = |document: &Document, path: &str| {
        matches!(
            document.find(&Method::HEAD, path),
            Asked::Operation(_, "/a")
        )
    };
    for server in ["https://a.test/{v}/", "/v1", "https://a.test/v1"] {
        let document = compile(server, "").expect("a document");
        assert!(has(&document, "/v1/a") && !has(&document, "/a"), "{server}");
        assert!(!has(&document, "/v1"), "{server}");
    }
    assert!(has(
        &compile("https://a.test", "").expect("a document"),
        "/a"
    ));
    let moved = compile("https://a.test/v1", "base = '/shop'").expect("a document");
    assert!(has(&moved, "/shop/a") && !has(&moved, "/shopx/a"));
    assert!(compile("v1/{no}", "").is_err());
}
