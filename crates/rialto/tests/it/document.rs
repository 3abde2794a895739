//! The OpenAPI document that is checked in is the one that the code makes.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::sources::root;

#[test]
fn the_document_is_up_to_date() {
    let mut made = rialto::openapi().to_pretty_json().expect("plain data");
    made.push('\n');
    let kept = std::fs::read_to_string(root().join("openapi/rialto.json")).unwrap_or_default();
    assert!(
        made == kept,
        "it is not: cargo run -- openapi > openapi/rialto.json"
    );
}

/// Every `$ref` of a document.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(
                fields
                    .get("$ref")
                    .and_then(|name| Some(name.as_str()?.to_owned())),
            );
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn whatever_it_refers_to_is_in_it() {
    let document = serde_json::to_value(rialto::openapi()).expect("plain data");
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 50, "{found:?}");
    for reference in found {
        let pointer = reference.trim_start_matches('#');
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} leads nowhere"
        );
    }
}
