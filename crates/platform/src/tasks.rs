//! Background work with an owner: every task has a name, ends when it is told to, and takes the
//! whole process with it if it ends before.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Tells tasks to stop. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// Nobody has asked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks every holder of a clone to stop.
    pub fn begin(&self) {
        self.0.cancel();
    }

    /// Whether somebody has asked.
    pub fn begun(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until somebody asks.
    pub async fn requested(&self) {
        self.0.cancelled().await;
    }

    /// The same, for crates that know nothing of ours.
    pub fn token(&self) -> CancellationToken {
        self.0.clone()
    }

    /// A token that stops when this one does, or earlier on its own.
    pub fn child(&self) -> Self {
        Self(self.0.child_token())
    }

    /// Waits for `duration`; `false` if asked to stop meanwhile.
    pub async fn sleep(&self, duration: Duration) -> bool {
        tokio::select! {
            () = self.0.cancelled() => false,
            () = tokio::time::sleep(duration) => true,
        }
    }
}

/// A set of named tasks that live and end together.
#[derive(Debug, Clone)]
pub struct TaskGroup {
    shutdown: Shutdown,
    tasks: Arc<Mutex<JoinSet<&'static str>>>,
}

impl TaskGroup {
    /// A group that stops when `shutdown` begins.
    pub fn new(shutdown: Shutdown) -> Self {
        Self {
            shutdown,
            tasks: Arc::default(),
        }
    }

    /// What the tasks of this group listen to.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Runs `task` until it is done. A task that ends or panics before the shutdown begins it: a
    /// server without one of its parts must not go on as if nothing had happened.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let guard = EndsAll {
            name,
            shutdown: self.shutdown.clone(),
        };
        self.tasks.lock().spawn(async move {
            let guard = guard;
            task.await;
            guard.name
        });
    }

    /// Waits until every task has ended, at most `deadline` after the shutdown began; what is left
    /// then is cut off, and named in the log.
    pub async fn drain(&self, deadline: Duration) {
        self.shutdown.requested().await;
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(deadline, all).await.is_err() {
            tracing::warn!(
                left = tasks.len(),
                "tasks did not end in time and were cut off"
            );
            tasks.shutdown().await;
        }
    }
}

struct EndsAll {
    name: &'static str,
    shutdown: Shutdown,
}

impl Drop for EndsAll {
    fn drop(&mut self) {
        if !self.shutdown.begun() {
            tracing::error!(
                task = self.name,
                "a task ended too early; the process drains"
            );
            self.shutdown.begin();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_too_early_ends_all() {
        let group = TaskGroup::new(Shutdown::new());
        let shutdown = group.shutdown().clone();
        group.spawn("patient", async move { shutdown.requested().await });
        group.spawn("hasty", async {});
        group.drain(Duration::from_secs(5)).await;
        assert!(group.shutdown().begun());
    }
}
