//! The same promise where two work on one order at once: who was held up goes on after another one
//! has taken the order for abandoned.

use futures_util::future::join;

use super::*;

/// For one whose neighbour was stopped in the middle of a transaction and keeps a lock. Nobody is
/// held up there, and who waits dies, as a request does at its deadline.
const LOCKED: Duration = Duration::from_millis(250);
/// More awaits than a request or a sweep has.
const MOST: u32 = 60;

async fn within<F: Future>(work: F) -> Option<F::Output> {
    tokio::time::timeout(LOCKED, work).await.ok()
}

impl Desk {
    /// Whoever was told of an order has it, and it is whole.
    async fn is_whole(&self, what: &str) {
        self.insist("the-only-key", what).await;
        self.sweep().await;
        assert!(self.check(what).await, "{what}");
    }

    /// A request died after `polls`; a sweep is held up after `sweep_polls`, and goes on when the
    /// client, or another sweeper before it, has been here. Whether both were cut short.
    async fn overtake_a_sweep(&self, polls: u32, sweep_polls: u32, by_sweeper: bool) -> [bool; 2] {
        let answered = dies_after(polls, Box::pin(self.place("the-only-key"))).await;
        self.clock.advance(Duration::from_secs(3600));
        let mut sweep = Box::pin(self.orders.sweep_once());
        let swept = stops_after(sweep_polls, &mut sweep).await;
        if by_sweeper {
            self.clock.advance(Duration::from_secs(3600));
            within(Box::pin(self.orders.sweep_once())).await;
        }
        within(Box::pin(self.place("the-only-key"))).await;
        if swept.is_none() {
            drop(sweep.await);
        }
        [answered.is_none(), swept.is_none()]
    }
}

#[tokio::test]
async fn a_sweep_goes_on_after_others_have_been_at_its_order() {
    for polls in (2..MOST).step_by(4) {
        let mut died = true;
        for sweep_polls in 1..MOST {
            let by_sweeper = sweep_polls % 2 == 0;
            let desk = Desk::open("tok_ok").await;
            let overtaken = desk.overtake_a_sweep(polls, sweep_polls, by_sweeper);
            let [cut, held_up] = Box::pin(overtaken).await;
            let what = format!("request died after {polls}, sweep held up after {sweep_polls}");
            desk.is_whole(&what).await;
            died = cut;
            if !held_up {
                break;
            }
        }
        if !died {
            return;
        }
    }
    panic!("the request never came to an end");
}

#[tokio::test]
async fn a_request_goes_on_after_it_was_taken_for_dead() {
    for token in ["tok_ok", "tok_lost"] {
        for polls in 1..MOST {
            let desk = Desk::open(token).await;
            let mut request = Box::pin(desk.place("the-only-key"));
            let answered = stops_after(polls, &mut request).await;
            desk.clock.advance(Duration::from_secs(3600));
            within(Box::pin(desk.orders.sweep_once())).await;
            within(Box::pin(desk.place("the-only-key"))).await;
            if answered.is_none() {
                drop(request.await);
            }
            let what = format!("{token}: the request was held up after {polls}");
            desk.is_whole(&what).await;
            if answered.is_some() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_request_and_a_sweep_are_held_up_and_go_on() {
    for polls in (3..MOST).step_by(3) {
        let mut answered = false;
        for sweep_polls in 1..MOST {
            let desk = Desk::open("tok_ok").await;
            let mut request = Box::pin(desk.place("the-only-key"));
            answered = stops_after(polls, &mut request).await.is_some();
            desk.clock.advance(Duration::from_secs(3600));
            let mut sweep = Box::pin(desk.orders.sweep_once());
            let swept = within(stops_after(sweep_polls, &mut sweep)).await;
            let swept = swept.flatten().is_some();
            let done = answered || within(&mut request).await.is_some();
            match (done, swept) {
                (true, true) => (),
                (true, false) => drop(sweep.await),
                (false, true) => drop(request.await),
                (false, false) => drop(join(request, sweep).await),
            }
            let what = format!("request held up after {polls}, sweep after {sweep_polls}");
            desk.is_whole(&what).await;
            if swept {
                break;
            }
        }
        if answered {
            return;
        }
    }
    panic!("the request never came to an end");
}
