//! Many at once: exactly as many pass as would one after the other.

use std::thread;

use super::*;

const THREADS: usize = 8;
const EACH: usize = 200;

/// `plenty` is enough for all requests of its own and one more; `scarce` for one. Whoever asks both
/// is refused but once, and must not stand in the way of anybody meanwhile.
fn both_and_one() -> (Rules, Rules) {
    let count = THREADS * EACH + 1;
    let plenty = format!("[[limit]]\nname = 'plenty'\nper = 'route'\nrate = '{count}/1h'\n");
    let scarce = "[[limit]]\nname = 'scarce'\nper = 'route'\nrate = '1/1h'\n";
    (rules(&format!("{plenty}{scarce}")), rules(&plenty))
}

/// How many pass of those that ask both and of those that ask one.
async fn race(counters: &Counters, both: &Rules, one: &Rules) -> (usize, usize) {
    let ada = request("GET", ADA, 1);
    let mut passed = (0, 0);
    for _ in 0..EACH {
        let now = Some(START);
        let decision = counters.decide(both, asks(both, &ada), now).await;
        passed.0 += usize::from(decision.refusal().is_none());
        let decision = counters.decide(one, asks(one, &ada), now).await;
        passed.1 += usize::from(decision.refusal().is_none());
    }
    passed
}

fn all(race: impl Fn() -> (usize, usize) + Sync) -> (usize, usize) {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(&race)).collect();
        let passed = threads.into_iter().map(|one| one.join().expect("passes"));
        passed.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    })
}

#[test]
fn threads_take_exactly_what_there_is() {
    let stage = Stage::local();
    let (both, one) = both_and_one();
    let passed = all(|| runtime().block_on(race(&stage.counters, &both, &one)));
    assert_eq!(passed, (1, THREADS * EACH));
}

#[test]
fn threads_lose_nothing_of_what_others_take() {
    let rule =
        |name, count| format!("[[limit]]\nname = '{name}'\nper = 'route'\nrate = '{count}/1h'\n");
    let half = THREADS * EACH * 100 / 2;
    let rules = rules(&format!("{}{}", rule("less", half), rule("more", half + 1)));
    let stage = Stage::local();
    let asks = asks(&rules, &request("GET", ADA, 1));
    let all_are_there = std::sync::Barrier::new(THREADS);
    let passed = all(|| {
        all_are_there.wait();
        let now = stage.counters.0.sources.now().micros();
        let passes = (0..EACH * 100).filter(|_| {
            let mut asks = asks.clone();
            stage.counters.0.local.take(&mut asks, now);
            asks.iter().all(Ask::fits)
        });
        (passes.count(), 0)
    });
    assert_eq!(passed.0, half);
}

#[test]
fn instances_take_exactly_what_there_is() {
    let Some(server) = TestRedis::start() else {
        return;
    };
    let (both, one) = both_and_one();
    let passed = all(|| {
        let runtime = runtime();
        let _inside = runtime.enter();
        let redis = Redis::new(&server.settings(), Metrics::new().redis("limits"));
        let instance = Stage::new(None, Some(redis)).counters;
        runtime.block_on(race(&instance, &both, &one))
    });
    assert_eq!(passed, (1, THREADS * EACH));
}
