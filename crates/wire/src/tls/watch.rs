//! Looking whether the files have changed.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Authorities, RevocationList, Settings, Tls};

/// More often is of no use to anybody.
const LEAST: Duration = Duration::from_secs(1);

/// What the files looked like; `None` for one that is not there. Links are followed: a folder
/// that is swapped for another one, as Kubernetes does with secrets, changes every file in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamps(Vec<Option<Stamp>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Stamps {
    pub(super) fn of(settings: &Settings) -> Self {
        let pairs = settings.certificates.iter();
        let pairs = pairs.flat_map(|files| [&files.certificate, &files.key]);
        let authorities = settings.client_auth.authorities().into_iter();
        let stamps = pairs
            .chain(authorities.flat_map(Authorities::files))
            .map(|file| stamp(file));
        Self(stamps.collect())
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let stamp = |data: Metadata| Stamp {
        device: data.dev(),
        inode: data.ino(),
        length: data.len(),
        modified: (data.mtime(), data.mtime_nsec()),
    };
    file.metadata().ok().map(stamp)
}

impl Tls {
    /// Whether the files look other than when they were last read.
    pub fn changed(&self) -> bool {
        *self.0.read.lock() != Stamps::of(&self.0.settings)
    }

    /// Reads the files again whenever they have changed, until `stop`. What is refused is logged
    /// once, and tried again when it has changed again. Revocation lists that are overdue are logged
    /// once, too.
    pub async fn watch(self, every: Duration, stop: CancellationToken) {
        let mut told = Vec::new();
        loop {
            told = self.tell_overdue(&told);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(every.max(LEAST)) => {}
            }
            let tls = self.clone();
            let looking = tokio::task::spawn_blocking(move || {
                if tls.changed() {
                    tls.tell(tls.reload());
                }
            });
            // Reading files does not panic; if it ever did, the certificates in use still count.
            let _ = looking.await;
        }
    }

    /// Those that are overdue; it logs all that were not `before`.
    fn tell_overdue(&self, before: &[RevocationList]) -> Vec<RevocationList> {
        let overdue = self.overdue();
        for list in overdue.iter().filter(|list| !before.contains(list)) {
            let (file, issuer) = (list.file.display(), &list.issuer);
            tracing::warn!(%file, issuer, due = list.due, "a revocation list is overdue, and counts until the next one is there");
        }
        overdue
    }

    fn tell(&self, reloaded: Result<(), super::LoadErrors>) {
        match reloaded {
            Ok(()) => {
                for used in self.in_use() {
                    let (file, names) = (used.file.display(), used.names.join(", "));
                    tracing::info!(%file, names, expires = used.expires, "a certificate is in use");
                }
            }
            Err(refused) => {
                for error in &refused.0 {
                    let remedy = error.remedy();
                    tracing::error!(%error, remedy, "a new certificate is refused; the old one stays");
                }
            }
        }
    }
}
