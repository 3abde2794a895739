//! Documents of YAML, read as the JSON that they stand for: version 1.2 with its core schema (section
//! 10.3.2), in which `no` is a text. Keys are texts, also where they look like something else, as
//! `200` of an answer does.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Number, Value};

/// How deep values may lie in one another, as in JSON.
const DEEPEST: usize = 128;
/// Values of one document, counted again wherever an alias repeats them.
const MOST: usize = 1_000_000;

/// Reads a document. A key that is there twice is an error: whoever reads it next might take the other
/// one.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let mut reader = Reader::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let (line, info) = (error.marker().line(), error.info());
            format!("line {line}: {info}")
        })?;
        let at = |problem: String| format!("line {}: {problem}", line(&span));
        reader.take(event).map_err(at)?;
    }
    reader.document.ok_or_else(|| String::from("it is empty"))
}

fn line(span: &Span) -> usize {
    span.start.line()
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    anchored: HashMap<usize, Value>,
    /// How many values were read.
    count: usize,
    document: Option<Value>,
}

/// What has begun and not ended.
struct Open {
    what: Collection,
    /// Zero, if it has none.
    anchor: usize,
}

enum Collection {
    Sequence(Vec<Value>),
    /// With the key whose value comes next.
    Mapping(Map<String, Value>, Option<String>),
}

impl Reader {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::DocumentStart(..) if self.document.is_some() => {
                Err(String::from("another document begins"))
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref());
                if let Some(key) = self.key() {
                    return name(key, &text, style);
                }
                self.put(value?, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.begin(Collection::Sequence(Vec::new()), anchor, tag.as_deref())
            }
            Event::MappingStart(_, anchor, tag) => self.begin(
                Collection::Mapping(Map::new(), None),
                anchor,
                tag.as_deref(),
            ),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { what, anchor }) = self.open.pop() else {
                    return Ok(());
                };
                let value = match what {
                    Collection::Sequence(items) => Value::Array(items),
                    Collection::Mapping(members, _) => Value::Object(members),
                };
                self.put(value, anchor)
            }
            Event::Alias(anchor) => {
                let value = self.anchored.get(&anchor).cloned();
                let value = value.ok_or("an alias of what it is in")?;
                self.count += size(&value);
                self.put(value, 0)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, what: Collection, anchor: usize, tag: Option<&Tag>) -> Result<(), String> {
        if tag.is_some() {
            return Err(String::from("tags are not known here"));
        }
        if self.key().is_some() {
            return Err(String::from("a key has to be a text"));
        }
        if self.open.len() >= DEEPEST {
            return Err(format!("more than {DEEPEST} values in one another"));
        }
        self.open.push(Open { what, anchor });
        Ok(())
    }

    /// Where the key is to be kept that comes next, if one does.
    fn key(&mut self) -> Option<(&Map<String, Value>, &mut Option<String>)> {
        match &mut self.open.last_mut()?.what {
            Collection::Mapping(members, key @ None) => Some((members, key)),
            _ => None,
        }
    }

    fn put(&mut self, value: Value, anchor: usize) -> Result<(), String> {
        self.count += 1;
        if self.count > MOST {
            return Err(format!("more than {MOST} values"));
        }
        if anchor > 0 {
            self.anchored.insert(anchor, value.clone());
        }
        match self.open.last_mut().map(|open| &mut open.what) {
            None => self.document = Some(value),
            Some(Collection::Sequence(items)) => items.push(value),
            Some(Collection::Mapping(members, key)) => {
                let key = key.take().ok_or("a key has to be a text")?;
                members.insert(key, value);
            }
        }
        Ok(())
    }
}

fn name(
    (members, key): (&Map<String, Value>, &mut Option<String>),
    text: &str,
    style: ScalarStyle,
) -> Result<(), String> {
    if members.contains_key(text) {
        return Err(format!("the key `{text}` is there twice"));
    }
    if text == "<<" && style == ScalarStyle::Plain {
        return Err(String::from("merge keys (`<<`) are not in YAML 1.2"));
    }
    *key = Some(text.to_owned());
    Ok(())
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

/// What a scalar stands for.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    match tag {
        Some(tag) if tag.is_yaml_core_schema_tag("str") => return Ok(text.into()),
        Some(_) => return Err(String::from("tags are not known here, but `!!str`")),
        None if style != ScalarStyle::Plain => return Ok(text.into()),
        None => {}
    }
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => true.into(),
        "false" | "False" | "FALSE" => false.into(),
        _ => match number(text) {
            Some(number) => number?.into(),
            None => text.into(),
        },
    })
}

