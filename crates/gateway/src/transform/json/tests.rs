use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn pointer(text: &str) -> Pointer {
    Pointer::new(text).expect("a pointer")
}

fn changed(document: &str, change: impl FnOnce(&mut Node<'_>)) -> String {
    let mut node = Node::read(document.as_bytes()).expect("JSON");
    change(&mut node);
    let mut out = String::new();
    node.write(&mut out);
    out
}

#[test]
fn what_is_not_named_stays_byte_for_byte() {
    let document = r#"{"z":1.10,"a":{"x":12345678901234567890123,"y":[ 1 ]},"n":null}"#;
    assert_eq!(changed(document, |_| ()), document);
    let out = changed(document, |node| {
        node.take(&pointer("/a/y"));
        node.set(&pointer("/b/c"), Node::value(String::from("true")))
            .expect("fits");
    });
    assert_eq!(
        out,
        r#"{"z":1.10,"a":{"x":12345678901234567890123},"n":null,"b":{"c":true}}"#
    );
}

#[test]
fn steps_are_escaped_as_the_standard_says() {
    let document = r#"{"a/b":1,"m~n":2,"":3,"~1":4}"#;
    for (at, left) in [
        ("/a~1b", json!({"m~n":2,"":3,"~1":4})),
        ("/m~0n", json!({"a/b":1,"":3,"~1":4})),
        ("/", json!({"a/b":1,"m~n":2,"~1":4})),
        ("/~01", json!({"a/b":1,"m~n":2,"":3})),
    ] {
        let out = changed(document, |node| drop(node.take(&pointer(at))));
        assert_eq!(
            serde_json::from_str::<Value>(&out).expect("JSON"),
            left,
            "{at}"
        );
    }
    for wrong in ["a", "/a~", "/a~2"] {
        assert!(Pointer::new(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn arrays_have_indices_and_an_end() {
    let one = || Node::value(String::from("9"));
    let set = |at: &str| {
        let mut node = Node::read(b"[1,[2]]").expect("JSON");
        node.set(&pointer(at), one()).map(|()| {
            let mut out = String::new();
            node.write(&mut out);
            out
        })
    };
    assert_eq!(set("/0").as_deref(), Ok("[9,[2]]"));
    assert_eq!(set("/-").as_deref(), Ok("[1,[2],9]"));
    assert_eq!(set("/1/1").as_deref(), Ok("[1,[2,9]]"));
    for misfit in ["/3", "/01", "/+1", "/-/a", "/a", "/0/a"] {
        assert_eq!(set(misfit), Err(Misfit), "{misfit}");
    }
}

#[test]
fn a_move_leaves_nothing_behind_and_nothing_is_not_moved() {
    let out = changed(r#"{"a":{"b":[1,2]},"c":0}"#, |node| {
        node.shift(&pointer("/a/b/0"), &pointer("/c"))
            .expect("fits");
        node.shift(&pointer("/nothing"), &pointer("/c"))
            .expect("fits");
    });
    assert_eq!(out, r#"{"a":{"b":[2]},"c":1}"#);
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z~/\"é]{0,4}".prop_map(Value::from),
    ];
    let tree = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c~/]{0,2}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("[a-c~/]{0,2}", tree, 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn escaped(step: &str) -> String {
    format!("/{}", step.replace('~', "~0").replace('/', "~1"))
}

proptest! {
    #[test]
    fn removing_what_was_set_anew_is_as_if_nothing_had_been(document in document(), value in document()) {
        let text = document.to_string();
        let out = changed(&text, |node| {
            let place = pointer("/new~1~0name");
            node.set(&place, Node::value(value.to_string())).expect("fits");
            node.take(&place);
        });
        prop_assert_eq!(out, text);
    }

    #[test]
    fn a_pointer_finds_what_serde_json_finds(document in document()) {
        let text = document.to_string();
        let Value::Object(members) = &document else { unreachable!("made so") };
        for (name, value) in members {
            let place = escaped(name);
            let mut node = Node::read(text.as_bytes()).expect("JSON");
            let taken = node.take(&pointer(&place)).expect("a member");
            let mut out = String::new();
            taken.write(&mut out);
            prop_assert_eq!(&serde_json::from_str::<Value>(&out).expect("JSON"), value);
            prop_assert_eq!(document.pointer(&place), Some(value));
            prop_assert!(node.take(&pointer(&place)).is_none());
        }
    }

    #[test]
    fn moving_there_and_back_keeps_every_value(document in document()) {
        let text = document.to_string();
        let Value::Object(members) = &document else { unreachable!("made so") };
        for name in members.keys() {
            let (here, there) = (pointer(&escaped(name)), pointer("/else/where"));
            let out = changed(&text, |node| {
                node.shift(&here, &there).expect("fits");
                node.shift(&there, &here).expect("fits");
                node.take(&pointer("/else"));
            });
            prop_assert_eq!(serde_json::from_str::<Value>(&out).expect("JSON"), document.clone());
        }
    }
}
