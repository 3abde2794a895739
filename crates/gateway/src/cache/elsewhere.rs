//! Purges that other instances were told of: what they have purged, this one does not serve either.
//!
//! They are announced by the second level, together with the purge there: whoever hears of one does
//! not find there what was purged. An instance that could not hear for a while does not know what it
//! has missed, and forgets all that it has in memory.

use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kernel::Sources;
use platform::cache::CacheUrl;
use platform::metrics::Metrics;
use platform::redis::{Away, Channel, Connection, Follower};
use platform::tasks::Shutdown;
use serde::{Deserialize, Serialize};

use super::purge::PurgeMode;
use super::second::{EVERYTHING, TagPurge};
use super::{HttpCache, Shared};

/// Where purges are announced.
pub(crate) const CHANNEL: &str = "rialto:purged";

/// A purge, as instances tell each other of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Announcement {
    /// The instance that announces it, and has purged already.
    by: String,
    tags: Vec<String>,
    soft: bool,
}

impl Announcement {
    /// What the others are told of `purge`, as text; nothing if they are not to be told.
    pub(super) fn of(purge: &TagPurge, by: &str) -> Option<String> {
        let announcement = Self {
            by: by.to_owned(),
            tags: purge.tags.clone(),
            soft: purge.told? == PurgeMode::Soft,
        };
        Some(serde_json::to_string(&announcement).expect("texts are plain data"))
    }
}

/// Hears what other instances have purged.
pub(crate) struct PurgesElsewhere {
    cache: Arc<Shared>,
    /// The name of this instance.
    name: String,
    channel: Channel,
}

impl PurgesElsewhere {
    /// Purges in the memory of `cache` what the instances at `url` announce, but for the one of this
    /// `name`; nothing where each is for itself.
    pub(crate) fn at(
        url: &CacheUrl,
        cache: &HttpCache,
        name: &str,
        sources: &Sources,
        metrics: &Metrics,
    ) -> Option<Self> {
        let CacheUrl::Redis(url) = url else {
            return None;
        };
        let followed = metrics.redis_followed("gateway-cache");
        Some(Self {
            cache: cache.0.clone(),
            name: name.to_owned(),
            channel: Channel::new(url, CHANNEL, sources.clone(), followed),
        })
    }

    /// Hears of them until `shutdown` begins.
    pub(crate) async fn follow(&self, shutdown: &Shutdown) {
        self.channel.follow(self, shutdown).await;
    }
}

impl Follower for PurgesElsewhere {
    fn catch_up<'a>(&'a self, _: &'a Connection) -> BoxFuture<'a, Result<(), Away>> {
        async move {
            self.cache.purge_all(PurgeMode::Hard);
            Ok(())
        }
        .boxed()
    }

    fn heard(&self, announcement: &[u8]) {
        let Ok(heard) = serde_json::from_slice::<Announcement>(announcement) else {
            // Of a later version, perhaps: it may mean anything.
            tracing::warn!(
                "a purge of another instance cannot be read; all that is kept is purged"
            );
            return self.cache.purge_all(PurgeMode::Hard);
        };
        if heard.by == self.name {
            return;
        }
        let mode = if heard.soft {
            PurgeMode::Soft
        } else {
            PurgeMode::Hard
        };
        if heard.tags.iter().any(|tag| tag == EVERYTHING) {
            self.cache.purge_all(mode);
        } else {
            self.cache.purge_here(&heard.tags, mode);
        }
    }
}

impl fmt::Debug for PurgesElsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PurgesElsewhere({:?})", self.channel)
    }
}

#[cfg(test)]
mod tests {
    use super::super::StoreSettings;
    use super::*;

    #[tokio::test]
    async fn what_this_instance_has_announced_itself_it_has_purged_already() {
        let (sources, metrics) = (Sources::system(), Metrics::new());
        let counted = &metrics.http_cache;
        let settings = StoreSettings::default();
        let cache = HttpCache::new(settings, sources.clone(), counted, None, Shutdown::new());
        let url = "redis://127.0.0.1:1".parse().expect("a URL");
        let ear = PurgesElsewhere::at(&url, &cache, "me", &sources, &metrics).expect("in Redis");
        let purge = TagPurge {
            tags: vec![String::from("t:a")],
            told: Some(PurgeMode::Soft),
        };
        let heard = |announcement: Option<String>| {
            let before = counted.purges.get();
            ear.heard(announcement.expect("it is told").as_bytes());
            counted.purges.get() - before
        };
        assert_eq!(heard(Announcement::of(&purge, "me")), 0);
        assert_eq!(heard(Announcement::of(&purge, "you")), 1);
        assert_eq!(heard(Some(String::from("{}"))), 1, "it may mean anything");
        let quiet = TagPurge {
            told: None,
            ..purge
        };
        assert_eq!(Announcement::of(&quiet, "me"), None);
    }
}
