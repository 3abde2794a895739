//! The index and the database: what it follows, in which order, and what happens without it.

use std::time::Duration;

use contracts::product::VariantId;
use kernel::{Fault, Id, Kind};
use platform::db::Db;
use platform::metrics::SearchMetrics;
use platform::testing::TestDatabase;
use tokio::sync::oneshot;

use super::{Filter, Found, Question, Search, Sort, Words};
use crate::keep::{self, Change};
use crate::model::Product;
use crate::model::tests::mug;
use crate::store::search::position;
use crate::{Config, ProductError};

const LONG: Duration = Duration::from_secs(24 * 60 * 60);

fn search(db: &Db, search_ready: Duration) -> Search {
    let config = Config {
        reservation_queue: 1,
        reservation_batch: 1,
        sweep: LONG,
        search_poll: LONG,
        search_ready,
        currency: kernel::Currency::EUR,
    };
    Search::new(db, &config, SearchMetrics::default())
}

/// A database with these products.
async fn catalogue(database: &TestDatabase, products: &[Product]) -> Db {
    let db = database.open("product", crate::MIGRATIONS).await;
    add(&db, products).await;
    db
}

async fn add(db: &Db, products: &[Product]) {
    let products = products.to_vec();
    let added = db.write(move |tx| async move {
        let products: Vec<&Product> = products.iter().collect();
        keep::add(&tx, &products, tx.sources().now()).await
    });
    added.await.expect("added");
}

fn product(db_id: u128, title: &str) -> Product {
    let mut product = mug();
    product.id = Id::from_uuid(uuid::Uuid::from_u128(db_id));
    product.slug = format!("product-{db_id}");
    product.title = title.to_owned();
    product.variants[0].id = VariantId::from_uuid(uuid::Uuid::from_u128(db_id));
    product.variants[0].sku = format!("SKU-{db_id}");
    product
}

/// The same product under another title.
fn renamed(product: &Product, title: &str) -> Change {
    let mut is = product.clone();
    is.title = title.to_owned();
    is.version += 1;
    Change {
        was: product.clone(),
        is,
    }
}

async fn change(db: &Db, change: Change) {
    let changed =
        db.write(move |tx| async move { keep::change(&tx, &[change], tx.sources().now()).await });
    changed.await.expect("changed");
}

fn question(text: &str) -> Question {
    Question {
        words: Words::of(text),
        filter: Filter::default(),
        sort: Sort::Relevance,
        after: None,
        rows: 1_000,
        facets: Vec::new(),
    }
}

async fn found(search: &Search, text: &str) -> u64 {
    let found: Result<Found, ProductError> = search.find(question(text)).await;
    found.expect("an answer").total
}

/// On PostgreSQL a transaction may begin to write before another one and be committed after it.
/// What it has changed must not be passed over for having the lower number.
#[tokio::test]
async fn changes_are_taken_over_in_whichever_order_they_are_committed() {
    let database = TestDatabase::create().await;
    if !database.is_postgres() {
        return; // One transaction writes at a time.
    }
    let (slow, quick) = (product(1, "Slow"), product(2, "Quick"));
    let db = catalogue(&database, &[slow.clone(), quick.clone()]).await;
    let search = search(&db, LONG);
    search.catch_up().await.expect("built");

    let (begun, has_begun) = oneshot::channel();
    let (finish, may_finish) = oneshot::channel::<()>();
    let slow_change = renamed(&slow, "Tardy");
    let slow = db.write(move |tx| async move {
        keep::change(&tx, &[slow_change], tx.sources().now()).await?;
        // A query makes sure that what was written before it has arrived.
        position(&tx).await?;
        begun.send(()).expect("the test waits");
        may_finish.await.expect("the test goes on");
        Ok::<(), ProductError>(())
    });
    let rest = async {
        has_begun.await.expect("the slow one begins");
        change(&db, renamed(&quick, "Swift")).await;
        search.catch_up().await.expect("caught up");
        assert_eq!(found(&search, "swift").await, 1, "the quick one is there");
        assert_eq!(found(&search, "slow").await, 1, "the slow one is not yet");
        // Neither more looks nor more changes make the slow one look old.
        let swift = renamed(&quick, "Swift").is;
        change(&db, renamed(&swift, "Rapid")).await;
        search.catch_up().await.expect("caught up");
        search.catch_up().await.expect("caught up");
        finish.send(()).expect("the slow one waits");
    };
    let (slow, ()) = tokio::join!(slow, rest);
    slow.expect("committed");
    search.catch_up().await.expect("caught up");
    let counts = [
        found(&search, "tardy").await,
        found(&search, "slow").await,
        found(&search, "rapid").await,
    ];
    assert_eq!(counts, [1, 0, 1]);
}

