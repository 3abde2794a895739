//! `[[gateway.purge]]`: what events of the shop take out of the cache.

use serde::Deserialize;

use crate::template::Text;

/// Which event, and the tags that it purges.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PurgeOn {
    /// The type of the events: `rialto.product.changed.v1`.
    pub(crate) on: String,
    /// Tags of answers (`Surrogate-Key`, `Cache-Tag`); `{subject}` is the id that the event is about.
    pub(crate) tags: Vec<String>,
    /// Whether the answers may stand in while they are fetched anew, and if that fails.
    #[serde(default)]
    pub(crate) soft: bool,
}

impl PurgeOn {
    /// All that is wrong.
    pub(super) fn problems(&self, wrong: &mut impl FnMut(String)) {
        let known = crate::SUBSCRIPTIONS;
        if !known.contains(&self.on.as_str()) {
            let (on, known) = (&self.on, known.join(", "));
            wrong(format!(
                "`{on}` is no event that purges; there are: {known}"
            ));
        }
        if self.tags.is_empty() {
            wrong(String::from(
                "`tags` is empty: the event would purge nothing",
            ));
        }
        for tag in &self.tags {
            match Text::new(tag) {
                Err(error) => wrong(error),
                Ok(text) => {
                    for name in text.names().filter(|name| *name != "subject") {
                        wrong(format!(
                            "`{{{name}}}` is not known in `{tag}`; `{{subject}}` is"
                        ));
                    }
                }
            }
            if tag.is_empty() || tag.contains([' ', ',']) {
                wrong(format!("`{tag}` is no tag: one word without commas"));
            }
        }
    }
}