/// The number that a plain scalar looks like, if it does.
fn number(text: &str) -> Option<Result<Number, String>> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(
        unsigned,
        ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN"
    ) {
        return Some(Err(format!("`{text}` is no number of JSON")));
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && !digits.is_empty()
            && digits.chars().all(|digit| digit.is_digit(radix))
        {
            let value = u64::from_str_radix(digits, radix);
            return Some(value.map(Number::from).map_err(|_| too_large(text)));
        }
    }
    if !looks_decimal(unsigned) {
        return None;
    }
    let plain = text.strip_prefix('+').unwrap_or(text);
    if let Ok(whole) = plain.parse::<i64>() {
        return Some(Ok(whole.into()));
    }
    if let Ok(whole) = plain.parse::<u64>() {
        return Some(Ok(whole.into()));
    }
    let value = plain.parse().ok().and_then(Number::from_f64);
    Some(value.ok_or_else(|| too_large(text)))
}

fn too_large(text: &str) -> String {
    format!("`{text}` is too large a number")
}

/// `[0-9]+(\.[0-9]*)?` or `\.[0-9]+`, and perhaps an exponent.
fn looks_decimal(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (base, exponent) = match text.split_once(['e', 'E']) {
        Some((base, exponent)) => (base, Some(exponent)),
        None => (text, None),
    };
    let whole = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    let (before, behind) = base.split_once('.').unwrap_or((base, ""));
    whole && digits(before) && digits(behind) && !(before.is_empty() && behind.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_as_people_write_it() {
        let text = r#"
# What we sell.
openapi: 3.1.0
info: {title: Catalogue, version: "1"}
paths:
  /items/{id}:
    get:
      description: |
        One item.
        Or none.
      responses:
        200: &ok {description: It is there}
        "201": *ok
components:
  schemas:
    Size:
      enum: [1, -2, +3, 0x1F, 0o17, 1.5, .5, 1., 1e3, 010, no, null, ~, True, 'true', !!str 7]
      default:
"#;
        let ok = json!({"description": "It is there"});
        let sizes = json!([
            1, -2, 3, 31, 15, 1.5, 0.5, 1.0, 1000.0, 10, "no", null, null, true, "true", "7"
        ]);
        let expected = json!({
            "openapi": "3.1.0",
            "info": {"title": "Catalogue", "version": "1"},
            "paths": {"/items/{id}": {"get": {
                "description": "One item.\nOr none.\n",
                "responses": {"200": ok, "201": ok},
            }}},
            "components": {"schemas": {"Size": {"enum": sizes, "default": null}}},
        });
        assert_eq!(read(text), Ok(expected));
    }

    #[test]
    fn what_cannot_be_json_is_told_with_its_line() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for (text, told) in [
            ("", "it is empty"),
            ("a: 1\nb: 2\na: 3", "line 3: the key `a` is there twice"),
            ("a: 1\n---\nb: 2", "line 2: another document begins"),
            ("a:\n  [1]: 2", "line 2: a key has to be a text"),
            ("a: .inf", "line 1: `.inf` is no number of JSON"),
            ("a: 1e999", "line 1: `1e999` is too large a number"),
            (
                "a: !money 3",
                "line 1: tags are not known here, but `!!str`",
            ),
            ("a: &a {b: *a}", "line 1: an alias of what it is in"),
            (
                "a: &a {b: 1}\nc:\n  <<: *a",
                "line 3: merge keys (`<<`) are not in YAML 1.2",
            ),
            (&deep, "line 1: more than 128 values in one another"),
        ] {
            assert_eq!(read(text), Err(String::from(told)), "{text}");
        }
        for text in ["a: [1", "a: *b", "a: b: c"] {
            let told = read(text).expect_err(text);
            assert!(told.starts_with("line 1: "), "{told}");
        }
    }

    #[test]
    fn aliases_do_not_blow_it_up() {
        let mut bomb = String::from("a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n");
        for level in 1..9 {
            let before = vec![format!("*a{}", level - 1); 9].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{before}]\n"));
        }
        let told = read(&bomb).expect_err("a billion");
        assert!(told.ends_with("more than 1000000 values"), "{told}");
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9).prop_map(Value::from),
            r#"[ -~äß€"\\]{0,20}"#.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[ -~ä]{0,9}", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// JSON is YAML.
        #[test]
        fn json_is_read_as_the_same(value in values()) {
            for text in [value.to_string(), format!("{value:#}")] {
                prop_assert_eq!(read(&text), Ok(value.clone()), "{}", text);
            }
        }
    }
}
