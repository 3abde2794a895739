//! Edits of header fields and of the fields of a query.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue};
use minijinja::value::Value;
use toml::Spanned;

use super::Finding;
use super::change::Unmade;
use super::settings::Edits;
use super::template::{Engine, Scope, Text};

/// These are for whoever writes the message.
const FRAMING: [HeaderName; 6] = [
    CONNECTION,
    CONTENT_LENGTH,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Checked edits of fields whose names are `N`.
#[derive(Debug)]
pub(super) struct FieldEdits<N> {
    remove: Vec<N>,
    rename: Vec<(N, N)>,
    set: Vec<(N, Text)>,
    add: Vec<(N, Text)>,
}

/// Values that are ready to be written.
#[derive(Debug)]
pub(super) struct Values<N, V> {
    set: Vec<(N, V)>,
    add: Vec<(N, V)>,
}

/// Edits of header fields.
pub(super) type HeaderEdits = FieldEdits<HeaderName>;
/// Edits of a query.
pub(super) type QueryEdits = FieldEdits<String>;

impl<N: Clone> FieldEdits<N> {
    /// Compiles edits; whatever is wrong is told with its place.
    fn compile(
        edits: &Edits,
        name: impl Fn(&str) -> Result<N, String>,
        value: impl Fn(&Text) -> Result<(), String>,
        (engine, scope): (&mut Engine, Scope<'_>),
        wrong: &mut Vec<Finding>,
    ) -> Self {
        let mut checked = |text: &str, of: &Spanned<String>| match name(text) {
            Ok(name) => Some(name),
            Err(problem) => {
                wrong.push((Some(of.span()), problem));
                None
            }
        };
        let remove = edits.remove.iter();
        let remove = remove
            .filter_map(|gone| checked(gone.get_ref(), gone))
            .collect();
        let rename = edits.rename.iter().filter_map(|(from, to)| {
            let to_name = checked(to.get_ref(), to);
            Some((checked(from, to)?, to_name?))
        });
        let rename = rename.collect();
        let mut valued = |fields: &std::collections::BTreeMap<String, Spanned<String>>| {
            let mut made = Vec::new();
            for (field, source) in fields {
                let text = engine.text(source.get_ref(), scope);
                let text = text.and_then(|text| value(&text).map(|()| text));
                match (name(field), text) {
                    (Ok(name), Ok(text)) => made.push((name, text)),
                    (Err(problem), _) => wrong.push((Some(source.span()), problem)),
                    (_, Err(problem)) => {
                        wrong.push((Some(source.span()), format!("{field}: {problem}")));
                    }
                }
            }
            made
        };
        Self {
            remove,
            rename,
            set: valued(&edits.set),
            add: valued(&edits.add),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.remove.is_empty()
            && self.rename.is_empty()
            && self.set.is_empty()
            && self.add.is_empty()
    }

    /// Makes the values. Without a body, those that need it are left out.
    fn make<V>(
        &self,
        engine: &Engine,
        context: &Value,
        has_body: bool,
        read: impl Fn(&N, String) -> Result<V, Unmade>,
    ) -> Result<Values<N, V>, Unmade> {
        let make = |fields: &[(N, Text)]| {
            let fields = fields
                .iter()
                .filter(|(_, text)| has_body || !engine.needs_body(text));
            let made = fields.map(|(name, text)| {
                let value = engine.fill_text(text, context)?;
                Ok((name.clone(), read(name, value)?))
            });
            made.collect::<Result<Vec<_>, Unmade>>()
        };
        Ok(Values {
            set: make(&self.set)?,
            add: make(&self.add)?,
        })
    }
}

impl HeaderEdits {
    pub(super) fn new(
        edits: &Edits,
        with: (&mut Engine, Scope<'_>),
        wrong: &mut Vec<Finding>,
    ) -> Self {
        let name = |text: &str| {
            let name = HeaderName::from_bytes(text.as_bytes())
                .map_err(|_| format!("`{text}` is no name of a header"))?;
            if FRAMING.contains(&name) {
                return Err(format!(
                    "`{text}` belongs to the connection: it is written anew"
                ));
            }
            if name == HOST {
                return Err(String::from(
                    "`host` is that of the upstream, or with `keep_host` that of the client",
                ));
            }
            Ok(name)
        };
        let value = |text: &Text| match text {
            Text::Fixed(text) if HeaderValue::try_from(text.as_str()).is_err() => Err(
                String::from("a value of a header has no line breaks and no control characters"),
            ),
            _ => Ok(()),
        };
        Self::compile(edits, name, value, with, wrong)
    }

    /// Makes the values; one with a line break in it is an error.
    pub(super) fn values(
        &self,
        engine: &Engine,
        context: &Value,
        has_body: bool,
    ) -> Result<Values<HeaderName, HeaderValue>, Unmade> {
        self.make(engine, context, has_body, |name, value| {
            // Space around a value is none of it (RFC 9110, section 5.5), and breaks HTTP/2.
            let value = value.trim_matches([' ', '\t']);
            HeaderValue::from_str(value).map_err(|_| Unmade::Header(name.clone()))
        })
    }

    /// Applies the edits: remove, rename, set, add.
    pub(super) fn apply(&self, headers: &mut HeaderMap, values: Values<HeaderName, HeaderValue>) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (from, to) in &self.rename {
            let moved: Vec<HeaderValue> = headers.get_all(from).iter().cloned().collect();
            if !moved.is_empty() {
                headers.remove(from);
                headers.remove(to);
                for value in moved {
                    headers.append(to, value);
                }
            }
        }
        for (name, value) in values.set {
            headers.insert(name, value);
        }
        for (name, value) in values.add {
            headers.append(name, value);
        }
    }
}

impl QueryEdits {
    pub(super) fn new(
        edits: &Edits,
        with: (&mut Engine, Scope<'_>),
        wrong: &mut Vec<Finding>,
    ) -> Self {
        Self::compile(edits, |name| Ok(name.to_owned()), |_| Ok(()), with, wrong)
    }

    /// Makes the values.
    pub(super) fn values(
        &self,
        engine: &Engine,
        context: &Value,
        has_body: bool,
    ) -> Result<Values<String, String>, Unmade> {
        self.make(engine, context, has_body, |_, value| Ok(value))
    }

    /// The query after the edits; fields that they do not name stay byte for byte.
    pub(super) fn apply(&self, query: &str, values: Values<String, String>) -> String {
        let pieces = query.split('&').filter(|piece| !piece.is_empty());
        let mut fields: Vec<(String, String)> = pieces
            .map(|piece| (name_of(piece), piece.to_owned()))
            .collect();
        fields.retain(|(name, _)| !self.remove.contains(name));
        for (from, to) in &self.rename {
            if !fields.iter().any(|(name, _)| name == from) {
                continue;
            }
            fields.retain(|(name, _)| name != to);
            for (name, piece) in fields.iter_mut().filter(|(name, _)| name == from) {
                let value = piece.split_once('=').map(|(_, value)| format!("={value}"));
                *piece = format!("{}{}", escaped(to), value.unwrap_or_default());
                name.clone_from(to);
            }
        }
        for (name, value) in values.set {
            fields.retain(|(known, _)| *known != name);
            let piece = format!("{}={}", escaped(&name), escaped(&value));
            fields.push((name, piece));
        }
        for (name, value) in values.add {
            let piece = format!("{}={}", escaped(&name), escaped(&value));
            fields.push((name, piece));
        }
        let pieces: Vec<String> = fields.into_iter().map(|(_, piece)| piece).collect();
        pieces.join("&")
    }
}

fn name_of(piece: &str) -> String {
    let parsed = form_urlencoded::parse(piece.as_bytes()).next();
    parsed
        .map(|(name, _)| name.into_owned())
        .unwrap_or_default()
}

fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(edits: &str, query: &str) -> String {
        let edits: Edits = toml::from_str(edits).expect("edits");
        let (mut engine, mut wrong) = (Engine::new(), Vec::new());
        let scope = Scope {
            captures: &[],
            response: false,
        };
        let edits = QueryEdits::new(&edits, (&mut engine, scope), &mut wrong);
        assert!(wrong.is_empty());
        let values = edits.values(&engine, &Value::UNDEFINED, false);
        edits.apply(query, values.expect("fixed values"))
    }

    #[test]
    fn only_named_fields_of_a_query_change() {
        let edits = r#"
            remove = ["a b"]
            rename = { old = "new" }
            set = { s = "1&2" }
            add = { t = "ü" }
        "#;
        assert_eq!(
            edited(edits, "x=%7e&a+b=1&a%20b=2&old=%41&flag&s=0&t=1"),
            "x=%7e&new=%41&flag&t=1&s=1%262&t=%C3%BC"
        );
        assert_eq!(edited("remove = ['x']", "x=1"), "");
    }

    #[test]
    fn names_and_values_of_headers_are_checked() {
        let edits =
            "remove = ['a b', 'Content-Length']\nset = { x = \"a\\r\\nb: c\", host = \"x\" }";
        let edits: Edits = toml::from_str(edits).expect("edits");
        let mut wrong = Vec::new();
        let scope = Scope {
            captures: &[],
            response: false,
        };
        HeaderEdits::new(&edits, (&mut Engine::new(), scope), &mut wrong);
        assert_eq!(wrong.len(), 4, "{wrong:?}");
    }
}
