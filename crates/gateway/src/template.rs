//! Texts with captures in them: `/v2/{id}`.

use percent_encoding::{AsciiSet, utf8_percent_encode};

/// What begins and parts the members of a query, or stands for a space there.
const OF_MEMBERS: AsciiSet = AsciiSet::EMPTY.add(b'&').add(b';').add(b'=').add(b'+');

/// Plain pieces and names, in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Plain(String),
    Name(String),
}

impl Text {
    /// Reads a text; a brace that is not closed is an error.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((plain, after)) = rest.split_once('{') {
            let closed = after.split_once('}');
            let (name, behind) = closed.ok_or_else(|| format!("`{{` without `}}` in `{text}`"))?;
            pieces.push(Piece::Plain(plain.to_owned()));
            pieces.push(Piece::Name(name.to_owned()));
            rest = behind;
        }
        if rest.contains('}') {
            return Err(format!("`}}` without `{{` in `{text}`"));
        }
        pieces.push(Piece::Plain(rest.to_owned()));
        Ok(Self(pieces))
    }

    /// The names in it.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Plain(_) => None,
            Piece::Name(name) => Some(name.as_str()),
        })
    }

    /// The same as [`fill`](Self::fill) for a target: what is put into its query, but for `{query}` itself,
    /// begins no other member of that.
    pub(crate) fn target<'a>(&self, mut value: impl FnMut(&str) -> Option<&'a str>) -> String {
        let mut out = String::new();
        let mut in_query = false;
        for piece in &self.0 {
            match piece {
                Piece::Plain(plain) => {
                    in_query |= plain.contains('?');
                    out.push_str(plain);
                }
                Piece::Name(name) => {
                    let value = value(name).unwrap_or_default();
                    if in_query && name != "query" {
                        out.extend(utf8_percent_encode(value, &OF_MEMBERS));
                    } else {
                        out.push_str(value);
                    }
                }
            }
        }
        out
    }

    /// The text with what the names stand for.
    pub(crate) fn fill<'a>(&self, mut value: impl FnMut(&str) -> Option<&'a str>) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Plain(plain) => plain.as_str(),
            Piece::Name(name) => value(name).unwrap_or_default(),
        });
        pieces.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in() {
        let text = Text::new("/v2/{id}/{rest}").expect("closed braces");
        assert_eq!(text.names().collect::<Vec<_>>(), ["id", "rest"]);
        assert_eq!(text.fill(|name| (name == "id").then_some("7")), "/v2/7/");
        let target = Text::new("/a&b/{id}?x={id}&y=1&{query}").expect("closed braces");
        let filled = target.target(|name| Some(if name == "id" { "7&8=+;" } else { "z=1&w=2" }));
        assert_eq!(filled, "/a&b/7&8=+;?x=7%268%3D%2B%3B&y=1&z=1&w=2");
        assert!(Text::new("/{id").is_err() && Text::new("/id}").is_err());
    }
}
