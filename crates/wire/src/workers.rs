//! Threads that serve connections, each with a runtime of its own: what belongs to a connection
//! stays on one core, and nobody steals work. One acceptor deals connections out, to whoever has
//! the fewest; the kernel alone (`SO_REUSEPORT`) spreads them unevenly.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpStream as StdStream};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread::JoinHandle;

use crossbeam_utils::CachePadded;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_util::task::TaskTracker;

use crate::post;
use crate::turn::Turns;

/// Connections that may wait for a worker to look up.
const QUEUE: usize = 1024;

/// Shares of what is shared out by processors, at the most.
const SHARES: usize = 16;

thread_local! {
    /// Which worker runs this; 0 outside of all workers.
    static INDEX: Cell<usize> = const { Cell::new(0) };
}

/// One of something for each worker, on cache lines of its own: what several processors write in turn
/// costs each of them several times what costs that it alone writes.
#[derive(Debug)]
pub struct PerWorker<T>(Box<[CachePadded<T>]>);

impl<T> PerWorker<T> {
    /// For so many workers, one at least. Should there be more, some share.
    pub fn new(workers: usize, make: impl Fn() -> T) -> Self {
        let all = (0..workers.max(1)).map(|_| CachePadded::new(make()));
        Self(all.collect())
    }

    /// For as many workers as there are processors, 16 at the most, which some share where there are more:
    /// where there is one is a matter of time, not of who may have it.
    pub fn by_processors(make: impl Fn() -> T) -> Self {
        static PROCESSORS: LazyLock<usize> = LazyLock::new(|| {
            let processors = std::thread::available_parallelism();
            processors.map_or(1, usize::from).min(SHARES)
        });
        Self::new(*PROCESSORS, make)
    }

    /// That of the worker that asks; outside of all workers, that of the first.
    pub fn own(&self) -> &T {
        let index = INDEX.get();
        // Mostly there is one for each, and nothing to divide.
        let own = self.0.get(index);
        own.unwrap_or_else(|| &self.0[index % self.0.len()])
    }

    /// Those of all.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|own| &**own)
    }
}

impl<T: Default> Default for PerWorker<T> {
    fn default() -> Self {
        Self::by_processors(T::default)
    }
}

/// Serves one connection.
pub type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Running workers. Dropping them ends them once their connections have ended.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    arrivals: Sender<Arrival>,
    open: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

struct Arrival {
    stream: StdStream,
    peer: SocketAddr,
    /// Whatever must live as long as the connection.
    place: Box<dyn Send>,
}

impl Workers {
    /// Starts `count` threads called `name`, which give each of their connections to `serve`.
    pub fn start(
        count: usize,
        name: &str,
        serve: impl Fn(TcpStream, SocketAddr) -> Serving + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let workers = (0..count.max(1)).map(|index| {
            let (arrivals, arriving) = mpsc::channel(QUEUE);
            let open = Arc::new(AtomicUsize::new(0));
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let (serve, counted) = (serve.clone(), open.clone());
            let thread = std::thread::Builder::new()
                .name(format!("{name}-{index}"))
                .spawn(move || {
                    INDEX.set(index);
                    runtime.block_on(work(arriving, counted, serve));
                })?;
            Ok(Worker {
                arrivals,
                open,
                thread,
            })
        });
        Ok(Self {
            workers: workers.collect::<io::Result<_>>()?,
        })
    }

    /// Gives a connection to the worker that has the fewest. `place` is dropped with the
    /// connection; with it at once if every queue is full.
    pub fn deal(&self, stream: StdStream, peer: SocketAddr, place: impl Send + 'static) {
        let open = |worker: &&Worker| worker.open.load(Ordering::Relaxed);
        let Some(worker) = self.workers.iter().min_by_key(open) else {
            return;
        };
        worker.open.fetch_add(1, Ordering::Relaxed);
        let arrival = Arrival {
            stream,
            peer,
            place: Box::new(place),
        };
        if worker.arrivals.try_send(arrival).is_err() {
            worker.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Waits until all connections have ended, and the threads with them.
    pub async fn finish(self) {
        let threads: Vec<_> = self
            .workers
            .into_iter()
            .map(|worker| worker.thread)
            .collect();
        let joined = tokio::task::spawn_blocking(move || {
            // A worker that has panicked has nothing left to wait for.
            threads.into_iter().for_each(|thread| drop(thread.join()));
        });
        let _ = joined.await;
    }
}

async fn work(
    mut arriving: Receiver<Arrival>,
    open: Arc<AtomicUsize>,
    serve: impl Fn(TcpStream, SocketAddr) -> Serving,
) {
    let connections = TaskTracker::new();
    let writing = TaskTracker::new().spawn(post::deliver());
    while let Some(Arrival {
        stream,
        peer,
        place,
    }) = arriving.recv().await
    {
        let place = Place {
            open: open.clone(),
            _held: place,
        };
        let Ok(stream) = TcpStream::from_std(stream) else {
            continue;
        };
        let serving = serve(stream, peer);
        connections.spawn(async move {
            let _place = place;
            Turns::new(serving).await;
        });
    }
    connections.close();
    connections.wait().await;
    // Each connection has waited until what it had posted was written.
    writing.abort();
}

struct Place {
    open: Arc<AtomicUsize>,
    _held: Box<dyn Send>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_worker_has_its_own_and_some_share_if_there_are_more() {
        let counts = PerWorker::new(2, AtomicUsize::default);
        for (worker, times) in [(0, 1), (1, 10), (2, 100), (5, 1000)] {
            INDEX.set(worker);
            counts.own().fetch_add(times, Ordering::Relaxed);
        }
        let all = counts.all().map(|own| own.load(Ordering::Relaxed));
        assert_eq!(all.collect::<Vec<_>>(), [101, 1010]);
    }
}
