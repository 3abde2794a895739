//! Another path in place of one that a template matches: `/old/{id}` becomes `/new/{id}`.

use crate::router::Template;
use crate::template::Text;

/// What the captures of a path are put into.
#[derive(Debug)]
pub(crate) struct Rewrite {
    from: Template,
    to: Text,
}

impl Rewrite {
    /// From a checked template to a checked text.
    pub(crate) fn new(from: &str, to: &str) -> Option<Self> {
        Some(Self {
            from: Template::new(from).ok()?,
            to: Text::new(to).ok()?,
        })
    }

    /// What stands in place of a path that the template matches; `{query}` is the query.
    pub(crate) fn of(&self, path: &str, query: Option<&str>) -> String {
        let values = self.from.captures(path);
        self.to.target(|name| {
            if name == "query" {
                return query;
            }
            let place = self.from.names().iter().position(|known| known == name)?;
            values.get(place).copied()
        })
    }
}
