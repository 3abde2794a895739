//! Work that no request waits for: bounded in number, ended on shutdown.

use std::future::Future;
use std::sync::Arc;

use platform::tasks::Shutdown;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

#[derive(Debug, Clone)]
pub(crate) struct Background {
    tasks: TaskTracker,
    slots: Arc<Semaphore>,
    pub(crate) shutdown: Shutdown,
}

impl Background {
    pub(crate) fn new(most: usize, shutdown: Shutdown) -> Self {
        Self {
            tasks: TaskTracker::new(),
            slots: Arc::new(Semaphore::new(most)),
            shutdown,
        }
    }

    /// Room for one more; `None` if there is none, or if the end has begun.
    pub(crate) fn room(&self) -> Option<OwnedSemaphorePermit> {
        if self.shutdown.begun() {
            return None;
        }
        self.slots.clone().try_acquire_owned().ok()
    }

    /// Does `work` in that room.
    pub(crate) fn run(
        &self,
        room: OwnedSemaphorePermit,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(async move {
            let _room = room;
            tokio::select! {
                () = shutdown.requested() => {}
                () = work => {}
            }
        });
    }

    /// Waits until everything has ended, once the shutdown has begun.
    pub(crate) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
