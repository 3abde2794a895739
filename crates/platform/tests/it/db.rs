//! The database layer behaves the same on both engines.

use std::time::Duration;

use kernel::{Json, Sources, Timestamp};
use platform::db::{Db, DbError, DbSettings, MigrateError, Migration};
use platform::metrics::DbMetrics;
use platform::testing::TestDatabase;
use platform::{params, sql};
use uuid::Uuid;

const NOTES: &[Migration] = &[Migration {
    name: "0001_notes",
    sqlite:
        "CREATE TABLE notes (id BLOB PRIMARY KEY, body TEXT NOT NULL, flag INTEGER, size INTEGER,
             doc TEXT, raw BLOB, written_at INTEGER, CHECK (size >= 0)) STRICT",
    postgres:
        "CREATE TABLE notes (id uuid PRIMARY KEY, body text NOT NULL, flag boolean, size bigint,
             doc jsonb, raw bytea, written_at timestamptz, CHECK (size >= 0))",
}];

async fn notes() -> (TestDatabase, Db) {
    let database = TestDatabase::create().await;
    let db = database.open("note", NOTES).await;
    (database, db)
}

async fn add(db: &Db, body: &str, size: i64) -> Result<Uuid, DbError> {
    let id = db.sources().uuid();
    let body = body.to_owned();
    db.write(move |tx| async move {
        let insert = sql!("INSERT INTO notes (id, body, size) VALUES ($1, $2, $3)");
        tx.run(insert, params![id, body, size]).await?;
        Ok(id)
    })
    .await
}

async fn count(db: &Db) -> i64 {
    let reader = db.read().await.expect("a reader");
    let row = reader
        .one::<(i64,)>(sql!("SELECT COUNT(*) FROM notes"), &[])
        .await
        .expect("count");
    row.expect("a count").0
}

#[tokio::test]
async fn every_form_goes_in_and_comes_out() {
    let (_database, db) = notes().await;
    let id = db.sources().uuid();
    let written_at = Timestamp::from_micros(1_700_000_000_123_456);
    let doc = Json(vec![1, 2, 3]);
    let raw = vec![0_u8, 255];
    let insert = sql!(
        "INSERT INTO notes (id, body, flag, size, doc, raw, written_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)"
    );
    db.write(async move |tx: platform::db::Tx| {
        tx.exec(insert, params![id, "ü", true, 7_i64, doc, raw, written_at])
            .await
    })
    .await
    .expect("inserted");
    let tx = db.read().await.expect("a reader");
    let select = sql!("SELECT id, body, flag, size, doc, written_at FROM notes WHERE id = $1");
    let row = tx.one(select, params![id]).await.expect("a row");
    let expected = (
        id,
        String::from("ü"),
        Some(true),
        7_i64,
        Json(vec![1, 2, 3]),
        Some(written_at),
    );
    assert_eq!(row, Some(expected));
    let raw = tx
        .one(sql!("SELECT raw FROM notes WHERE id = $1"), params![id])
        .await;
    assert_eq!(raw.expect("a row"), Some((vec![0_u8, 255],)));
    let nulls = add(&db, "empty", 0).await.expect("added");
    let select = sql!("SELECT flag, written_at FROM notes WHERE id = $1");
    let row = tx.one(select, params![nulls]).await.expect("a row");
    assert_eq!(row, Some((None::<bool>, None::<Timestamp>)));
}

#[tokio::test]
async fn placeholders_go_by_number_not_by_appearance() {
    let (_database, db) = notes().await;
    add(&db, "here", 5).await.expect("added");
    let tx = db.read().await.expect("a reader");
    let select = sql!("SELECT body FROM notes WHERE size = $2 AND body = $1 AND size >= $2");
    let row: Option<(String,)> = tx.one(select, params!["here", 5_i64]).await.expect("a row");
    assert_eq!(row, Some((String::from("here"),)));
}

