//! The OpenAPI document that is checked in is the one that the code makes.

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
