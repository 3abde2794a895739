//! The same promise where two work on one order at once: who was held up goes on after another one
//! has taken the order for abandoned.

use futures_util::future::join;

use super::*;
use crate::payment::PaymentKey;

/// For one whose neighbour was stopped in the middle of a transaction and keeps a lock. Nobody is
/// held up there, and who waits dies, as a request does at its deadline.
const LOCKED: Duration = Duration::from_millis(100);
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
async fn what_was_late_of_a_try_is_not_in_the_way_of_the_next() {
    for polls in 1..MOST {
        let mut answered = false;
        for more in 1..4 {
            let desk = Desk::open("tok_ok").await;
            let mut request = Box::pin(desk.place("the-only-key"));
            answered = stops_after(polls, &mut request).await.is_some();
            desk.clock.advance(Duration::from_secs(3600));
            within(Box::pin(desk.orders.sweep_once())).await;
            if !answered {
                within(stops_after(more, &mut request)).await;
            }
            drop(request);
            // Nobody waits for who is dead.
            desk.clock.advance(Duration::from_secs(3600));
            let what = format!("the request was held up after {polls}, and died {more} later");
            desk.is_whole(&what).await;
        }
        if answered {
            return;
        }
    }
    panic!("the request never came to an end");
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

impl Desk {
    /// The provider tells of the first try.
    async fn webhook(&self) -> Result<(), OrderError> {
        let provider = self.orders.providers.find("test").expect("configured");
        let key = PaymentKey {
            order_id: self.order_id,
            attempt: 1,
        };
        self.orders.hear_of(provider, &key).await
    }

    async fn state(&self) -> Option<OrderState> {
        let tx = self.db.read().await.expect("reads");
        let order = store::order(&tx, self.order_id).await.expect("reads");
        order.map(|order| order.state)
    }
}

#[tokio::test]
async fn a_webhook_that_is_acknowledged_was_heeded() {
    for (says, becomes) in [
        ("authorised", OrderState::Placed),
        ("declined", OrderState::Failed),
    ] {
        for polls in (1..MOST).step_by(4) {
            let mut answered = false;
            for webhook_polls in (1..MOST).step_by(3) {
                let desk = Desk::open("tok_later").await;
                let what = format!("{says}: held up after {polls}, webhook after {webhook_polls}");
                let mut request = Box::pin(desk.place("the-only-key"));
                answered = stops_after(polls, &mut request).await.is_some();
                let decided = within(Box::pin(desk.provider_decides(says))).await;
                let mut webhook = Box::pin(desk.webhook());
                let heard = within(stops_after(webhook_polls, &mut webhook))
                    .await
                    .flatten();
                let over = heard.is_some();
                let done = answered || within(&mut request).await.is_some();
                let mut heard = match (heard, done) {
                    (Some(heard), true) => heard,
                    (None, true) => webhook.await,
                    (Some(heard), false) => {
                        drop(request.await);
                        heard
                    }
                    (None, false) => join(request, webhook).await.1,
                };
                if decided != Some(true) {
                    // It knew of no payment yet, or somebody kept a lock; it decides, and tells, when the
                    // request is over.
                    desk.provider_decides(says).await;
                    heard = desk.webhook().await;
                }
                // What is not acknowledged comes again.
                if heard.is_err() {
                    desk.webhook().await.expect("nobody else is at it");
                }
                assert_eq!(desk.state().await, Some(becomes), "{what}");
                desk.sweep().await;
                assert_eq!(desk.check(&what).await, becomes == OrderState::Placed);
                if over {
                    break;
                }
            }
            if answered {
                break;
            }
        }
    }
}
