//! Parameters as a request has them, and the values that they stand for.

use std::borrow::Cow;
use std::collections::HashSet;

use http::header::COOKIE;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Number, Value};

use super::{Location, Parameter, Shape, Style, seek};
use crate::router::Template;
use crate::validate::check::Checker;
use crate::validate::schema::{Id, Types};
use crate::validate::value;

/// What a request has written where parameters are.
#[derive(Debug)]
pub(in crate::validate) struct Written<'r> {
    /// In the order of the template.
    captures: Vec<(&'r str, &'r str)>,
    query: Vec<(Cow<'r, str>, Cow<'r, str>)>,
    head: &'r Parts,
}

/// Why what is written is no value.
type Unread = &'static str;

impl<'r> Written<'r> {
    pub(in crate::validate) fn new(template: &'r Template, path: &'r str, head: &'r Parts) -> Self {
        let names = template.names().iter().map(String::as_str);
        let query = head.uri.query().unwrap_or_default();
        Self {
            captures: names.zip(template.captures(path)).collect(),
            query: form_urlencoded::parse(query.as_bytes()).collect(),
            head,
        }
    }

    pub(super) fn query_names(&self) -> impl Iterator<Item = &str> {
        self.query.iter().map(|(name, _)| name.as_ref())
    }

    /// Everything that is written for a parameter, in its order.
    fn all(&self, location: Location, name: &str) -> Result<Vec<Cow<'_, str>>, Unread> {
        match location {
            Location::Path => {
                let found = self.captures.iter().filter(|(known, _)| *known == name);
                let decoded = found.map(|(_, text)| percent_decode_str(text).decode_utf8());
                let decoded: Result<Vec<_>, _> = decoded.collect();
                decoded.map_err(|_| "the parameter is no text in UTF-8")
            }
            Location::Query => {
                let found = self.query.iter().filter(|(known, _)| known == name);
                Ok(found
                    .map(|(_, text)| Cow::Borrowed(text.as_ref()))
                    .collect())
            }
            Location::Header => {
                let values = self.head.headers.get_all(name).iter();
                let texts = values.map(|value| std::str::from_utf8(value.as_bytes()));
                let texts: Result<Vec<&str>, _> = texts.collect();
                let texts = texts.map_err(|_| "the field is no text in UTF-8")?;
                Ok(texts.into_iter().map(Cow::Borrowed).collect())
            }
            Location::Cookie => {
                let values = self.head.headers.get_all(COOKIE).iter();
                let texts = values.filter_map(|value| value.to_str().ok());
                let pairs = texts.flat_map(|text| text.split(';'));
                let pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
                let found = pairs.filter(|(known, _)| *known == name);
                Ok(found.map(|(_, text)| Cow::Borrowed(text)).collect())
            }
        }
    }
}

impl Parameter {
    /// The value that is written for it, if one is. `others` are the names of all parameters of the
    /// query.
    pub(super) fn value(
        &self,
        others: &HashSet<&str>,
        written: &Written<'_>,
        checker: &mut Checker<'_>,
    ) -> Result<Option<Value>, Unread> {
        if self.takes_the_rest() {
            let mine = written.query.iter();
            let mine = mine.filter(|(name, _)| !others.contains(name.as_ref()));
            let mine = mine.map(|(name, text)| (name.as_ref(), text.as_ref()));
            return self.object(mine, checker);
        }
        if self.style == Style::Deep {
            let mine = written.query.iter().filter_map(|(name, text)| {
                let name = name.strip_prefix(self.name.as_str())?;
                let name = name.strip_prefix('[')?.strip_suffix(']')?;
                Some((name, text.as_ref()))
            });
            return self.object(mine, checker);
        }
        let all = written.all(self.location, &self.name)?;
        if all.is_empty() {
            return Ok(None);
        }
        if self.location == Location::Query && self.shape == Shape::List && self.explode {
            return Ok(Some(self.list(all.iter().map(AsRef::as_ref), checker)));
        }
        let text = match &all[..] {
            [one] => one.clone(),
            // The lines of a field of the header are one list (RFC 9110, section 5.3).
            several if self.location == Location::Header && self.shape != Shape::Single => {
                Cow::Owned(several.join(","))
            }
            _ => return Err("the parameter is there more than once"),
        };
        self.single(&text, checker)
    }