/// The same while an index is built: what was under way when it began comes afterwards.
#[tokio::test]
async fn what_is_under_way_while_the_index_is_built_is_not_lost() {
    let database = TestDatabase::create().await;
    if !database.is_postgres() {
        return;
    }
    let slow = product(1, "Slow");
    let db = catalogue(&database, std::slice::from_ref(&slow)).await;
    let search = search(&db, LONG);
    let (begun, has_begun) = oneshot::channel();
    let (finish, may_finish) = oneshot::channel::<()>();
    let change = renamed(&slow, "Tardy");
    let slow = db.write(move |tx| async move {
        keep::change(&tx, &[change], tx.sources().now()).await?;
        position(&tx).await?;
        begun.send(()).expect("the test waits");
        may_finish.await.expect("the test goes on");
        Ok::<(), ProductError>(())
    });
    let rest = async {
        has_begun.await.expect("the slow one begins");
        search.catch_up().await.expect("built");
        assert_eq!(found(&search, "slow").await, 1);
        finish.send(()).expect("the slow one waits");
    };
    let (slow, ()) = tokio::join!(slow, rest);
    slow.expect("committed");
    search.catch_up().await.expect("caught up");
    assert_eq!(found(&search, "tardy").await, 1);
    assert_eq!(found(&search, "slow").await, 0);
}

/// More than is read at once, by one transaction and by many.
#[tokio::test]
async fn any_number_of_changes_is_taken_over() {
    let database = TestDatabase::create().await;
    let products: Vec<Product> = (1..=450).map(|n| product(n, "Mug")).collect();
    let db = catalogue(&database, &products).await;
    let search = search(&db, LONG);
    search.catch_up().await.expect("built");
    assert_eq!(found(&search, "mug").await, 450);
    let more: Vec<Product> = (451..=900).map(|n| product(n, "Cup")).collect();
    add(&db, &more).await;
    for product in &products[..3] {
        change(&db, renamed(product, "Cup")).await;
    }
    search.catch_up().await.expect("caught up");
    assert_eq!(found(&search, "mug").await, 447);
    assert_eq!(found(&search, "cup").await, 453);
}

#[tokio::test]
async fn an_index_that_is_thrown_away_is_built_anew() {
    let database = TestDatabase::create().await;
    let mug = product(1, "Mug");
    let db = catalogue(&database, std::slice::from_ref(&mug)).await;
    let search = search(&db, LONG);
    search.catch_up().await.expect("built");
    *search.0.followed.lock().await = None;
    change(&db, renamed(&mug, "Cup")).await;
    add(&db, &[product(2, "Plate")]).await;
    assert_eq!(found(&search, "mug").await, 1, "the last one still answers");
    search.catch_up().await.expect("built");
    let counts = [
        found(&search, "mug").await,
        found(&search, "cup").await,
        found(&search, "plate").await,
    ];
    assert_eq!(counts, [0, 1, 1]);
}

/// Everything else goes on while there is no index: searches wait for a moment, then say so.
#[tokio::test]
async fn without_an_index_searches_are_refused_for_now() {
    let database = TestDatabase::create().await;
    let db = database.open("product", crate::MIGRATIONS).await;
    let patient = search(&db, LONG);
    assert!(!patient.ready());
    assert!(search(&db, Duration::ZERO).ready(), "patience has an end");
    tokio::time::pause();
    let refused = patient.find(question("mug")).await.expect_err("no index");
    tokio::time::resume();
    assert_eq!(refused.kind(), Kind::Unavailable);
    assert_eq!(refused.retry_after(), Some(1));

    let waiting = patient.clone();
    let (found, built) = tokio::join!(waiting.find(question("mug")), patient.catch_up());
    built.expect("built");
    assert_eq!(found.expect("it waited for the index").total, 0);
    assert!(patient.ready());
}

/// What a page shows does not depend on what was deleted from an index, so pages of one search may
/// come from several instances.
#[tokio::test]
async fn every_instance_finds_the_same_in_the_same_order() {
    let database = TestDatabase::create().await;
    let products: Vec<Product> = (1..=60).map(|n| product(n, "Blue mug")).collect();
    let db = catalogue(&database, &products).await;
    let old = search(&db, LONG);
    old.catch_up().await.expect("built");
    for (number, product) in products.iter().enumerate() {
        let title = ["Mug", "Mug of blue", "Red mug"][number % 3];
        change(&db, renamed(product, title)).await;
        old.catch_up().await.expect("caught up");
    }
    let fresh = search(&db, LONG);
    fresh.catch_up().await.expect("built");
    for text in ["mug", "blue", "mug blue", "blu"] {
        let (a, b) = (
            old.find(question(text)).await,
            fresh.find(question(text)).await,
        );
        let (a, b) = (a.expect("an answer"), b.expect("an answer"));
        assert_eq!((a.places, a.total), (b.places, b.total), "{text}");
    }
}
