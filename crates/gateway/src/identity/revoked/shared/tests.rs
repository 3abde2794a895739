//! What Redis keeps of revocations, and for how long.

use kernel::{Clock, ManualClock, SystemRandom};
use platform::redis::FromRedisValue;
use platform::testing::TestRedis;

use super::*;

struct Desk {
    clock: Arc<ManualClock>,
    own: Arc<Revocations>,
    shared: SharedRevocations,
}

/// An instance with room for so many; its clock is not that of the server.
fn desk(server: &TestRedis, capacity: usize) -> Desk {
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_000_000)));
    let sources = Sources::new(clock.clone(), Arc::new(SystemRandom));
    let own = Arc::new(Revocations::new(sources.clone(), capacity));
    let url: CacheUrl = server.url().parse().expect("a URL");
    let shared = SharedRevocations::at(&url, &own, &sources, &Metrics::new());
    let mut shared = shared.expect("in Redis");
    let inner = Arc::get_mut(&mut shared.0).expect("nobody else has it yet");
    inner.again = Duration::from_millis(50);
    Desk { clock, own, shared }
}

impl Desk {
    async fn revoke(&self, what: Revocation<'_>, keep: Duration) -> Result<(), RevokeError> {
        let until = self.clock.now().plus(keep);
        self.shared.revoke("acme", what, until).await
    }

    async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = Cmd::new();
        for word in words {
            command.arg(word);
        }
        let asking = async {
            loop {
                if let Ok(answer) = self.shared.0.redis.command(&command).await {
                    return answer;
                }
                tokio::task::yield_now().await;
            }
        };
        let answer = tokio::time::timeout(Duration::from_secs(20), asking).await;
        answer.expect("an answer")
    }

    async fn kept(&self) -> Vec<(String, String)> {
        let mut kept: Vec<(String, String)> = self.ask(&["HGETALL", ALL]).await;
        kept.sort_unstable();
        kept
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn what_is_revoked_is_kept_until_it_does_not_matter_any_more() {
    let Some(server) = TestRedis::start() else {
        return;
    };
    let desk = desk(&server, 10);
    let subject = Revocation::Subject("u1");
    desk.revoke(subject, HOUR).await.expect("kept");
    desk.clock.advance(Duration::from_secs(1));
    desk.revoke(subject, HOUR / 2).await.expect("kept");
    // Neither time goes back, not for one either who knows nothing of the first call.
    let other = self::desk(&server, 10);
    other.revoke(subject, HOUR / 2).await.expect("kept");
    let field = String::from("[\"acme\",{\"subject\":\"u1\"}]");
    let times = String::from("2000000 3601000000");
    assert_eq!(desk.kept().await, [(field, times)]);
    for key in [ALL, UNTIL] {
        let left: i64 = desk.ask(&["PTTL", key]).await;
        assert!((3_500_000..=3_600_000).contains(&left), "{key}: {left}");
    }
    // The key of what matters longest decides; the others go with the next call.
    let short = Revocation::Token("t1");
    desk.revoke(short, Duration::ZERO).await.expect("kept");
    let gone = async || {
        desk.revoke(subject, HOUR).await.expect("kept");
        desk.kept().await.len() == 1
    };
    let asking = async { while !gone().await {} };
    let asked = tokio::time::timeout(Duration::from_secs(20), asking).await;
    asked.expect("what has expired is forgotten");
    let until: u64 = desk.ask(&["ZCARD", UNTIL]).await;
    assert_eq!(until, 1);
}

#[tokio::test]
async fn no_more_is_kept_than_there_is_room_for() {
    let Some(server) = TestRedis::start() else {
        return;
    };
    let (one, two) = (desk(&server, 2), desk(&server, 2));
    for id in ["t1", "t2"] {
        one.revoke(Revocation::Token(id), HOUR).await.expect("kept");
    }
    let more = two.revoke(Revocation::Token("t3"), HOUR).await;
    assert!(matches!(more, Err(RevokeError::NoRoomToShare)), "{more:?}");
    assert_eq!(two.kept().await.len(), 2);
    let more = one.revoke(Revocation::Token("t4"), HOUR).await;
    assert!(matches!(more, Err(RevokeError::Full(_))), "{more:?}");
    // What has its room already can be repeated.
    let again = one.revoke(Revocation::Token("t2"), HOUR).await;
    again.expect("kept");
}

#[tokio::test]
async fn more_than_one_batch_is_read_and_given_back() {
    let Some(mut server) = TestRedis::start() else {
        return;
    };
    let (one, two) = (desk(&server, 10_000), desk(&server, 10_000));
    let until = one.clock.now().plus(HOUR);
    let ids: Vec<String> = (0..BATCH * 2 + 7).map(|id| format!("t{id}")).collect();
    for id in &ids {
        let own = one.own.revoke("acme", Revocation::Token(id), until);
        own.expect("room");
    }
    let shutdown = Shutdown::new();
    let knows = async |desk: &Desk| {
        let asking = async {
            while desk.own.missed_by(u64::MAX, usize::MAX).len() < ids.len() {
                tokio::task::yield_now().await;
            }
        };
        let asked = tokio::time::timeout(Duration::from_secs(20), asking).await;
        asked.expect("it learns all");
    };
    let story = async {
        // The other one hears what the first gives back; a third reads it.
        knows(&two).await;
        let three = desk(&server, 10_000);
        let stop = Shutdown::new();
        tokio::select! {
            () = three.shared.follow(&stop) => unreachable!("nobody stops it"),
            () = knows(&three) => {}
        }
        assert!(three.shared.read());
        server.start_again();
        let asking = async { while three.kept().await.len() < ids.len() {} };
        let asked = tokio::time::timeout(Duration::from_secs(20), asking).await;
        asked.expect("it is given back to a server that has lost it");
        shutdown.begin();
    };
    tokio::join!(
        one.shared.follow(&shutdown),
        two.shared.follow(&shutdown),
        story
    );
}

#[tokio::test]
async fn what_redis_loses_while_it_is_there_it_is_given_back() {
    let Some(server) = TestRedis::start() else {
        return;
    };
    let desk = desk(&server, 10);
    let shutdown = Shutdown::new();
    let story = async {
        let token = Revocation::Token("t1");
        desk.revoke(token, HOUR).await.expect("kept");
        desk.ask::<()>(&["FLUSHALL"]).await;
        let asking = async { while desk.kept().await.is_empty() {} };
        let asked = tokio::time::timeout(Duration::from_secs(20), asking).await;
        asked.expect("it is given back");
        // So is what Redis could not take.
        let until = desk.clock.now().plus(HOUR);
        let own = desk.own.revoke("acme", Revocation::Token("t2"), until);
        own.expect("room");
        let asking = async { while desk.kept().await.len() < 2 {} };
        let asked = tokio::time::timeout(Duration::from_secs(20), asking).await;
        asked.expect("it is given");
        shutdown.begin();
    };
    tokio::join!(desk.shared.follow(&shutdown), story);
}
