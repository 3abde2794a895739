//! Single flight: of the requests that miss the same answer at once, one asks the upstream, and the
//! others wait for it. The question is put by whoever of them comes first to poll it, so it
//! outlives the one that began it only while others wait.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use http::Response;
use parking_lot::Mutex;
use wire::Body;

use super::entry::Entry;
use super::fill::Fill;
use super::key::Key;

/// What asking the upstream came to.
#[derive(Clone)]
pub(crate) enum Outcome {
    /// The answer is stored.
    Stored(Arc<Entry>, Source),
    /// The answer is being stored.
    Filling(Arc<Fill>),
    /// The upstream failed, and this may stand in.
    StandsIn(Arc<Entry>, u16),
    /// The answer is for the one who asked only, and why.
    Private(Arc<Mutex<Option<Response<Body>>>>, &'static str),
}

/// Where a stored answer is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// It was stored meanwhile.
    Store,
    /// The second level had it.
    SecondLevel,
    /// The upstream made it.
    Upstream,
    /// The upstream said that it is still good.
    Revalidated,
}

/// A question to the upstream.
pub(crate) type Asking = Shared<BoxFuture<'static, Outcome>>;

/// Those that are on their way.
#[derive(Default)]
pub(crate) struct Flights(Mutex<Board>);

#[derive(Default)]
struct Board {
    flights: HashMap<Key, (u64, Stage)>,
    last: u64,
}

enum Stage {
    Asking(WeakShared<BoxFuture<'static, Outcome>>),
    Filling(Weak<Fill>),
}

/// How a request takes part.
pub(crate) enum Boarded {
    /// It asks.
    Leads(Asking),
    /// It waits for the head.
    Joins(Asking),
    /// The head is here.
    JoinsFill(Arc<Fill>),
}

impl Flights {
    /// Joins the flight of `key`, or begins one with the question that `ask` makes.
    pub(crate) fn board(
        self: &Arc<Self>,
        key: &[u8],
        ask: impl FnOnce(Landing) -> BoxFuture<'static, Outcome>,
    ) -> Boarded {
        let mut board = self.0.lock();
        match board.flights.get(key) {
            Some((_, Stage::Asking(asking))) => {
                if let Some(asking) = asking.upgrade() {
                    return Boarded::Joins(asking);
                }
            }
            Some((_, Stage::Filling(fill))) => {
                if let Some(fill) = fill.upgrade() {
                    return Boarded::JoinsFill(fill);
                }
            }
            None => {}
        }
        board.last += 1;
        let landing = Landing {
            flights: self.clone(),
            key: key.into(),
            number: board.last,
        };
        let number = landing.number;
        let asking = ask(landing).shared();
        if let Some(weak) = asking.downgrade() {
            board
                .flights
                .insert(key.into(), (number, Stage::Asking(weak)));
        }
        Boarded::Leads(asking)
    }
}

/// Takes a flight from the board when it is dropped.
pub(crate) struct Landing {
    flights: Arc<Flights>,
    key: Key,
    number: u64,
}

impl Landing {
    /// From now on, requests join `fill`.
    pub(crate) fn fills(&self, fill: &Arc<Fill>) {
        let mut board = self.flights.0.lock();
        let mine = board
            .flights
            .get_mut(&self.key)
            .filter(|flight| flight.0 == self.number);
        if let Some(flight) = mine {
            flight.1 = Stage::Filling(Arc::downgrade(fill));
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut board = self.flights.0.lock();
        if board
            .flights
            .get(&self.key)
            .is_some_and(|flight| flight.0 == self.number)
        {
            board.flights.remove(&self.key);
        }
    }
}
