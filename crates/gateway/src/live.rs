//! The table that is in force, and how the next one comes into force: all at once, or not at all.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use platform::tasks::Shutdown;
use tokio::task::JoinSet;

use crate::snapshot::{Snapshot, Surroundings};
use crate::swapped::{Own, Swapped};
use crate::table::{Files, Source, Table, TableErrors};

/// How often the files, and what upstreams are due to do, are looked at.
const TICK: Duration = Duration::from_millis(250);

/// The present table. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Live(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Where tables come from; none for a gateway of the shop alone.
    source: Option<Source>,
    around: Surroundings,
    present: Swapped<Snapshot>,
    /// One reload after the other; the files that were read at the last one.
    files: Mutex<Files>,
}

impl Live {
    /// Reads the first table.
    pub(crate) fn new(source: Option<Source>, around: Surroundings) -> Result<Self, TableErrors> {
        let live = Self(Arc::new(Inner {
            source,
            around,
            present: Swapped::new(Snapshot::default()),
            files: Mutex::default(),
        }));
        live.reload()?;
        Ok(live)
    }

    /// The table that is in force now.
    pub(crate) fn present(&self) -> Own<Snapshot> {
        self.0.present.load()
    }

    /// Reads the files again. If anything is wrong with them, everything stays as it is.
    pub(crate) fn reload(&self) -> Result<(), TableErrors> {
        let Some(source) = &self.0.source else {
            return Ok(());
        };
        let mut files = self.0.files.lock();
        *files = Files::default();
        let table = Table::read(source, &mut files)?;
        if self.0.around.shop.is_none() {
            table.does_without_shop(source)?;
        }
        let next = Snapshot::new(&table, &self.0.present.load(), &self.0.around);
        self.0.present.store(next);
        Ok(())
    }

    /// Watches the files, and looks after the upstreams, until `shutdown` begins.
    pub(crate) async fn keep(self, shutdown: Shutdown) {
        if self.0.source.is_none() {
            // There will never be anything to look after.
            return shutdown.requested().await;
        }
        let mut errands = JoinSet::new();
        loop {
            for upstream in self.present().upstreams() {
                upstream.measure();
                let due = upstream.due();
                if due.refresh {
                    let upstream = upstream.clone();
                    errands.spawn(async move { upstream.refresh().await });
                }
                if due.check {
                    let upstream = upstream.clone();
                    errands.spawn(async move { upstream.check().await });
                }
            }
            self.present().identities().refresh();
            while errands.try_join_next().is_some() {}
            if !shutdown.sleep(TICK).await {
                return;
            }
            self.reload_if_changed();
        }
    }

    fn reload_if_changed(&self) {
        if !self.0.files.lock().changed() {
            return;
        }
        match self.reload() {
            Ok(()) => tracing::info!("the table of routes has changed"),
            Err(errors) => {
                tracing::error!(%errors, "the table of routes is wrong; the last one stays in force");
            }
        }
    }
}
