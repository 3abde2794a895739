//! Changes of a JSON document by pointers (RFC 6901). Only what lies on the way to a pointer is
//! taken apart: everything else stays byte for byte, numbers and the order of members included.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The most steps of a pointer: taking documents apart is recursive.
const DEEPEST: usize = 64;

/// A place in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pointer(Vec<String>);

impl Pointer {
    /// Reads `/a/b~1c/0`; the empty text is the whole document.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(format!(
                "`{text}` is no JSON pointer: it begins with `/`, as in \"/lines/0/price\""
            ));
        };
        let steps: Vec<String> = rest
            .split('/')
            .map(|step| unescape(step).ok_or(step))
            .collect::<Result<_, _>>()
            .map_err(|step| {
                format!("`{step}` is no step of a JSON pointer: `~` is `~0`, `/` is `~1`")
            })?;
        if steps.len() > DEEPEST {
            return Err(format!("a pointer has {DEEPEST} steps at most"));
        }
        Ok(Self(steps))
    }

    /// Whether it is the whole document.
    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `other` is this place, or lies inside it.
    pub(crate) fn holds(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }
}

/// A step without its escapes (RFC 6901, section 4).
fn unescape(step: &str) -> Option<String> {
    let mut out = String::with_capacity(step.len());
    let mut rest = step.chars();
    while let Some(letter) = rest.next() {
        out.push(match letter {
            '~' => match rest.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            plain => plain,
        });
    }
    Some(out)
}

/// A document of another shape than a change expects.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misfit;

/// A document, or a part of one.
#[derive(Debug, Clone)]
pub(crate) enum Node<'a> {
    /// As it came.
    Raw(Cow<'a, str>),
    Object(Vec<(String, Self)>),
    Array(Vec<Self>),
}

/// Anything but the members of an object is an error.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members<'de>, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(Reader)
    }
}

impl<'a> Node<'a> {
    /// Reads a document; nothing if it is none.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let raw: &RawValue = serde_json::from_slice(bytes).ok()?;
        Some(Self::Raw(Cow::Borrowed(raw.get())))
    }

    /// A value that is known to be JSON.
    pub(crate) fn value(json: String) -> Self {
        Self::Raw(Cow::Owned(json))
    }

    /// Takes one level apart.
    fn open(&mut self) {
        let opened = match self {
            Self::Raw(Cow::Borrowed(text)) => take_apart(text),
            Self::Raw(Cow::Owned(text)) => take_apart(text).map(Node::into_owned),
            Self::Object(_) | Self::Array(_) => None,
        };
        if let Some(opened) = opened {
            *self = opened;
        }
    }

    /// For a document that is one level deep.
    fn into_owned<'b>(self) -> Node<'b> {
        match self {
            Self::Raw(text) => Node::Raw(Cow::Owned(text.into_owned())),
            Self::Object(members) => {
                let members = members
                    .into_iter()
                    .map(|(name, value)| (name, value.into_owned()));
                Node::Object(members.collect())
            }
            Self::Array(items) => Node::Array(items.into_iter().map(Node::into_owned).collect()),
        }
    }

    fn child(&mut self, step: &str) -> Option<&mut Self> {
        self.open();
        match self {
            Self::Raw(_) => None,
            // Of members with one name, readers take the last.
            Self::Object(members) => {
                let mut members = members.iter_mut().rev();
                members
                    .find(|(name, _)| name == step)
                    .map(|(_, value)| value)
            }
            Self::Array(items) => items.get_mut(index(step)?),
        }
    }

    /// Takes out what is there.
    pub(crate) fn take(&mut self, at: &Pointer) -> Option<Self> {
        let (last, way) = at.0.split_last()?;
        let mut parent = self;
        for step in way {
            parent = parent.child(step)?;
        }
        parent.open();
        match parent {
            Self::Raw(_) => None,
            Self::Object(members) => {
                let mut taken = None;
                let (gone, kept) = std::mem::take(members)
                    .into_iter()
                    .partition::<Vec<_>, _>(|(name, _)| name == last);
                *members = kept;
                if let Some((_, value)) = gone.into_iter().next_back() {
                    taken = Some(value);
                }
                taken
            }
            Self::Array(items) => {
                let place = index(last).filter(|place| *place < items.len())?;
                Some(items.remove(place))
            }
        }
    }

    /// Puts a value there, in the place of what is there; objects on the way are made.
    pub(crate) fn set(&mut self, at: &Pointer, value: Self) -> Result<(), Misfit> {
        let mut place = self;
        for (number, step) in at.0.iter().enumerate() {
            place.open();
            place = match place {
                Self::Raw(_) => return Err(Misfit),
                Self::Object(members) => {
                    let known = members.iter().rposition(|(name, _)| name == step);
                    let known = known.unwrap_or_else(|| {
                        members.push((step.clone(), Self::Object(Vec::new())));
                        members.len() - 1
                    });
                    &mut members[known].1
                }
                Self::Array(items) => {
                    let last = number + 1 == at.0.len();
                    let end = items.len();
                    let known = if step == "-" { Some(end) } else { index(step) };
                    let known = known.filter(|known| *known < end || (last && *known == end));
                    let known = known.ok_or(Misfit)?;
                    if known == end {
                        items.push(Self::Object(Vec::new()));
                    }
                    &mut items[known]
                }
            };
        }
        *place = value;
        Ok(())
    }

    /// Takes out what is at `from`, if there is something, and puts it at `to`.
    pub(crate) fn shift(&mut self, from: &Pointer, to: &Pointer) -> Result<(), Misfit> {
        match self.take(from) {
            Some(value) => self.set(to, value),
            None => Ok(()),
        }
    }

    /// The document as text.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Self::Raw(text) => out.push_str(text),
            Self::Object(members) => {
                out.push('{');
                for (number, (name, value)) in members.iter().enumerate() {
                    out.push_str(if number == 0 { "" } else { "," });
                    out.push_str(&quoted(name));
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
            Self::Array(items) => {
                out.push('[');
                for (number, item) in items.iter().enumerate() {
                    out.push_str(if number == 0 { "" } else { "," });
                    item.write(out);
                }
                out.push(']');
            }
        }
    }
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn take_apart(text: &str) -> Option<Node<'_>> {
    match text.as_bytes().first()? {
        b'{' => {
            let Members(members) = serde_json::from_str(text).ok()?;
            let members = members
                .into_iter()
                .map(|(name, value)| (name, Node::Raw(Cow::Borrowed(value.get()))));
            Some(Node::Object(members.collect()))
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            let items = items
                .into_iter()
                .map(|item| Node::Raw(Cow::Borrowed(item.get())));
            Some(Node::Array(items.collect()))
        }
        _ => None,
    }
}

/// An index of an array: no sign, no leading zero.
fn index(step: &str) -> Option<usize> {
    let digits = step.bytes().all(|byte| byte.is_ascii_digit());
    let plain = step == "0" || !step.starts_with('0');
    (digits && plain).then(|| step.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
