//! Events from the outbox of one role to the inbox of another.

use std::time::Duration;

use kernel::Sources;
use platform::context::RequestContext;
use platform::db::DbError;
use platform::events::{self, outbox_state};
use platform::sql;
use platform::tasks::Shutdown;
use platform::telemetry::TraceContext;

use crate::stage::{Mood, RETENTION, Said, Stage};

/// Longer than a lease lasts that nobody keeps.
const LAPSE: Duration = Duration::from_secs(6);

#[tokio::test]
async fn what_is_undone_was_never_said() {
    let stage = Stage::set().await;
    let said = Said {
        subject: "a".into(),
        word: "undone".into(),
    };
    let undone: Result<(), DbError> = stage
        .shop
        .write(move |tx| async move {
            events::emit(&tx, &said).await?;
            Err(DbError::Closed)
        })
        .await;
    assert!(undone.is_err());
    stage.say(&["a:done"]).await;
    let relay = stage.relay(&stage.shop);
    assert_eq!(relay.flush().await.expect("sent"), 1);
    assert_eq!(stage.heard("a").await, ["done"]);
    assert_eq!(relay.flush().await.expect("sent"), 0);
    assert_eq!(relay.pending().await.expect("counted"), 0);
}

#[tokio::test]
async fn each_subject_arrives_in_order_over_many_batches() {
    let stage = Stage::set().await;
    let mut said = Vec::new();
    for n in 0..120 {
        for subject in ["a", "b", "c", "d"] {
            said.push(format!("{subject}:{n}"));
        }
    }
    for part in said.chunks(100) {
        stage
            .say(&part.iter().map(String::as_str).collect::<Vec<_>>())
            .await;
    }
    assert_eq!(stage.relay(&stage.shop).flush().await.expect("sent"), 480);
    let all: Vec<String> = (0..120).map(|n| n.to_string()).collect();
    for subject in ["a", "b", "c", "d"] {
        assert_eq!(stage.heard(subject).await, all);
    }
    assert_eq!(stage.wire.deliveries(), [200, 200, 80]);
}

#[tokio::test]
async fn a_lost_answer_repeats_the_delivery_and_not_its_effect() {
    let stage = Stage::set().await;
    let relay = stage.relay(&stage.shop);
    stage.wire.set(Mood::LosesAnswers);
    stage.say(&["a:a1", "a:a2"]).await;
    relay.flush().await.expect("kept for later");
    stage.say(&["a:a3"]).await;
    relay.flush().await.expect("kept for later");
    stage.wire.set(Mood::Works);
    relay.retry().await.expect("sent");
    assert_eq!(stage.heard("a").await, ["a1", "a2", "a3"]);
    assert_eq!(stage.wire.deliveries(), [2, 3]);
}

#[tokio::test]
async fn a_role_that_is_away_gets_everything_later_in_order() {
    let stage = Stage::set().await;
    let relay = stage.relay(&stage.shop);
    stage.wire.set(Mood::IsAway);
    let said: Vec<String> = (0..450).map(|n| format!("a:{n}")).collect();
    for part in said.chunks(150) {
        stage
            .say(&part.iter().map(String::as_str).collect::<Vec<_>>())
            .await;
        relay.flush().await.expect("kept for later");
    }
    let state = outbox_state(&stage.shop).await.expect("the outbox");
    assert_eq!((state.pending, state.backlog["desk"]), (0, 450));
    assert!(relay.retry().await.expect("in vain") > 0);
    // It is back, but what comes now must not overtake.
    stage.wire.set(Mood::Works);
    stage.say(&["a:450"]).await;
    relay.flush().await.expect("kept for later");
    assert!(stage.heard("a").await.is_empty());
    relay.retry().await.expect("sent");
    let all: Vec<String> = (0..451).map(|n| n.to_string()).collect();
    assert_eq!(stage.heard("a").await, all);
    assert!(
        outbox_state(&stage.shop)
            .await
            .expect("the outbox")
            .backlog
            .is_empty()
    );
    assert_eq!(relay.retry().await.expect("nothing"), 0);
}

