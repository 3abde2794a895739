//! What a decision costs. `cargo test --profile profiling -p rialto-gateway cost -- --ignored
//! --nocapture --test-threads 1`

use std::fs;
use std::time::Instant;

use super::*;

const ONE: &str = "[[limit]]\nname = 'one'\nper = 'address'\nrate = '1000000/1s'\n";
const TWO: &str = "[[limit]]\nname = 'two'\nper = ['customer', 'header:x-tenant']\nrate = '10/1s'\n\
                   [[limit]]\nname = 'three'\nper = ['header:x-tenant', 'route']\n\
                   rate = '1000000/1s'\n";

/// Written where `--nocapture` shows it.
fn tell(what: &str, nanos: u128, times: u128) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{what}: {} ns", nanos / times);
}

#[test]
#[ignore = "measures"]
fn cost_of_a_local_decision() {
    const TIMES: u128 = 1_000_000;
    let counters = counters(None);
    for (name, text) in [
        ("one rule", ONE.to_owned()),
        ("two that apply", format!("{ONE}{TWO}")),
    ] {
        let rules = rules(&text);
        let requests: Vec<_> = (0..250)
            .map(|i| request("GET", [192, 0, 2, i], i))
            .collect();
        runtime().block_on(async {
            let began = Instant::now();
            for index in 0..TIMES {
                let request = &requests[(index % 250) as usize];
                let decision = counters.take(&rules, asks(&rules, request)).await;
                assert!(decision.refusal().is_none());
            }
            tell(&format!("local, {name}"), began.elapsed().as_nanos(), TIMES);
            let mut headers = HeaderMap::new();
            let decision = counters.take(&rules, asks(&rules, &requests[0])).await;
            let began = Instant::now();
            for _ in 0..TIMES {
                decision.describe(&mut headers);
            }
            tell(
                &format!("headers, {name}"),
                began.elapsed().as_nanos(),
                TIMES,
            );
        });
    }
}

#[test]
#[ignore = "measures"]
fn cost_of_a_decision_in_redis() {
    const TIMES: u128 = 100_000;
    let Some(server) = TestRedis::start() else {
        return;
    };
    let pid = server.pid().expect("it runs").to_string();
    for (name, text) in [
        ("one rule", ONE.to_owned()),
        ("two that apply", format!("{ONE}{TWO}")),
    ] {
        for at_once in [1, 50] {
            let rules = rules(&text);
            runtime().block_on(async {
                let redis = Redis::new(&server.settings(), Metrics::new().redis("limits"));
                let counters = counters(Some(redis));
                let before = (cpu("self"), cpu(&pid));
                let began = Instant::now();
                let clients = (0..at_once).map(|client| {
                    let request = request("GET", [192, 0, 2, client], client);
                    let (counters, rules) = (&counters, &rules);
                    async move {
                        for _ in 0..TIMES / u128::from(at_once) {
                            counters.take(rules, asks(rules, &request)).await;
                        }
                    }
                });
                futures_util::future::join_all(clients).await;
                let what = format!("redis, {name}, {at_once} at once");
                tell(
                    &format!("{what}, elapsed"),
                    began.elapsed().as_nanos(),
                    TIMES,
                );
                tell(&format!("{what}, CPU here"), cpu("self") - before.0, TIMES);
                tell(&format!("{what}, CPU there"), cpu(&pid) - before.1, TIMES);
            });
        }
    }
}

fn counters(redis: Option<Redis>) -> Counters {
    Counters(Arc::new(Engines {
        local: Local::new(),
        shared: redis.map(Shared::new),
        sources: Sources::system(),
        refused: Counter::default(),
    }))
}

/// Nanoseconds of processor time; Linux counts them in hundredths of a second.
fn cpu(process: &str) -> u128 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("Linux");
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<u128>().expect("a number");
    (ticks(11) + ticks(12)) * 10_000_000
}
