//! What becomes of answers: stored here and on the second level, or noted as not to be stored.

use std::sync::Arc;

use http::StatusCode;
use kernel::Timestamp;

use super::entry::Entry;
use super::fetch::Question;
use super::fill::Keep;
use super::route::Route;

impl Route {
    /// Stores an answer when it is here in full, unless it turns out too large.
    pub(crate) fn keeper(self: &Arc<Self>, question: &Question, purges: Option<u64>) -> Keep {
        let route = self.clone();
        let (key, authorized) = (question.key.clone(), question.authorized);
        Box::new(move |entry| {
            let Ok(entry) = entry else {
                route.note_pass(&key, authorized, route.shared.sources.now());
                return;
            };
            let variants = route.settings.variants;
            route.shared.store.insert(&key, entry.clone(), variants);
            if let Some(purges) = purges {
                route.put_second(&key, entry, purges);
            }
        })
    }

    /// An answer cannot be stored: the next requests need not wait for each other, and what was
    /// stored before is not the answer any more.
    pub(crate) fn note_private(
        &self,
        question: &Question,
        stored: Option<&Arc<Entry>>,
        status: StatusCode,
        why: &str,
        now: Timestamp,
    ) {
        if status.is_server_error() {
            return;
        }
        self.note_pass(&question.key, question.authorized, now);
        // Who may not ask, or not so often, has heard nothing about it.
        let gone = matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE);
        let replaced = gone || status.is_success() || status.is_redirection();
        if let Some(entry) = stored.filter(|_| replaced && why != "authorization") {
            self.shared.store.remove(&question.key, entry);
        }
    }

    /// For a while, requests for this need not wait for each other.
    fn note_pass(&self, key: &[u8], authorized: bool, now: Timestamp) {
        let hash = self.shared.store.purges.hash_key(key, authorized);
        let until = now.plus(self.settings.pass_for);
        self.shared.passes.note(hash, until);
    }
}
