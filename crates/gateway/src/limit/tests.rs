//! What holds for the counters of one process and for those of all instances alike.

mod away;
mod cost;
mod layers;
mod races;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Request;
use kernel::{ManualClock, SystemRandom, Timestamp};
use platform::http::ClientAddress;
use platform::testing::TestRedis;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

/// Some time in 2023, when Redis may believe it is.
const START: i64 = 1_700_000_000_000_000;

fn rules(text: &str) -> Rules {
    #[derive(serde::Deserialize)]
    struct File {
        limit: Vec<LimitSettings>,
    }
    let file: File = toml::from_str(text).expect("rules");
    Rules::new(&file.limit, &Metrics::new()).expect("rules")
}

fn request(method: &str, address: [u8; 4], tenant: u8) -> Request<()> {
    let request = Request::builder()
        .method(method)
        .header("x-tenant", tenant.to_string());
    let mut request = request.body(()).expect("valid");
    request
        .extensions_mut()
        .insert(ClientAddress(address.into()));
    request
}

/// What a [`request`] asks of `rules`.
fn asks(rules: &Rules, request: &Request<()>) -> Vec<Ask> {
    rules.asks(request, request.extensions().get().copied(), "/")
}

/// Counters by a clock of their own.
struct Stage {
    counters: Counters,
    clock: Arc<ManualClock>,
    server: Option<TestRedis>,
}

impl Stage {
    fn new(server: Option<TestRedis>, redis: Option<Redis>) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(START)));
        let counters = Counters(Arc::new(Engines {
            local: Local::new(),
            shared: redis.map(Shared::new),
            sources: Sources::new(clock.clone(), Arc::new(SystemRandom)),
            refused: Counter::default(),
        }));
        Self {
            counters,
            clock,
            server,
        }
    }

    fn local() -> Self {
        Self::new(None, None)
    }

    fn redis() -> Option<Self> {
        let server = TestRedis::start()?;
        let redis = Redis::new(&server.settings(), Metrics::new().redis("limits"));
        Some(Self::new(Some(server), Some(redis)))
    }

    fn server(&mut self) -> &mut TestRedis {
        self.server.as_mut().expect("counters in Redis")
    }

    async fn take<'a>(&self, rules: &'a Rules, request: &Request<()>) -> Decision<'a> {
        let now = self.counters.0.sources.now().micros();
        let asks = asks(rules, request);
        self.counters.decide(rules, asks, Some(now)).await
    }
}

fn seen(decision: &Decision<'_>) -> (Option<u32>, String) {
    let mut headers = HeaderMap::new();
    decision.describe(&mut headers);
    let told = headers
        .get(LIMIT)
        .map(|value| value.to_str().expect("text"));
    let wait = decision.refusal().map(|refusal| {
        assert_eq!(refusal.code, codes::RATE_LIMITED.as_str());
        refusal.retry_after.expect("Retry-After")
    });
    (wait, told.unwrap_or_default().to_owned())
}

const ADA: [u8; 4] = [192, 0, 2, 1];
const BOB: [u8; 4] = [192, 0, 2, 2];

async fn a_burst_passes_then_the_rate_holds(stage: &Stage) {
    let rules = rules("[[limit]]\nname = 'a'\nper = 'address'\nrate = '10/1s'\nburst = 5");
    let (ada, bob) = (request("GET", ADA, 1), request("GET", BOB, 1));
    for left in (0..5).rev() {
        let told = format!("\"a\";r={left};t=1");
        assert_eq!(seen(&stage.take(&rules, &ada).await), (None, told));
    }
    let refused = seen(&stage.take(&rules, &ada).await);
    assert_eq!(refused, (Some(1), String::from("\"a\";r=0;t=1")));
    assert_eq!(
        seen(&stage.take(&rules, &bob).await).0,
        None,
        "each for itself"
    );
    stage.clock.advance(Duration::from_millis(99));
    assert_eq!(seen(&stage.take(&rules, &ada).await).0, Some(1));
    stage.clock.advance(Duration::from_millis(1));
    assert_eq!(seen(&stage.take(&rules, &ada).await).0, None);
    assert_eq!(seen(&stage.take(&rules, &ada).await).0, Some(1));
}

