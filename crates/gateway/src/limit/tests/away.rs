//! Redis dies in the middle of it all, and comes back.

use super::*;

const RULES: &str = "
[[limit]]
name = 'each-for-itself'
per = 'address'
rate = '3/1h'
[[limit]]
name = 'open'
per = 'route'
rate = '4/1h'
when_away = 'open'
";

#[tokio::test]
async fn rules_hold_in_each_instance_while_redis_is_away() {
    let Some(mut stage) = Stage::redis() else {
        return;
    };
    let rules = rules(RULES);
    let ada = request("GET", ADA, 1);
    for _ in 0..3 {
        assert_eq!(seen(&stage.take(&rules, &ada).await).0, None);
    }
    assert!(seen(&stage.take(&rules, &ada).await).0.is_some());

    stage.server().kill();
    for left in (0..3).rev() {
        let (wait, told) = seen(&stage.take(&rules, &ada).await);
        assert_eq!(wait, None, "what only Redis knew is not known");
        assert!(
            told.starts_with(&format!("\"each-for-itself\";r={left};")),
            "{told}"
        );
        assert!(!told.contains("open"), "{told}");
    }
    assert!(seen(&stage.take(&rules, &ada).await).0.is_some());
    let asks = asks(&rules, &ada);
    let errors = |index: usize| rules.get(&asks[index]).counted.errors.get();
    assert_eq!((errors(0), errors(1)), (4, 4));

    stage.server().start_again();
    let counted_by_all = async {
        while !seen(&stage.take(&rules, &ada).await).1.contains("open") {
            tokio::task::yield_now().await;
        }
    };
    let back = tokio::time::timeout(Duration::from_secs(20), counted_by_all).await;
    back.expect("all instances count together again");
    assert_eq!(
        seen(&stage.take(&rules, &ada).await).0,
        None,
        "it was empty"
    );
}

#[tokio::test]
async fn a_closed_rule_refuses_what_nobody_can_count() {
    let Some(mut stage) = Stage::redis() else {
        return;
    };
    let closed = rules(&format!(
        "{RULES}\n[[limit]]\nname = 'closed'\nper = 'route'\nrate = '100/1h'\nwhen_away = 'closed'"
    ));
    let shadow = rules(&format!(
        "{RULES}\n[[limit]]\nname = 'shadow'\nper = 'route'\nrate = '100/1h'\nwhen_away = 'closed'\nshadow = true"
    ));
    let ada = request("GET", ADA, 1);
    assert!(stage.take(&closed, &ada).await.refusal().is_none());
    stage.server().kill();
    for _ in 0..10 {
        let refusal = stage.take(&closed, &ada).await.refusal().expect("refused");
        assert_eq!((refusal.status, refusal.retry_after), (503, Some(1)));
        assert_eq!(refusal.code, codes::UNAVAILABLE.as_str());
    }
    for _ in 0..3 {
        let passes = stage.take(&shadow, &ada).await.refusal().is_none();
        assert!(
            passes,
            "a shadow refuses nobody, and nothing was taken before"
        );
    }
}

#[tokio::test]
async fn a_clock_that_is_behind_after_a_failover_shuts_nobody_out() {
    let Some(stage) = Stage::redis() else {
        return;
    };
    let rules = rules("[[limit]]\nname = 'a'\nper = 'route'\nrate = '10/10s'");
    let ada = request("GET", ADA, 1);
    let at = async |now: i64| {
        let asks = asks(&rules, &ada);
        seen(&stage.counters.decide(&rules, asks, Some(now)).await).0
    };
    assert_eq!(at(START + 86_400_000_000).await, None);
    assert_eq!(at(START).await, Some(1), "a full bucket, and not a day");
}

#[tokio::test]
async fn by_its_own_clock_redis_forgets_what_has_been_paid() {
    let Some(stage) = Stage::redis() else {
        return;
    };
    let rules = rules("[[limit]]\nname = 'a'\nper = 'route'\nrate = '4/1h'");
    let ada = request("GET", ADA, 1);
    for left in (0..4).rev() {
        let decision = stage.counters.take(&rules, asks(&rules, &ada)).await;
        let (wait, told) = seen(&decision);
        assert_eq!(wait, None);
        assert!(told.starts_with(&format!("\"a\";r={left};")), "{told}");
    }
    let refused = seen(&stage.counters.take(&rules, asks(&rules, &ada)).await).0;
    assert!(matches!(refused, Some(800..=900)), "{refused:?}");
    let redis = stage.counters.0.shared.as_ref().expect("Redis").redis();
    let script =
        platform::redis::Script::new("return redis.call('PTTL', redis.call('KEYS', '*')[1])");
    let left: i64 = redis.script(&script, 0, |_| {}).await.expect("an answer");
    assert!((3_500_000..=3_600_001).contains(&left), "{left} ms");
}

#[tokio::test]
async fn a_value_that_is_no_counter_is_as_good_as_none() {
    let Some(stage) = Stage::redis() else {
        return;
    };
    let rules = rules(RULES);
    let ada = request("GET", ADA, 1);
    let keys = async |name: &str| {
        let mut command = platform::redis::Cmd::new();
        let shared = stage.counters.0.shared.as_ref().expect("Redis");
        let found: Vec<String> = shared
            .redis()
            .command(command.arg("KEYS").arg(name))
            .await
            .expect("an answer");
        found
    };
    assert!(stage.take(&rules, &ada).await.refusal().is_none());
    let found = keys("*").await;
    assert_eq!(found.len(), 2);
    assert!(
        found.iter().all(|key| key.starts_with("{rialto:limit}:")),
        "one slot: {found:?}"
    );
    for key in &found {
        let mut command = platform::redis::Cmd::new();
        let shared = stage.counters.0.shared.as_ref().expect("Redis");
        let set = command.arg("SET").arg(key).arg("nonsense");
        shared.redis().command::<()>(set).await.expect("an answer");
    }
    let (wait, told) = seen(&stage.take(&rules, &ada).await);
    assert_eq!(wait, None);
    assert!(told.starts_with("\"each-for-itself\";r=2;"), "{told}");
}
