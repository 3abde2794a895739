//! Events that fail: they are tried again in order, and parked in the end.

use std::time::Duration;

use kernel::Envelope;
use platform::events::{EventSink, FailureState, failures, replay};
use serde_json::value::RawValue;

use crate::stage::{ATTEMPTS, Stage};

const SECOND: Duration = Duration::from_secs(1);
/// Longer than any delay before the first attempts.
const LONG: Duration = Duration::from_secs(60);

async fn deliver(stage: &Stage, events: &[Envelope]) {
    stage
        .inbox
        .deliver(events.to_vec())
        .await
        .expect("taken charge of");
}

#[tokio::test]
async fn a_failure_holds_back_its_subject_and_no_other() {
    let stage = Stage::set().await;
    stage.ears.refuse("a1");
    let events = stage.envelopes(&["a:a1", "b:b1", "a:a2", "a:a3", "b:b2"]);
    deliver(&stage, &events).await;
    assert_eq!(stage.heard("b").await, ["b1", "b2"]);
    assert!(stage.heard("a").await.is_empty());
    stage.ears.accept("a1");
    stage.retry_after(SECOND * 2).await;
    assert_eq!(stage.heard("a").await, ["a1", "a2", "a3"]);
    assert!(failures(&stage.desk).await.expect("failures").is_empty());
}

#[tokio::test]
async fn what_comes_later_does_not_overtake_however_long_the_first_one_waits() {
    let stage = Stage::set().await;
    stage.ears.refuse("a1");
    deliver(&stage, &stage.envelopes(&["a:a1"])).await;
    stage.retry_after(LONG).await;
    stage.retry_after(LONG).await;
    // The first one now waits for four seconds or so, and works again.
    stage.ears.accept("a1");
    deliver(&stage, &stage.envelopes(&["a:a2"])).await;
    deliver(&stage, &stage.envelopes(&["a:a3", "b:b1"])).await;
    stage.retry_after(SECOND * 2).await;
    assert!(stage.heard("a").await.is_empty());
    assert_eq!(stage.heard("b").await, ["b1"]);
    stage.retry_after(LONG).await;
    assert_eq!(stage.heard("a").await, ["a1", "a2", "a3"]);
}

#[tokio::test]
async fn many_that_wait_in_the_same_moment_keep_their_order() {
    let stage = Stage::set().await;
    stage.ears.refuse("0");
    let words: Vec<String> = (0..30).map(|n| n.to_string()).collect();
    let said: Vec<String> = words.iter().map(|word| format!("a:{word}")).collect();
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    deliver(&stage, &stage.envelopes(&said)).await;
    stage.ears.accept("0");
    stage.retry_after(SECOND * 2).await;
    assert_eq!(stage.heard("a").await, words);
}

#[tokio::test]
async fn poison_is_parked_and_the_rest_goes_on() {
    let stage = Stage::set().await;
    stage.ears.refuse("poison");
    let events = stage.envelopes(&["a:poison", "a:a2"]);
    deliver(&stage, &events).await;
    for attempt in 1..ATTEMPTS {
        let kept = failures(&stage.desk).await.expect("failures");
        assert_eq!(
            (kept[0].event_id, kept[0].attempts),
            (events[0].id, attempt)
        );
        assert_eq!(kept[0].state(), FailureState::Waiting);
        assert!(kept[0].error.contains("not now"));
        assert!(stage.heard("a").await.is_empty());
        stage.retry_after(LONG).await;
    }
    let kept = failures(&stage.desk).await.expect("failures");
    assert_eq!((kept.len(), kept[0].state()), (1, FailureState::Parked));
    assert_eq!(stage.heard("a").await, ["a2"]);
    // Nobody tries it again until a person asks for it.
    stage.ears.accept("poison");
    stage.retry_after(LONG * 100).await;
    assert_eq!(stage.heard("a").await, ["a2"]);
    assert_eq!(
        replay(&stage.desk, Some(events[0].id))
            .await
            .expect("replayed"),
        1
    );
    stage.retry_after(Duration::ZERO).await;
    assert_eq!(stage.heard("a").await, ["a2", "poison"]);
    assert!(failures(&stage.desk).await.expect("failures").is_empty());
}

#[tokio::test]
async fn a_replay_that_fails_again_has_all_its_attempts() {
    let stage = Stage::set().await;
    stage.ears.refuse("poison");
    deliver(&stage, &stage.envelopes(&["a:poison", "b:b1"])).await;
    for _ in 0..2 {
        for _ in 1..ATTEMPTS {
            let kept = failures(&stage.desk).await.expect("failures");
            assert_eq!(kept[0].state(), FailureState::Waiting);
            stage.retry_after(LONG).await;
        }
        let kept = failures(&stage.desk).await.expect("failures");
        assert_eq!(
            (kept[0].attempts, kept[0].state()),
            (ATTEMPTS, FailureState::Parked)
        );
        assert_eq!(replay(&stage.desk, None).await.expect("replayed"), 1);
        stage.retry_after(Duration::ZERO).await;
    }
}

#[tokio::test]
async fn what_arrives_again_neither_starts_anew_nor_comes_back() {
    let stage = Stage::set().await;
    stage.ears.refuse("poison");
    let events = stage.envelopes(&["a:a0", "a:poison", "a:a2"]);
    deliver(&stage, &events).await;
    for attempt in 1..ATTEMPTS {
        deliver(&stage, &events).await;
        let kept = failures(&stage.desk).await.expect("failures");
        let poison = kept
            .iter()
            .find(|kept| kept.event_id == events[1].id)
            .expect("kept");
        assert_eq!(poison.attempts, attempt);
        stage.retry_after(LONG).await;
    }
    deliver(&stage, &events).await;
    let kept = failures(&stage.desk).await.expect("failures");
    assert_eq!((kept.len(), kept[0].state()), (1, FailureState::Parked));
    assert_eq!(stage.heard("a").await, ["a0", "a2"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_parked_at_once() {
    let stage = Stage::set().await;
    let mut events = stage.envelopes(&["a:a1", "a:a2"]);
    events[0].data = RawValue::from_string(String::from("{\"odd\": 1}")).expect("JSON");
    deliver(&stage, &events).await;
    let kept = failures(&stage.desk).await.expect("failures");
    assert_eq!((kept.len(), kept[0].state()), (1, FailureState::Parked));
    assert!(kept[0].error.contains("missing field"), "{}", kept[0].error);
    assert_eq!(stage.heard("a").await, ["a2"]);
}

#[tokio::test]
async fn one_instance_at_a_time_retries() {
    let stage = Stage::set().await;
    stage.ears.refuse("a1");
    deliver(&stage, &stage.envelopes(&["a:a1"])).await;
    stage.ears.accept("a1");
    stage.clock.advance(LONG);
    let retries = (0..8).map(|_| stage.inbox.retry_due());
    let tried = futures_util::future::join_all(retries).await;
    assert!(tried.iter().all(Result::is_ok));
    assert_eq!(stage.heard("a").await, ["a1"]);
}