async fn all_rules_are_taken_from_or_none(stage: &Stage) {
    let rules = rules(
        "[[limit]]\nname = 'client'\nper = 'address'\nrate = '10/1h'\n\
         [[limit]]\nname = 'tenant'\nper = 'header:x-tenant'\nrate = '2/1h'\n",
    );
    let poor = request("GET", ADA, 1);
    let rich = request("GET", ADA, 2);
    for _ in 0..2 {
        assert_eq!(seen(&stage.take(&rules, &poor).await).0, None);
    }
    for _ in 0..20 {
        let (wait, told) = seen(&stage.take(&rules, &poor).await);
        assert_eq!(wait, Some(1800));
        assert_eq!(
            told, "\"client\";r=8;t=720, \"tenant\";r=0;t=3600",
            "nothing is lost"
        );
    }
    let (wait, told) = seen(&stage.take(&rules, &rich).await);
    assert_eq!(wait, None);
    assert_eq!(told, "\"client\";r=7;t=1080, \"tenant\";r=1;t=1800");
}

async fn methods_cost_what_they_should(stage: &Stage) {
    let rules = rules(
        "[[limit]]\nname = 'a'\nper = 'route'\nrate = '10/1h'\n\
         cost = { POST = 4, OPTIONS = 0 }\n",
    );
    let told = async |method: &str| seen(&stage.take(&rules, &request(method, ADA, 1)).await).1;
    assert_eq!(told("POST").await, "\"a\";r=6;t=1440");
    assert_eq!(told("GET").await, "\"a\";r=5;t=1800");
    assert_eq!(told("POST").await, "\"a\";r=1;t=3240");
    let refused = seen(&stage.take(&rules, &request("POST", ADA, 1)).await);
    assert_eq!(refused, (Some(1080), String::from("\"a\";r=1;t=3240")));
    assert_eq!(told("GET").await, "\"a\";r=0;t=3600");
    assert_eq!(told("OPTIONS").await, "\"a\";r=0;t=3600", "free");
}

async fn a_shadow_refuses_nobody(stage: &Stage) {
    let rules = rules(
        "[[limit]]\nname = 'real'\nper = 'address'\nrate = '3/1h'\n\
         [[limit]]\nname = 'idea'\nper = 'address'\nrate = '1/1h'\nshadow = true\n",
    );
    let ada = request("GET", ADA, 1);
    for left in (0..3).rev() {
        let (wait, told) = seen(&stage.take(&rules, &ada).await);
        assert_eq!(wait, None);
        assert!(
            told.starts_with(&format!("\"real\";r={left};")) && !told.contains("idea"),
            "{told}"
        );
    }
    assert!(seen(&stage.take(&rules, &ada).await).0.is_some());
    let idea = &rules.get(&asks(&rules, &ada)[1]).counted;
    let (allowed, shadowed) = (idea.allowed.get(), idea.shadowed.get());
    assert_eq!((allowed, shadowed), (1, 3));
    let real = &rules.get(&asks(&rules, &ada)[0]).counted;
    assert_eq!((real.allowed.get(), real.limited.get()), (3, 1));
}

async fn stories(stage: impl Fn() -> Option<Stage>) {
    let Some(first) = stage() else {
        return;
    };
    a_burst_passes_then_the_rate_holds(&first).await;
    for story in [0, 1, 2] {
        let stage = stage().expect("as the first");
        match story {
            0 => all_rules_are_taken_from_or_none(&stage).await,
            1 => methods_cost_what_they_should(&stage).await,
            _ => a_shadow_refuses_nobody(&stage).await,
        }
    }
}

#[tokio::test]
async fn one_process_keeps_the_rules() {
    stories(|| Some(Stage::local())).await;
}

