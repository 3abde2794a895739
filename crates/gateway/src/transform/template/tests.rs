use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOWHERE: Scope<'static> = Scope {
    captures: &[],
    response: false,
};

fn about(body: &serde_json::Value) -> Value {
    let facts = Facts {
        body: Some(body),
        ..Facts::default()
    };
    facts.context()
}

fn wrong(source: &str) -> String {
    let engine = &mut Engine::new();
    engine
        .text(source, NOWHERE)
        .expect_err("refused when loaded")
}

#[test]
fn what_does_not_exist_is_told_when_it_is_loaded() {
    for (source, told) in [
        ("{{ requst.path }}", "there is no `requst"),
        ("{{ request.hedaers.x }}", "`request` has no `hedaers`"),
        ("{{ request.captures.id }}", "`id` is no capture"),
        ("{{ response.status }}", "there is no `response"),
        ("{{ request.headers.x-y }}", "there is no `y`"),
        ("{{ body.a | shout }}", "unknown filter"),
        ("{{ body.a is shiny }}", "unknown test"),
        ("{{ range(10) }}", "there is no `range`"),
        ("{{ body.a | safe }}", "unknown filter"),
        (
            "{% autoescape false %}{{ body }}{% endautoescape %}",
            "no block `autoescape`",
        ),
        ("{% include 'x' %}", "no block `include`"),
        ("{{ body.a ", "cannot be read"),
        ("{% for x in body %}", "cannot be read"),
    ] {
        let problem = wrong(source);
        assert!(problem.contains(told), "{source}: {problem}");
    }
}

#[test]
fn what_is_missing_is_an_error_unless_there_is_a_default() {
    let mut engine = Engine::new();
    let strict = engine.text("{{ body.a }}", NOWHERE).expect("a template");
    let mild = engine
        .text("{{ body.a | default('none') }}", NOWHERE)
        .expect("a template");
    let context = about(&json!({}));
    assert!(engine.fill_text(&strict, &context).is_err());
    assert_eq!(engine.fill_text(&mild, &context).expect("made"), "none");
    assert!(engine.uses().body && !engine.uses().request);
}

#[test]
fn loops_and_lengths_have_bounds() {
    let mut engine = Engine::new();
    let nested = "{% for a in body %}{% for b in body %}{% for c in body %}\
                  {% if c %}{% endif %}{% endfor %}{% endfor %}{% endfor %}";
    let steps = engine.text(nested, NOWHERE).expect("a template");
    let many = json!(vec![1; 200]);
    let error = engine
        .fill_text(&steps, &about(&many))
        .expect_err("too long");
    assert_eq!(error.kind(), ErrorKind::OutOfFuel);

    let long = engine
        .text("{{ body }}{{ body }}", NOWHERE)
        .expect("a template");
    let text = json!("x".repeat(LONGEST - 10));
    let error = engine
        .fill_text(&long, &about(&text))
        .expect_err("too much");
    assert_eq!(error.kind(), ErrorKind::WriteFailure);
}

#[test]
fn one_expression_keeps_its_type() {
    let mut engine = Engine::new();
    let given =
        json!({"n": "{{ body.n }}", "t": "n = {{ body.n }}", "f": 1, "l": ["{{ body.l }}"]});
    let value = engine.json(&given, NOWHERE).expect("templates");
    let made = engine
        .fill_json(&value, &about(&json!({"n": 7, "l": {"x": null}})))
        .expect("made");
    let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
    assert_eq!(
        made,
        json!({"n": 7, "t": "n = 7", "f": 1, "l": [{"x": null}]})
    );
}

#[test]
fn quotes_around_an_expression_are_refused() {
    let mut engine = Engine::new();
    let told = engine
        .document(r#"{"a": "{{ body.a }}"}"#, NOWHERE)
        .expect_err("quoted twice");
    assert!(told.contains("bring their own quotes"), "{told}");
}

proptest! {
    #[test]
    fn no_value_breaks_out_of_a_document(text in ".*", name in ".*") {
        let mut engine = Engine::new();
        let template = engine
            .document(r#"{"a": {{ body.a }}, "b": {{ body.b }}}"#, NOWHERE)
            .expect("a template");
        let given = json!({"a": text, "b": {name: 1}});
        let out = engine.fill_document(&template, &about(&given), 1 << 20).expect("made");
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&out).expect("JSON"), given);
    }

    #[test]
    fn no_value_breaks_out_of_a_text(text in ".*") {
        let mut engine = Engine::new();
        let value = engine.json(&json!("x{{ body }}y"), NOWHERE).expect("a template");
        let out = engine.fill_json(&value, &about(&json!(text))).expect("made");
        prop_assert_eq!(
            serde_json::from_str::<String>(&out).expect("a text"),
            format!("x{text}y")
        );
    }
}