#[tokio::test]
async fn what_waits_outlives_the_process() {
    let stage = Stage::set().await;
    stage.wire.set(Mood::IsAway);
    stage.say(&["a:a1"]).await;
    let relay = stage.relay(&stage.shop);
    relay.flush().await.expect("kept for later");
    stage.clock.advance(LAPSE);
    stage.wire.set(Mood::Works);
    let (restarted, other) = (stage.another_shop().await, stage.another_shop().await);
    stage.say(&["a:a2"]).await;
    let relay = stage.relay(&restarted);
    relay.flush().await.expect("kept behind");
    assert!(stage.heard("a").await.is_empty());
    stage.relay(&other).retry().await.expect("not its turn");
    assert!(stage.heard("a").await.is_empty(), "one instance sends");
    relay.retry().await.expect("sent");
    assert_eq!(stage.heard("a").await, ["a1", "a2"]);
}

#[tokio::test]
async fn another_instance_takes_over_when_the_one_that_sends_is_gone() {
    let stage = Stage::set().await;
    let other = stage.another_shop().await;
    let (one, other) = (stage.relay(&stage.shop), stage.relay(&other));
    stage.say(&["a:a1"]).await;
    assert_eq!(one.flush().await.expect("sent"), 1);
    stage.say(&["a:a2"]).await;
    assert_eq!(other.flush().await.expect("not its turn"), 0);
    assert_eq!(stage.heard("a").await, ["a1"]);
    stage.clock.advance(LAPSE);
    assert_eq!(other.flush().await.expect("sent"), 1);
    assert_eq!(stage.heard("a").await, ["a1", "a2"]);
    stage.say(&["a:a3"]).await;
    assert_eq!(one.flush().await.expect("not its turn"), 0);
}

#[tokio::test]
async fn who_takes_over_again_knows_what_was_kept_back_meanwhile() {
    let stage = Stage::set().await;
    let other = stage.another_shop().await;
    let (one, other) = (stage.relay(&stage.shop), stage.relay(&other));
    stage.say(&["a:a1"]).await;
    one.flush().await.expect("sent");
    stage.clock.advance(LAPSE);
    stage.wire.set(Mood::IsAway);
    stage.say(&["a:a2"]).await;
    other.flush().await.expect("kept for later");
    stage.clock.advance(LAPSE);
    stage.wire.set(Mood::Works);
    stage.say(&["a:a3"]).await;
    one.flush().await.expect("kept behind");
    one.retry().await.expect("sent");
    assert_eq!(stage.heard("a").await, ["a1", "a2", "a3"]);
}

#[tokio::test]
async fn a_relay_that_stops_sends_what_there_is_and_lets_go() {
    let stage = Stage::set().await;
    let other = stage.another_shop().await;
    let (one, other) = (stage.relay(&stage.shop), stage.relay(&other));
    let shutdown = Shutdown::new();
    stage.say(&["a:a1"]).await;
    shutdown.begin();
    one.run(shutdown).await;
    assert_eq!(stage.heard("a").await, ["a1"]);
    stage.say(&["a:a2"]).await;
    assert_eq!(other.flush().await.expect("sent at once"), 1);
}

#[tokio::test]
async fn a_relay_sends_by_itself_and_forgets_what_is_old() {
    let stage = Stage::set().await;
    stage.say(&["a:a1"]).await;
    stage.relay(&stage.shop).flush().await.expect("sent");
    stage.clock.advance(RETENTION + LAPSE);
    let shutdown = Shutdown::new();
    let story = async {
        stage.say(&["a:a2"]).await;
        while stage.heard("a").await.len() < 2 {
            tokio::task::yield_now().await;
        }
        let count = sql!("SELECT COUNT(*) FROM outbox");
        loop {
            let tx = stage.shop.read().await.expect("a reader");
            if tx.one::<(i64,)>(count, &[]).await.expect("a count") == Some((1,)) {
                break shutdown.begin();
            }
            tokio::task::yield_now().await;
        }
    };
    let relay = stage.relay(&stage.shop).run(shutdown.clone());
    let both = Box::pin(async { tokio::join!(relay, story) });
    tokio::time::timeout(Duration::from_secs(20), both)
        .await
        .expect("by itself");
}

#[tokio::test]
async fn a_reaction_belongs_to_the_trace_of_its_cause() {
    let stage = Stage::set().await;
    let trace = TraceContext::root(&Sources::system());
    RequestContext::new(trace, None)
        .scope(stage.say(&["a:a1"]))
        .await;
    stage.relay(&stage.shop).flush().await.expect("sent");
    let tx = stage.desk.read().await.expect("a reader");
    let heard = tx
        .one::<(String,)>(sql!("SELECT trace FROM heard"), &[])
        .await;
    assert_eq!(heard.expect("a row"), Some((trace.trace_id_text(),)));
}
