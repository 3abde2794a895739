//! What reaches an inbox is handled once by each consumer, whatever else happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kernel::problem::codes;
use kernel::{Envelope, Event, Kind, Problem};
use platform::db::{Db, Migration, Tx};
use platform::events::{Consumer, EventSink, Handling, Inbox, InboxSettings};
use platform::metrics::Metrics;
use platform::testing::TestDatabase;
use platform::{params, sql};
use serde::{Deserialize, Serialize};

const TALLY: &[Migration] = &[Migration {
    name: "0001_tally",
    sqlite: "CREATE TABLE tally (consumer TEXT NOT NULL, word TEXT NOT NULL) STRICT",
    postgres: "CREATE TABLE tally (consumer text NOT NULL, word text NOT NULL)",
}];

#[derive(Debug, Serialize, Deserialize)]
struct Said {
    word: String,
}

impl Event for Said {
    const TYPE: &'static str = "test.said.v1";
    fn subject(&self) -> String {
        self.word.clone()
    }
}

/// Remembers how often it was called.
#[derive(Debug, Clone, Default)]
struct Listener {
    calls: Arc<AtomicUsize>,
}

impl Listener {
    /// Writes every word down; refuses `bad`.
    fn hear<'a>(&self, tx: &'a Tx, consumer: &'static str, said: Vec<Said>) -> Handling<'a> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            for Said { word } in said {
                let insert = sql!("INSERT INTO tally (consumer, word) VALUES ($1, $2)");
                tx.run(insert, params![consumer, word]).await?;
                if word == "bad" {
                    return Err(Problem::new(Kind::Conflict, codes::INVALID, "a bad word"));
                }
            }
            Ok(())
        })
    }
}

struct Room {
    db: Db,
    inbox: Inbox,
    single: Listener,
    batch: Listener,
    _database: TestDatabase,
}

async fn room() -> Room {
    let database = TestDatabase::create().await;
    let db = database.open("tally", TALLY).await;
    let (single, batch) = (Listener::default(), Listener::default());
    let one = Consumer::new("tally.single", &single, |this: Listener, tx, said: Said| {
        this.hear(tx, "single", vec![said])
    });
    let many = Consumer::batch("tally.batch", &batch, |this: Listener, tx, said| {
        this.hear(tx, "batch", said)
    });
    let settings = InboxSettings {
        attempts: 3,
        poll: Duration::from_secs(1),
    };
    let inbox = Inbox::new(db.clone(), vec![one, many], Metrics::new(), settings);
    Room {
        db,
        inbox,
        single,
        batch,
        _database: database,
    }
}

impl Room {
    fn events(&self, words: &[&str]) -> Vec<Envelope> {
        let sources = self.db.sources();
        let said = words.iter().map(|word| Said {
            word: (*word).to_owned(),
        });
        said.map(|said| Envelope::new(sources.id(), "test", sources.now(), &said))
            .collect()
    }

    async fn heard(&self, consumer: &str) -> Vec<String> {
        let select = sql!("SELECT word FROM tally WHERE consumer = $1 ORDER BY word");
        let tx = self.db.read().await.expect("a reader");
        let rows: Vec<(String,)> = tx.all(select, params![consumer]).await.expect("rows");
        rows.into_iter().map(|row| row.0).collect()
    }
}

#[tokio::test]
async fn a_batch_consumer_gets_what_arrives_together_at_once() {
    let room = room().await;
    let events = room.events(&["a", "b", "c"]);
    room.inbox.deliver(events.clone()).await.expect("delivered");
    assert_eq!(room.single.calls.load(Ordering::SeqCst), 3);
    assert_eq!(room.batch.calls.load(Ordering::SeqCst), 1);
    // Twice in one delivery, and again: nothing more happens.
    let twice = [events.clone(), events, room.events(&["d"])].concat();
    room.inbox.deliver(twice).await.expect("delivered");
    let last = room.events(&["e"]);
    room.inbox
        .deliver([last.clone(), last].concat())
        .await
        .expect("delivered");
    for consumer in ["single", "batch"] {
        assert_eq!(
            room.heard(consumer).await,
            ["a", "b", "c", "d", "e"],
            "{consumer}"
        );
    }
}

#[tokio::test]
async fn what_fails_harms_neither_its_batch_nor_other_consumers() {
    let room = room().await;
    let events = room.events(&["good", "bad", "better"]);
    room.inbox.deliver(events).await.expect("delivered");
    for consumer in ["single", "batch"] {
        assert_eq!(room.heard(consumer).await, ["better", "good"], "{consumer}");
    }
}
