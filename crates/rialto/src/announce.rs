//! Instances that announce themselves: gateways need no list of them.
//!
//! A process of the shop tells every gateway of `peers.gateway` again and again where its internal
//! listener is, and for how long that holds. A gateway whose `peers` say `announced:` leads to
//! whoever has. An instance that drains says so first, and is led to no more while its listener is
//! still open; what one that crashed was led to ends with its lease.

use std::collections::BTreeMap;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use contracts::gateway::{Announcement, GatewayApi, GatewayClient};
use futures_util::future::join_all;
use http::uri::Authority;
use kernel::contract::Answer;
use kernel::problem::codes;
use kernel::{Kind, Problem};
use platform::contract::Peer;
use platform::tasks::Shutdown;

use crate::Role;

/// How often an instance tells that it is there.
const EVERY: Duration = Duration::from_secs(1);
/// For how long that holds: a few announcements may be lost.
const LEASE: Duration = Duration::from_secs(5);
/// The longest lease that is believed.
const LONGEST: Duration = Duration::from_secs(60);

/// Tells gateways of this process.
#[derive(Debug)]
pub(crate) struct Announcer {
    gateways: Vec<GatewayClient>,
    announcement: Announcement,
}

impl Announcer {
    /// Tells `gateways` that `roles` are at `authority`.
    pub(crate) fn new(
        gateways: Vec<GatewayClient>,
        roles: impl Iterator<Item = Role>,
        authority: String,
    ) -> Self {
        let lease_ms = u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX);
        Self {
            gateways,
            announcement: Announcement {
                roles: roles.map(|role| role.as_str().to_owned()).collect(),
                authority,
                lease_ms,
            },
        }
    }

    /// Tells them until `shutdown` begins, and then that this process leaves.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let mut away = false;
        loop {
            let failure = self.tell(&self.announcement).await;
            if let Some(problem) = failure.as_ref().filter(|_| !away) {
                tracing::warn!(%problem, "a gateway could not be told of this process");
            }
            away = failure.is_some();
            if !shutdown.sleep(EVERY).await {
                break;
            }
        }
        let leaves = Announcement {
            lease_ms: 0,
            ..self.announcement.clone()
        };
        if let Some(problem) = self.tell(&leaves).await {
            tracing::warn!(%problem, "a gateway could not be told that this process leaves");
        }
    }

    /// Tells all of them at once; returns why one could not be told.
    async fn tell(&self, announcement: &Announcement) -> Option<Problem> {
        let tell = |gateway: &GatewayClient| {
            let gateway = gateway.clone();
            let call = async move { gateway.announce(announcement.clone()).await };
            async { tokio::time::timeout(EVERY, call).await }
        };
        let told = join_all(self.gateways.iter().map(tell)).await;
        let failure = |told| match told {
            Ok(Ok(())) => None,
            Ok(Err(problem)) => Some(problem),
            Err(_) => {
                let detail = format!("it did not answer within {EVERY:?}");
                Some(Problem::unavailable(codes::UNAVAILABLE, detail, 1))
            }
        };
        told.into_iter().find_map(failure)
    }
}

/// Where the process listens, as others reach it; nothing if only the machine itself could.
pub(crate) fn reachable(listens: SocketAddr) -> Option<String> {
    (!listens.ip().is_unspecified()).then(|| listens.to_string())
}

/// What a gateway knows of the instances of each role that may announce themselves.
#[derive(Debug)]
pub(crate) struct Announced(pub(crate) BTreeMap<Role, Arc<Peer>>);

impl Announced {
    fn note(&self, announcement: &Announcement) -> Result<(), Problem> {
        let malformed = |detail: String| Problem::new(Kind::Malformed, codes::MALFORMED, detail);
        let authority: Authority = announcement.authority.parse().map_err(|error| {
            malformed(format!(
                "`{}` is no address: {error}",
                announcement.authority
            ))
        })?;
        let mine = announcement.roles.iter().filter_map(|role| {
            // One that this version does not know, or that the configuration names, is passed over.
            let role: Role = role.parse().ok()?;
            self.0.get(&role)
        });
        for peer in mine {
            let noted = match announcement.lease() {
                Some(lease) => peer.announced(&authority, lease.min(LONGEST)),
                None => {
                    peer.left(&authority);
                    true
                }
            };
            if !noted {
                let detail = "too many instances have announced themselves";
                return Err(Problem::unavailable(codes::UNAVAILABLE, detail, 5));
            }
        }
        Ok(())
    }
}

impl GatewayApi for Announced {
    fn announce(&self, announcement: Announcement) -> Answer<'_, ()> {
        Box::pin(ready(self.note(&announcement)))
    }
}
