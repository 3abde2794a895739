//! Reservations and releases of this instance, combined: what waits while one transaction is in
//! flight is decided together in the next one, in the order of arrival.
//!
//! A hot article must not serialise the shop. Each transaction that touches its row waits for the
//! one before, so the row's throughput is requests for each transaction, not transactions. A
//! request that is refused harms none of the others, because the decision is made in memory; a
//! transaction that fails is repeated, request by request if need be.

use std::fmt;
use std::sync::Arc;

use contracts::product::{HolderId, Reservation, ReserveStock};
use kernel::{Fault, Problem};
use parking_lot::Mutex;
use platform::context::RequestContext;
use platform::db::{Db, DbError, Tx};
use platform::tasks::Shutdown;
use tokio::sync::{mpsc, oneshot};

use crate::stock::Book;
use crate::store::book::{self, Wanted};
use crate::{Config, ProductError};

/// How often a transaction is tried that another instance gets in the way of.
const ATTEMPTS: u32 = 5;

/// What waits to be decided.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    /// Set stock aside.
    Reserve(ReserveStock),
    /// Let go of it.
    Release(HolderId),
}

/// What has become of a command; a release has no reservation.
type Outcome = Result<Option<Reservation>, Problem>;

#[derive(Debug)]
struct Waiting {
    command: Command,
    context: Option<Arc<RequestContext>>,
    answer: oneshot::Sender<Outcome>,
}

/// The commands of this instance that wait.
pub(crate) struct ReservationQueue {
    db: Db,
    /// How many are decided together at the most.
    batch: usize,
    entrance: mpsc::Sender<Waiting>,
    /// Taken by the one who runs the queue.
    exit: Mutex<Option<mpsc::Receiver<Waiting>>>,
}

impl fmt::Debug for ReservationQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReservationQueue({} free)", self.entrance.capacity())
    }
}

impl ReservationQueue {
    pub(crate) fn new(db: &Db, config: &Config) -> Self {
        let (entrance, exit) = mpsc::channel(config.reservation_queue.max(1));
        Self {
            db: db.clone(),
            batch: config.reservation_batch.max(1),
            entrance,
            exit: Mutex::new(Some(exit)),
        }
    }

    /// Waits until the command is decided. One whose caller stops waiting before its turn comes is
    /// passed over.
    pub(crate) async fn submit(&self, command: Command) -> Outcome {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            command,
            context: RequestContext::current(),
            answer,
        };
        self.entrance
            .try_send(waiting)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Problem::from(ProductError::ReservationsBusy),
                mpsc::error::TrySendError::Closed(_) => DbError::Closed.into(),
            })?;
        answered
            .await
            .unwrap_or_else(|_| Err(DbError::Closed.into()))
    }

    /// Decides what waits until `shutdown` begins, and then what still waits.
    pub(crate) async fn run(self: Arc<Self>, shutdown: Shutdown) {
        let taken = self.exit.lock().take();
        let Some(mut exit) = taken else { return };
        let mut batch = Vec::with_capacity(self.batch);
        while !shutdown.begun() {
            tokio::select! {
                () = shutdown.requested() => {}
                _ = exit.recv_many(&mut batch, self.batch) => {
                    self.answer(std::mem::take(&mut batch)).await;
                }
            }
        }
        exit.close();
        while exit.recv_many(&mut batch, self.batch).await > 0 {
            self.answer(std::mem::take(&mut batch)).await;
        }
    }

    /// Decides a batch in one transaction, or, if that fails for a reason that may lie in one of
    /// the commands, in a transaction each.
    async fn answer(&self, mut batch: Vec<Waiting>) {
        batch.retain(|waiting| !waiting.answer.is_closed());
        let Some(first) = batch.first() else { return };
        // The statements are shared; they are counted, and traced, where the first one came from.
        let context = first.context.clone();
        let commands = batch
            .iter()
            .map(|waiting| waiting.command.clone())
            .collect();
        match self.transact(commands, context).await {
            Ok(outcomes) => {
                for (waiting, outcome) in batch.into_iter().zip(outcomes) {
                    // Nobody may be waiting any more: a reservation lapses, a release is wanted.
                    let _ = waiting.answer.send(outcome);
                }
            }
            Err(error) if batch.len() == 1 || error.kind().transient() => {
                for waiting in batch {
                    let _ = waiting.answer.send(Err(error.clone().into()));
                }
            }
            Err(error) => {
                tracing::error!(%error, "reservations are decided one by one");
                for waiting in batch {
                    Box::pin(self.answer(vec![waiting])).await;
                }
            }
        }
    }

    /// One transaction, again if another instance got in the way.
    async fn transact(
        &self,
        commands: Arc<[Command]>,
        context: Option<Arc<RequestContext>>,
    ) -> Result<Vec<Outcome>, DbError> {
        let mut attempt = 1;
        loop {
            let commands = commands.clone();
            let deciding = self
                .db
                .write(move |tx| async move { decide(&tx, &commands).await });
            let decided = match &context {
                Some(context) => context.clone().scope(deciding).await,
                None => deciding.await,
            };
            match decided {
                Err(DbError::Contention(_)) if attempt < ATTEMPTS => attempt += 1,
                decided => return decided,
            }
        }
    }
}

async fn decide(tx: &Tx, commands: &[Command]) -> Result<Vec<Outcome>, DbError> {
    let mut wanted = Wanted::default();
    for command in commands {
        match command {
            Command::Reserve(request) => {
                wanted.holders.insert(request.holder);
                wanted.holders.extend(&request.instead_of);
                wanted
                    .variants
                    .extend(request.lines.iter().map(|line| line.variant_id));
            }
            Command::Release(holder) => {
                wanted.holders.insert(*holder);
            }
        }
    }
    let mut open = book::open(tx, &wanted).await?;
    let outcomes = commands
        .iter()
        .map(|command| apply(&mut open.book, command))
        .collect();
    book::save(tx, open).await?;
    Ok(outcomes)
}

fn apply(book: &mut Book, command: &Command) -> Outcome {
    match command {
        Command::Reserve(request) => Ok(Some(book.reserve(request)?)),
        Command::Release(holder) => {
            book.release(*holder, None);
            Ok(None)
        }
    }
}
