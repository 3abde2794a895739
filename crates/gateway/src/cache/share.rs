//! What a route reads from the second level and writes to it.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AGE;

use super::entry::Entry;
use super::fetch::Question;
use super::policy::{Timing, Verdict};
use super::route::Route;
use super::second::{Put, Second};
use super::status::CACHE_STATUS;
use super::vary::Selecting;
use super::wire_form::{self, Answer, Value};

/// What the second level told.
pub(crate) struct Asked {
    pub(crate) entry: Option<Arc<Entry>>,
    /// Its number of purges, if it can be given something to store.
    pub(crate) purges: Option<u64>,
}

impl Route {
    /// What the second level has for the question.
    pub(crate) async fn ask_second(&self, question: &Question) -> Asked {
        let Some(second) = &self.shared.second else {
            return Asked {
                entry: None,
                purges: None,
            };
        };
        second.deliver(&self.shared.background);
        let birth = self.shared.store.purges.count();
        let answer = self
            .get_second(second, &question.key, &question.head.headers)
            .await;
        let Some((answer, purges)) = answer else {
            return Asked {
                entry: None,
                purges: None,
            };
        };
        let entry = answer.and_then(|answer| self.revive(question, answer, birth));
        Asked {
            entry,
            purges: Some(purges),
        }
    }

    /// An answer of the second level as this route keeps it, if it is fresh.
    fn revive(&self, question: &Question, answer: Answer, birth: u64) -> Option<Arc<Entry>> {
        let now = self.shared.sources.now();
        let timing = Timing {
            asked: now,
            answered: now,
            authorized: false,
        };
        let request = &question.head.headers;
        let mut head = answer.head;
        head.remove(AGE);
        head.remove(CACHE_STATUS);
        let path = &question.path_tag;
        let meta = self.consider(answer.status, &head, request, path, (timing, birth));
        let mut meta = meta.ok()?;
        meta.policy.born = answer.born;
        meta.tags = self.tags(answer.tags);
        let fresh = meta.policy.verdict(now, None, &question.asks) == Verdict::Fresh;
        let suits = fresh && self.suits(&meta, question.authorized, request);
        suits.then(|| Arc::new(Entry::new(Arc::new(meta), &[answer.body])))
    }

    /// The answer that is stored for such a request, and the number of purges; `None` if the second
    /// level cannot be asked now.
    async fn get_second(
        &self,
        second: &Second,
        key: &[u8],
        request: &HeaderMap,
    ) -> Option<(Option<Answer>, u64)> {
        let target = wire_form::key(key);
        let found = second.get(&target).await?;
        let purges = found.purges;
        let names = match found.value.and_then(wire_form::read) {
            None => return Some((None, purges)),
            Some(Value::Answer(answer)) => return Some((Some(answer), purges)),
            Some(Value::Varies(names)) => names,
        };
        let variant = wire_form::key_of_variant(key, &Selecting::by(names, request));
        let found = second.get(&variant).await?;
        let answer = match found.value.and_then(wire_form::read) {
            Some(Value::Answer(answer)) => Some(answer),
            _ => None,
        };
        Some((answer, purges))
    }

    /// Writes an entry to the second level in the background, if there is room for that.
    pub(crate) fn put_second(&self, key: &[u8], entry: &Arc<Entry>, purges: u64) {
        let keep = entry.meta.policy.keeps(self.shared.sources.now());
        let (Some(second), Some(room)) = (&self.shared.second, self.shared.background.room())
        else {
            return;
        };
        if keep.is_zero() {
            return;
        }
        let selecting = &entry.meta.selecting;
        let target = wire_form::key(key);
        let tags = entry.meta.tags.texts.to_vec();
        let put = |key, value| Put {
            key,
            value,
            tags: tags.clone(),
            keep,
            purges,
        };
        let mut puts = Vec::new();
        if selecting.0.is_empty() {
            puts.push(put(target, wire_form::write_entry(entry)));
        } else {
            let variant = wire_form::key_of_variant(key, selecting);
            puts.push(put(variant, wire_form::write_entry(entry)));
            puts.push(put(target, wire_form::write_names(selecting)));
        }
        let second = second.clone();
        self.shared.background.run(room, async move {
            for put in puts {
                second.put(put).await;
            }
        });
    }
}