    fn single(&self, text: &str, checker: &mut Checker<'_>) -> Result<Option<Value>, Unread> {
        if self.style == Style::Json {
            let read = value::read(text.as_bytes());
            return read.map(Some).map_err(|_| "the parameter is no JSON");
        }
        let separator = match self.style {
            Style::Spaces => ' ',
            Style::Pipes => '|',
            _ => ',',
        };
        let header = self.location == Location::Header;
        let trim = |part: &'_ str| -> String { if header { part.trim() } else { part }.to_owned() };
        let parts: Vec<String> = text.split(separator).map(trim).collect();
        match self.shape {
            _ if text.is_empty() && self.may_be_empty => Ok(Some(Value::from(""))),
            Shape::Single => Ok(Some(meant(text, Some(self.schema), checker))),
            Shape::List => Ok(Some(self.list(parts.iter().map(String::as_str), checker))),
            Shape::Object if self.explode => {
                let pairs: Option<Vec<_>> = parts.iter().map(|part| part.split_once('=')).collect();
                let pairs = pairs.ok_or("the parameter is written like `a=1,b=2`")?;
                self.object(pairs.into_iter(), checker)
            }
            Shape::Object => {
                let pairs = parts.chunks(2).map(|pair| match pair {
                    [name, text] => Some((name.as_str(), text.as_str())),
                    _ => None,
                });
                let pairs: Option<Vec<_>> = pairs.collect();
                let pairs = pairs.ok_or("the parameter is written like `a,1,b,2`")?;
                self.object(pairs.into_iter(), checker)
            }
        }
    }

    fn list<'t>(&self, texts: impl Iterator<Item = &'t str>, checker: &mut Checker<'_>) -> Value {
        let items = seek(checker.schemas(), self.schema, &|schema| schema.array.items);
        texts.map(|text| meant(text, items, checker)).collect()
    }

    fn object<'t>(
        &self,
        pairs: impl Iterator<Item = (&'t str, &'t str)>,
        checker: &mut Checker<'_>,
    ) -> Result<Option<Value>, Unread> {
        let mut members = Map::new();
        for (name, text) in pairs {
            let member = seek(checker.schemas(), self.schema, &|schema| {
                let rules = &schema.object;
                rules.properties.get(name).copied().or(rules.others)
            });
            let value = meant(text, member, checker);
            if members.insert(name.to_owned(), value).is_some() {
                return Err("a member of the parameter is there more than once");
            }
        }
        Ok((!members.is_empty()).then_some(Value::Object(members)))
    }
}

/// The value that a text stands for: of those that its schema admits, the first one that fits.
fn meant(text: &str, id: Option<Id>, checker: &mut Checker<'_>) -> Value {
    let Some(id) = id else {
        return Value::from(text);
    };
    let admits = checker.schemas()[id].admits;
    let digits = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    let number = || {
        let number = text
            .bytes()
            .all(digits)
            .then(|| serde_json::from_str::<Number>(text));
        number?.ok().map(Value::Number)
    };
    let candidates = [
        number().filter(|_| admits.meets(Types::NUMBER)),
        text.parse::<bool>()
            .ok()
            .filter(|_| admits.meets(Types::BOOLEAN))
            .map(Value::Bool),
        admits.meets(Types::STRING).then(|| Value::from(text)),
    ];
    let mut candidates = candidates.into_iter().flatten().peekable();
    let first = candidates
        .peek()
        .cloned()
        .unwrap_or_else(|| Value::from(text));
    candidates
        .find(|value| checker.fits(id, value))
        .unwrap_or(first)
}