#[tokio::test]
async fn a_list_of_ids_is_one_parameter() {
    let (_database, db) = notes().await;
    let ids = [
        add(&db, "a", 1).await.expect("a"),
        add(&db, "b", 1).await.expect("b"),
    ];
    add(&db, "c", 1).await.expect("c");
    let tx = db.read().await.expect("a reader");
    let select = sql!(
        sqlite: "SELECT body FROM notes WHERE id IN rarray($1) ORDER BY body",
        postgres: "SELECT body FROM notes WHERE id = ANY($1) ORDER BY body"
    );
    let list = [kernel::Scalar::Uuids(ids.as_slice().into())];
    let bodies: Vec<(String,)> = tx.all(select, &list).await.expect("rows");
    assert_eq!(
        bodies.into_iter().map(|row| row.0).collect::<Vec<_>>(),
        ["a", "b"]
    );
}

#[tokio::test]
async fn an_error_undoes_everything() {
    let (_database, db) = notes().await;
    let id = db.sources().uuid();
    let failed: Result<(), DbError> = db
        .write(move |tx| async move {
            let insert = sql!("INSERT INTO notes (id, body, size) VALUES ($1, 'x', 1)");
            tx.exec(insert, params![id]).await?;
            Err(DbError::Closed)
        })
        .await;
    assert!(matches!(failed, Err(DbError::Closed)));
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn a_constraint_refuses_and_the_first_error_is_the_one_that_is_told() {
    let (_database, db) = notes().await;
    let refused = add(&db, "negative", -1).await;
    assert!(
        matches!(refused, Err(DbError::Constraint { .. })),
        "{refused:?}"
    );
    let ids = (db.sources().uuid(), db.sources().uuid());
    let refused: Result<(), DbError> = db
        .write(move |tx| async move {
            let insert = sql!("INSERT INTO notes (id, body, size) VALUES ($1, 'x', $2)");
            tx.run(insert, params![ids.0, -1_i64]).await?;
            tx.exec(insert, params![ids.1, 1_i64]).await?;
            Ok(())
        })
        .await;
    assert!(
        matches!(refused, Err(DbError::Constraint { .. })),
        "{refused:?}"
    );
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn a_swallowed_error_still_dooms_the_transaction() {
    let (_database, db) = notes().await;
    let ids = (db.sources().uuid(), db.sources().uuid());
    let result: Result<(), DbError> = db
        .write(move |tx| async move {
            let insert = sql!("INSERT INTO notes (id, body, size) VALUES ($1, 'x', $2)");
            tx.exec(insert, params![ids.0, 1_i64]).await?;
            let _ = tx.exec(insert, params![ids.1, -1_i64]).await;
            Ok(())
        })
        .await;
    assert!(
        matches!(result, Err(DbError::Constraint { .. })),
        "{result:?}"
    );
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn one_failure_in_a_shared_commit_harms_nobody_else() {
    let (_database, db) = notes().await;
    let adds = (0..50).map(|n| add(&db, "x", if n % 5 == 0 { -1 } else { 1 }));
    let results = futures_util::future::join_all(adds).await;
    assert_eq!(results.iter().filter(|result| result.is_err()).count(), 10);
    assert_eq!(count(&db).await, 40);
}

#[tokio::test]
async fn a_panic_undoes_its_transaction_and_only_that() {
    let (database, db) = notes().await;
    if database.is_postgres() {
        // There the panic unwinds through the caller, and dropping the transaction undoes it.
        return;
    }
    let panicked: Result<(), DbError> = db.write(|_| async move { panic!("on purpose") }).await;
    assert!(matches!(panicked, Err(DbError::Panicked)));
    add(&db, "after", 1).await.expect("the writer lives on");
}

#[tokio::test]
async fn a_transaction_must_not_wait_for_anything_else() {
    let (database, db) = notes().await;
    if database.is_postgres() {
        return;
    }
    let waited: Result<(), DbError> = db
        .write(|_| async move {
            tokio::task::yield_now().await;
            Ok(())
        })
        .await;
    assert!(matches!(waited, Err(DbError::AwaitedOutside)));
}

#[tokio::test]
async fn giving_up_half_way_leaves_nothing_behind() {
    let (database, db) = notes().await;
    if !database.is_postgres() {
        // There a transaction that was accepted runs to its end, whoever waits for it.
        return;
    }
    let id = db.sources().uuid();
    let work = db.write::<(), DbError, _, _>(move |tx| async move {
        tx.exec(
            sql!("INSERT INTO notes (id, body, size) VALUES ($1, 'x', 1)"),
            params![id],
        )
        .await?;
        std::future::pending().await
    });
    assert!(
        tokio::time::timeout(Duration::from_millis(300), work)
            .await
            .is_err()
    );
    // The connection went back to the pool with its rollback on the way; every one still works.
    for _ in 0..8 {
        add(&db, "after", 1).await.expect("a connection");
    }
    assert_eq!(count(&db).await, 8);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let database = TestDatabase::create().await;
    let settings = DbSettings {
        queue: 1,
        write_connections: 1,
        ..database.settings()
    };
    let db = Db::open("note", &settings, Sources::system(), DbMetrics::default());
    let db = db.await.expect("opens");
    db.migrate(NOTES).await.expect("migrates");
    let adds = (0..200).map(|_| add(&db, "x", 1));
    let results = futures_util::future::join_all(adds).await;
    let refused = results
        .iter()
        .filter(|result| matches!(result, Err(DbError::Overloaded)))
        .count();
    assert!(refused > 0, "a queue of one takes no two hundred");
    assert_eq!(
        count(&db).await,
        200 - i64::try_from(refused).expect("small")
    );
}

#[tokio::test]
async fn migrations_run_once_even_when_two_instances_start() {
    let database = TestDatabase::create().await;
    let (first, second) = tokio::join!(database.open("note", NOTES), database.open("note", NOTES));
    assert!(first.pending(NOTES).await.expect("pending").is_empty());
    add(&first, "x", 1).await.expect("added");
    assert_eq!(count(&second).await, 1);
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let (database, _db) = notes().await;
    let settings = database.settings();
    let older_program = Db::open("note", &settings, Sources::system(), DbMetrics::default())
        .await
        .expect("opens");
    let refused = older_program.migrate(&[]).await;
    assert!(matches!(refused, Err(MigrateError::Newer { name, .. }) if name == "0001_notes"));
}

#[tokio::test]
async fn a_closed_database_says_so() {
    let (_database, db) = notes().await;
    db.close().await;
    assert!(matches!(add(&db, "late", 1).await, Err(DbError::Closed)));
}

#[tokio::test]
async fn what_is_not_there_yet_can_be_locked() {
    let (database, one) = notes().await;
    let two = database.open("note", NOTES).await;
    let add_if_missing = |db: &Db, key: Uuid| {
        let db = db.clone();
        async move {
            db.write(move |tx| async move {
                tx.lock_keys(&[key, Uuid::nil()]).await?;
                let found = sql!("SELECT COUNT(*) FROM notes WHERE body = $1");
                let body = key.to_string();
                if tx.one::<(i64,)>(found, params![body]).await? == Some((0,)) {
                    let insert = sql!("INSERT INTO notes (id, body) VALUES ($1, $2)");
                    tx.run(insert, params![tx.sources().uuid(), body]).await?;
                }
                Ok::<_, DbError>(())
            })
            .await
        }
    };
    // Several rounds: the first one opens the connections.
    let rounds = 5;
    for _ in 0..rounds {
        let key = one.sources().uuid();
        let both = [&one, &two].into_iter().cycle().take(8);
        let all = both.map(|db| add_if_missing(db, key));
        for done in futures_util::future::join_all(all).await {
            done.expect("nobody locks anybody out");
        }
    }
    assert_eq!(count(&one).await, rounds);
}