#[tokio::test]
async fn all_instances_keep_the_rules() {
    stories(Stage::redis).await;
}

/// One request: how long after the one before, whose, for which tenant, and its method.
type Step = (u64, u8, u8, &'static str);

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let micros = prop_oneof![Just(0), 1..5_000_u64, 1..3_000_000_u64];
    let method = prop_oneof![Just("GET"), Just("POST"), Just("PUT")];
    prop::collection::vec((micros, 0..3_u8, 0..3_u8, method), 1..most)
}

const MANY: &str = "
[[limit]]
name = 'client'
per = 'address'
rate = '7/1s'
burst = 9
cost = { POST = 3, PUT = 0 }
[[limit]]
name = 'tenant'
per = ['header:x-tenant', 'route']
rate = '100/1m'
burst = 6
cost = { PUT = 6 }
[[limit]]
name = 'pair'
per = ['address', 'header:x-tenant']
rate = '3/2s'
shadow = true
";

/// What was used up of each rule, and whether the request passes.
type Outcome = (Vec<i64>, bool);

async fn play(stage: &Stage, rules: &Rules, steps: &[Step]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for (after, client, tenant, method) in steps {
        stage.clock.advance(Duration::from_micros(*after));
        let request = request(method, [192, 0, 2, *client], *tenant);
        let decision = stage.take(rules, &request).await;
        assert_ne!(decision.verdict, Verdict::Closed);
        let used = decision.asks.iter().map(|ask| ask.used);
        outcomes.push((used.collect(), decision.verdict == Verdict::Passes));
    }
    outcomes
}

/// The same by the book: a bucket for each key that runs dry as time passes.
fn model(rules: &Rules, steps: &[Step]) -> Vec<Outcome> {
    let mut buckets: BTreeMap<(u64, u128), (i64, i64)> = BTreeMap::new();
    let mut now = START;
    let outcome = |(after, client, tenant, method): &Step| {
        now += i64::try_from(*after).expect("small");
        let asks = asks(rules, &request(method, [192, 0, 2, *client], *tenant));
        let level = |ask: &Ask| {
            let (level, at) = buckets.get(&(ask.id, ask.key)).copied().unwrap_or((0, now));
            (level - (now - at)).max(0)
        };
        let levels: Vec<i64> = asks.iter().map(level).collect();
        let fits = |(ask, level): (&Ask, &i64)| level + ask.charge <= ask.quota.capacity();
        let passes = asks
            .iter()
            .zip(&levels)
            .all(|(ask, level)| ask.shadow || fits((ask, level)));
        for (ask, level) in asks.iter().zip(&levels) {
            if passes && fits((ask, level)) {
                buckets.insert((ask.id, ask.key), (level + ask.charge, now));
            }
        }
        (levels, passes)
    };
    steps.iter().map(outcome).collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

proptest! {
    #[test]
    fn one_process_decides_by_the_book(steps in steps(200)) {
        let rules = rules(MANY);
        let outcomes = runtime().block_on(play(&Stage::local(), &rules, &steps));
        prop_assert_eq!(outcomes, model(&rules, &steps));
    }
}

#[test]
fn redis_decides_by_the_book() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let Some(stage) = Stage::redis() else {
        return;
    };
    let rules = rules(MANY);
    let config = proptest::test_runner::Config {
        failure_persistence: None,
        cases: 64,
        ..Default::default()
    };
    let played = TestRunner::new(config).run(&steps(100), |steps| {
        let outcomes = runtime.block_on(async {
            let mut flush = platform::redis::Cmd::new();
            let shared = stage.counters.0.shared.as_ref().expect("Redis");
            let flushed = shared.redis().command::<()>(flush.arg("FLUSHALL")).await;
            flushed.expect("an answer");
            // Only differences of time matter: the clock goes on from case to case.
            play(&stage, &rules, &steps).await
        });
        prop_assert_eq!(outcomes, model(&rules, &steps));
        Ok(())
    });
    played.expect("the same decisions");
}
