//! Two roles that talk by events: `shop` says words, `desk` hears them.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use kernel::problem::codes;
use kernel::{Envelope, Event, Kind, ManualClock, Problem, Sources, SystemRandom, Timestamp};
use parking_lot::Mutex;
use platform::context::RequestContext;
use platform::db::{Db, Migration, Tx};
use platform::events::{
    self, Bus, Consumer, DatabaseBus, Destination, EventSink, Handling, Inbox, InboxSettings, Relay,
};
use platform::metrics::{DbMetrics, Metrics};
use platform::testing::TestDatabase;
use platform::{params, sql};
use serde::{Deserialize, Serialize};

const NOTHING: &[Migration] = &[];
const HEARD: &[Migration] = &[Migration {
    name: "0001_heard",
    sqlite: "CREATE TABLE heard (place INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL,
                 word TEXT NOT NULL, trace TEXT NOT NULL) STRICT",
    postgres: "CREATE TABLE heard (place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                   subject text NOT NULL, word text NOT NULL, trace text NOT NULL)",
}];

/// Attempts before an event is parked.
pub(crate) const ATTEMPTS: u32 = 4;
pub(crate) const RETENTION: Duration = Duration::from_secs(3600);

/// Somebody has said a word.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) subject: String,
    pub(crate) word: String,
}

impl Event for Said {
    const TYPE: &'static str = "test.said.v1";
    fn subject(&self) -> String {
        self.subject.clone()
    }
}

/// Writes down what it hears, except words that it refuses for now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ears {
    refused: Arc<Mutex<BTreeSet<String>>>,
}

impl Ears {
    pub(crate) fn refuse(&self, word: &str) {
        self.refused.lock().insert(word.to_owned());
    }

    pub(crate) fn accept(&self, word: &str) {
        self.refused.lock().remove(word);
    }
}

fn hear(ears: Ears, tx: &Tx, said: Said) -> Handling<'_> {
    let refused = ears.refused.lock().contains(&said.word);
    Box::pin(async move {
        let trace = RequestContext::current().map(|context| context.trace.trace_id_text());
        let insert = sql!("INSERT INTO heard (subject, word, trace) VALUES ($1, $2, $3)");
        let trace = trace.unwrap_or_default();
        tx.run(insert, params![said.subject, said.word, trace])
            .await?;
        if refused {
            return Err(Problem::new(Kind::Conflict, codes::INVALID, "not now"));
        }
        Ok(())
    })
}

/// Stands between the bus and the desk: lets through, refuses, or loses the answer.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    inbox: Inbox,
    mood: Arc<Mutex<Mood>>,
    deliveries: Arc<Mutex<Vec<usize>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Works,
    IsAway,
    LosesAnswers,
}

impl Wire {
    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock() = mood;
    }

    /// How many events each delivery had.
    pub(crate) fn deliveries(&self) -> Vec<usize> {
        self.deliveries.lock().clone()
    }
}

impl EventSink for Wire {
    fn deliver(
        &self,
        events: Vec<Envelope>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Problem>> + Send + '_>> {
        let mood = *self.mood.lock();
        self.deliveries.lock().push(events.len());
        let away = Err(Problem::unavailable(
            codes::UNAVAILABLE,
            "the desk is away",
            1,
        ));
        Box::pin(async move {
            match mood {
                Mood::Works => self.inbox.deliver(events).await,
                Mood::IsAway => away,
                Mood::LosesAnswers => self.inbox.deliver(events).await.and(away),
            }
        })
    }
}

pub(crate) struct Stage {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) shop: Db,
    pub(crate) desk: Db,
    pub(crate) inbox: Inbox,
    pub(crate) ears: Ears,
    pub(crate) wire: Wire,
    pub(crate) metrics: Metrics,
    pub(crate) database: TestDatabase,
    sources: Sources,
}

async fn open(
    database: &TestDatabase,
    role: &'static str,
    migrations: &'static [Migration],
    sources: &Sources,
) -> Db {
    let settings = database.settings();
    let db = Db::open(role, &settings, sources.clone(), DbMetrics::default()).await;
    let db = db.expect("the test database opens");
    db.migrate(migrations)
        .await
        .expect("the test database migrates");
    db
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(
            1_800_000_000_000_000,
        )));
        let sources = Sources::new(clock.clone(), Arc::new(SystemRandom));
        let database = TestDatabase::create().await;
        let shop = open(&database, "shop", NOTHING, &sources).await;
        let desk = open(&database, "desk", HEARD, &sources).await;
        let (ears, metrics) = (Ears::default(), Metrics::new());
        let settings = InboxSettings {
            attempts: ATTEMPTS,
            poll: Duration::from_millis(50),
        };
        let consumers = vec![Consumer::new("desk.hear", &ears, hear)];
        let inbox = Inbox::new(desk.clone(), consumers, metrics.clone(), settings);
        let wire = Wire {
            inbox: inbox.clone(),
            mood: Arc::new(Mutex::new(Mood::Works)),
            deliveries: Arc::default(),
        };
        Self {
            clock,
            shop,
            desk,
            inbox,
            ears,
            wire,
            metrics,
            database,
            sources,
        }
    }

    /// Another instance of the shop: its own connections, the same database.
    pub(crate) async fn another_shop(&self) -> Db {
        open(&self.database, "shop", NOTHING, &self.sources).await
    }

    /// A relay that sends what `db` holds over the wire.
    pub(crate) fn relay(&self, db: &Db) -> Arc<Relay> {
        let desk = Destination {
            role: "desk",
            event_types: BTreeSet::from([Said::TYPE]),
            sink: Arc::new(self.wire.clone()),
        };
        let bus = Bus::Database(DatabaseBus::new(db.clone(), vec![desk]));
        let poll = Duration::from_millis(50);
        Relay::new(db.clone(), bus, self.metrics.clone(), poll, RETENTION)
    }

    /// Says words about subjects, `subject:word` each, in one transaction.
    pub(crate) async fn say(&self, words: &[&str]) {
        let said: Vec<Said> = words.iter().map(|word| said(word)).collect();
        self.shop
            .write(move |tx| async move {
                for said in &said {
                    events::emit(&tx, said).await?;
                }
                Ok::<_, platform::db::DbError>(())
            })
            .await
            .expect("said");
    }

    /// Envelopes, for deliveries that go past the relay.
    pub(crate) fn envelopes(&self, words: &[&str]) -> Vec<Envelope> {
        let words = words.iter().map(|word| said(word));
        let wrap = |said| Envelope::new(self.sources.id(), "shop", self.sources.now(), &said);
        words.map(wrap).collect()
    }

    /// What the desk has heard about a subject, in order.
    pub(crate) async fn heard(&self, subject: &str) -> Vec<String> {
        let select = sql!("SELECT word FROM heard WHERE subject = $1 ORDER BY place");
        let tx = self.desk.read().await.expect("a reader");
        let rows: Vec<(String,)> = tx.all(select, params![subject]).await.expect("rows");
        rows.into_iter().map(|row| row.0).collect()
    }

    /// Lets `by` pass, then tries what is due.
    pub(crate) async fn retry_after(&self, by: Duration) {
        self.clock.advance(by);
        self.inbox.retry_due().await.expect("retried");
    }
}

fn said(text: &str) -> Said {
    let (subject, word) = text.split_once(':').expect("subject:word");
    Said {
        subject: subject.to_owned(),
        word: word.to_owned(),
    }
}
