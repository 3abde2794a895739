//! Takes out of the cache what events of the shop have made out of date.
//!
//! Every instance is told of every event, once or several times. One that cannot be reached is told
//! later; until then it serves what it has, at most until that is stale.

use std::future::{Future, ready};
use std::pin::Pin;

use contracts::product::{ProductArchived, ProductChanged, ProductCreated};
use kernel::{Envelope, Event, Problem};
use platform::events::EventSink;

use crate::Gateway;
use crate::cache::PurgeMode;
use crate::table::{PurgeOn, Table};
use crate::template::Text;

/// The types of events that a table can purge by.
pub const SUBSCRIPTIONS: &[&str] = &[
    ProductCreated::TYPE,
    ProductChanged::TYPE,
    ProductArchived::TYPE,
];

/// A rule of the table, ready to be followed.
#[derive(Debug)]
pub(crate) struct PurgeRule {
    on: String,
    tags: Vec<Text>,
    mode: PurgeMode,
}

impl PurgeRule {
    /// Those of a checked table.
    pub(crate) fn all(table: &Table) -> Vec<Self> {
        let definitions = table.purges.iter().map(toml::Spanned::get_ref);
        definitions.map(Self::new).collect()
    }

    fn new(definition: &PurgeOn) -> Self {
        let tags = definition.tags.iter().map(|tag| Text::new(tag));
        Self {
            on: definition.on.clone(),
            tags: tags
                .collect::<Result<_, _>>()
                .expect("the table was checked"),
            mode: if definition.soft {
                PurgeMode::Soft
            } else {
                PurgeMode::Hard
            },
        }
    }

    /// The tags that `event` purges.
    fn tags<'a>(&'a self, event: &'a Envelope) -> impl Iterator<Item = String> + 'a {
        let concerned = self.on == event.event_type;
        let tags = self.tags.iter().filter(move |_| concerned);
        tags.map(|tag| tag.fill(|_| Some(&event.subject)))
    }
}

impl EventSink for Gateway {
    fn deliver(
        &self,
        events: Vec<Envelope>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Problem>> + Send + '_>> {
        let table = self.0.live.present();
        for rule in table.purge_rules() {
            let tags = events.iter().flat_map(|event| rule.tags(event));
            // Each instance is told of the event itself.
            self.0.cache.purge().tags(tags, rule.mode);
        }
        Box::pin(ready(Ok(())))
    }
}
