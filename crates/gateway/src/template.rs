//! Texts with captures in them: `/v2/{id}`.

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
        assert!(Text::new("/{id").is_err() && Text::new("/id}").is_err());
    }
}
