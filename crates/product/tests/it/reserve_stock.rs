//! `product.reserve_stock` and `product.release_stock`.

use std::sync::Arc;
use std::time::Duration;

use contracts::product::{ReserveStock, VariantId};
use futures_util::future::join_all;
use kernel::Id;
use platform::context::RequestContext;
use platform::db::DbError;
use platform::sql;
use platform::telemetry::TraceContext;
use rialto::Role;
use testkit::TestShop;

use crate::stockroom::{Instance, Stockroom, config, line, shortages};

#[tokio::test]
async fn a_reservation_is_all_or_nothing() {
    let room = Stockroom::open().await;
    let (mug, plate) = (
        room.variant("reserve_on_order", false, 5).await,
        room.variant("reserve_on_order", false, 1).await,
    );
    let refused = room
        .reserve(room.holder(), &[line(mug, 2), line(plate, 3)])
        .await;
    assert_eq!(shortages(&refused.expect_err("too much")), [(plate, 3, 1)]);
    assert_eq!(room.stock(mug).await, (5, 0));
    room.reserve(room.holder(), &[line(mug, 2), line(plate, 1)])
        .await
        .expect("there is enough");
    assert_eq!(
        (room.stock(mug).await, room.stock(plate).await),
        ((5, 2), (1, 1))
    );
    let refused = room
        .reserve(room.holder(), &[line(mug, 4), line(plate, 1)])
        .await;
    assert_eq!(
        shortages(&refused.expect_err("both")),
        [(mug, 4, 3), (plate, 1, 0)]
    );
    room.check().await;
}

#[tokio::test]
async fn asking_again_changes_nothing_but_the_expiry() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 5).await;
    let request = room.request(room.holder(), &[line(mug, 3)]);
    let first = room
        .products
        .reserve(request.clone())
        .await
        .expect("reserved");
    assert_eq!(
        room.products.reserve(request.clone()).await,
        Ok(first.clone())
    );
    assert_eq!(room.stock(mug).await, (5, 3));
    let later = first.expires_at.plus(Duration::from_secs(60));
    let longer = ReserveStock {
        expires_at: later,
        ..request.clone()
    };
    assert_eq!(
        room.products
            .reserve(longer)
            .await
            .expect("reserved")
            .expires_at,
        later
    );
    // An answer that was given is kept: an earlier expiry shortens nothing.
    assert_eq!(
        room.products
            .reserve(request)
            .await
            .expect("reserved")
            .expires_at,
        later
    );
    assert_eq!(room.stock(mug).await, (5, 3));
    room.check().await;
}

#[tokio::test]
async fn other_lines_replace_the_reservation() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 5).await;
    let plate = room.variant("reserve_on_order", false, 5).await;
    let holder = room.holder();
    room.reserve(holder, &[line(mug, 4)])
        .await
        .expect("reserved");
    // What it holds already counts as free for it.
    room.reserve(holder, &[line(mug, 5), line(plate, 1)])
        .await
        .expect("reserved");
    assert_eq!(
        (room.stock(mug).await, room.stock(plate).await),
        ((5, 5), (5, 1))
    );
    let refused = room
        .reserve(holder, &[line(mug, 6)])
        .await
        .expect_err("six of five");
    assert_eq!(shortages(&refused), [(mug, 6, 5)]);
    assert_eq!(
        (room.stock(mug).await, room.stock(plate).await),
        ((5, 5), (5, 1))
    );
    room.reserve(holder, &[line(mug, 1)])
        .await
        .expect("reserved");
    assert_eq!(
        (room.stock(mug).await, room.stock(plate).await),
        ((5, 1), (5, 0))
    );
    room.check().await;
}

#[tokio::test]
async fn the_order_takes_over_what_its_cart_holds() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_cart", false, 2).await;
    let (cart, order, other) = (room.holder(), room.holder(), room.holder());
    room.reserve(cart, &[line(mug, 2)]).await.expect("reserved");
    room.reserve(other, &[line(mug, 1)])
        .await
        .expect_err("all are held");
    let request = room.request(order, &[line(mug, 2)]);
    let request = ReserveStock {
        instead_of: vec![cart],
        ..request
    };
    room.products
        .reserve(request.clone())
        .await
        .expect("handed over");
    assert_eq!(room.stock(mug).await, (2, 2));
    room.products
        .reserve(request.clone())
        .await
        .expect("handed over again");
    room.products.release(cart).await;
    assert_eq!(
        room.stock(mug).await,
        (2, 2),
        "the cart has nothing any more"
    );
    // What does not work out leaves the cart what it has.
    let cart = room.holder();
    room.receive(mug, None, 1).await;
    room.reserve(cart, &[line(mug, 1)]).await.expect("reserved");
    let request = ReserveStock {
        instead_of: vec![cart],
        ..room.request(other, &[line(mug, 2)])
    };
    let refused = room
        .products
        .reserve(request)
        .await
        .expect_err("one is left");
    assert_eq!(shortages(&refused), [(mug, 2, 1)]);
    room.products.release(cart).await;
    assert_eq!(room.stock(mug).await, (3, 2));
    room.check().await;
}

#[tokio::test]
async fn modes_decide_what_is_refused() {
    let room = Stockroom::open().await;
    let none = room.variant("none", false, 0).await;
    let track = room.variant("track", false, 1).await;
    let later = room.variant("reserve_on_order", true, 1).await;
    let lines = [line(none, 9), line(track, 9), line(later, 9)];
    room.reserve(room.holder(), &lines)
        .await
        .expect("nothing is refused");
    assert_eq!(room.stock(none).await, (0, 0));
    assert_eq!(room.stock(track).await, (1, 0));
    assert_eq!(room.stock(later).await, (1, 9));
    let unknown: VariantId = room.shop.sources().id();
    let refused = room
        .reserve(room.holder(), &[line(unknown, 1)])
        .await
        .expect_err("unknown");
    assert_eq!(refused.code, "product.not_found");
    room.check().await;
}

#[tokio::test]
async fn lines_are_split_over_locations_by_priority() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 2).await;
    let mestre = room.location("Mestre").await;
    room.receive(mug, Some(mestre), 3).await;
    let holder = room.holder();
    room.reserve(holder, &[line(mug, 4)])
        .await
        .expect("five are there");
    let view = room.view(mug).await;
    assert_eq!(view["locations"][0]["reserved"], 2);
    assert_eq!(view["locations"][1]["reserved"], 2);
    // What is let go of comes from the last location first.
    room.reserve(holder, &[line(mug, 2)]).await.expect("fewer");
    let view = room.view(mug).await;
    assert_eq!(view["locations"][0]["reserved"], 2);
    assert_eq!(view["locations"][1]["reserved"], 0);
    room.check().await;
}

#[tokio::test]
async fn impossible_wishes_are_refused() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", true, 0).await;
    for quantity in [0, -1, i64::MAX, i64::MIN] {
        let refused = room
            .reserve(room.holder(), &[line(mug, quantity)])
            .await
            .expect_err("no");
        assert_eq!(refused.errors[0].pointer, "/lines/0/quantity");
    }
    let many = vec![line(mug, 1); 1001];
    let refused = room
        .reserve(room.holder(), &many)
        .await
        .expect_err("too many lines");
    assert_eq!(refused.errors[0].pointer, "/lines");
    assert_eq!(room.stock(mug).await, (0, 0));
}

#[tokio::test]
async fn two_hundred_want_fifty() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 50).await;
    let wishes = (0..200).map(|_| room.reserve(room.holder(), &[line(mug, 1)]));
    let answers = join_all(wishes).await;
    let served = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(served, 50);
    for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!(shortages(refused), [(mug, 1, 0)]);
    }
    assert_eq!(room.stock(mug).await, (50, 50));
    room.check().await;
}

#[tokio::test]
async fn two_instances_race_and_nothing_is_oversold() {
    let room = Stockroom::open().await;
    let second = TestShop::builder()
        .database(room.shop.database().clone())
        .start()
        .await;
    let other = Instance::on(second.db(Role::Product)).await;
    let goods = [
        room.variant("reserve_on_order", false, 30).await,
        room.variant("reserve_on_order", false, 40).await,
        room.variant("reserve_on_order", false, 50).await,
    ];
    // Every wish names two goods, in every order: instances must not lock each other out.
    let wishes = (0..120_usize).map(|turn| {
        let lines = [
            line(goods[turn % 3], 1),
            line(goods[(turn + 1 + turn % 2) % 3], 1),
        ];
        let instance = if turn % 2 == 0 {
            &room.products
        } else {
            &other
        };
        instance.reserve(room.request(room.holder(), &lines))
    });
    let mut served = 0;
    for answer in join_all(wishes).await {
        match answer {
            Ok(_) => served += 1,
            Err(problem) => drop(shortages(&problem)),
        }
    }
    let mut reserved = 0;
    for variant in goods {
        let stock = room.stock(variant).await;
        assert!(stock.1 <= stock.0);
        reserved += stock.1;
    }
    assert_eq!(reserved, served * 2);
    assert!(served >= 45, "only {served} were served");
    room.check().await;
}

#[tokio::test]
async fn two_instances_that_serve_one_holder_agree() {
    let room = Stockroom::open().await;
    let second = TestShop::builder()
        .database(room.shop.database().clone())
        .start()
        .await;
    let other = Instance::on(second.db(Role::Product)).await;
    for _ in 0..10 {
        let mug = room.variant("reserve_on_cart", false, 10).await;
        let plate = room.variant("reserve_on_cart", false, 10).await;
        let cart = room.holder();
        let (one, two) = tokio::join!(
            room.products.reserve(room.request(cart, &[line(mug, 4)])),
            other.reserve(room.request(cart, &[line(plate, 3)])),
        );
        one.and(two).expect("there is enough");
        // One came after the other, and replaced it.
        let held = (room.stock(mug).await.1, room.stock(plate).await.1);
        assert!(held == (4, 0) || held == (0, 3), "{held:?}");
    }
    room.check().await;
}

#[tokio::test]
async fn a_batch_costs_as_many_statements_as_one_request() {
    let room = Stockroom::open().await;
    let mut goods = Vec::new();
    for _ in 0..20 {
        goods.push(room.variant("reserve_on_order", false, 1_000).await);
    }
    let all: Vec<_> = goods.iter().map(|id| line(*id, 1)).collect();
    let mut costs = Vec::new();
    for (requests, lines) in [(1, &all[..1]), (64, &all[..])] {
        let instance = Instance::idle(room.shop.db(Role::Product), config()).await;
        let wishes = (0..requests).map(|_| instance.reserve(room.request(room.holder(), lines)));
        let context = RequestContext::new(TraceContext::root(room.shop.sources()), None);
        let wishes = context.clone().scope(join_all(wishes));
        // All wait before the first is decided.
        let (answers, ()) = tokio::join!(wishes, async { instance.start() });
        assert!(answers.iter().all(Result::is_ok));
        costs.push(context.statements());
    }
    assert_eq!(costs[0], costs[1]);
    // Locks on PostgreSQL; shelves, holds; shelves, holds and ledger again.
    assert!(costs[0] <= 6, "{costs:?}");
    room.check().await;
}

#[tokio::test]
async fn a_refusal_harms_nobody_in_its_batch() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 3).await;
    let db = room.shop.db(Role::Product);
    let instance = Instance::idle(db, config()).await;
    let unknown: VariantId = room.shop.sources().id();
    let wishes = [
        room.request(room.holder(), &[line(mug, 1)]),
        room.request(room.holder(), &[line(mug, 5)]),
        room.request(room.holder(), &[line(mug, 1), line(unknown, 1)]),
        room.request(room.holder(), &[line(mug, 2)]),
        room.request(room.holder(), &[line(mug, 1)]),
    ];
    let calls = wishes.into_iter().map(|wish| instance.reserve(wish));
    let (answers, ()) = tokio::join!(join_all(calls), async { instance.start() });
    let served: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(
        served,
        [true, false, false, true, false],
        "in the order of arrival"
    );
    assert_eq!(
        shortages(answers[1].as_ref().expect_err("five")),
        [(mug, 5, 2)]
    );
    assert_eq!(room.stock(mug).await, (3, 3));
    room.check().await;
}

#[tokio::test]
async fn what_the_database_refuses_harms_nobody_in_its_batch() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 100).await;
    let db = room.shop.db(Role::Product);
    let refuse = sql!(
        sqlite: "CREATE TRIGGER unlucky BEFORE INSERT ON reservations WHEN NEW.quantity = 13
                 BEGIN SELECT RAISE(ABORT, 'unlucky'); END",
        postgres: "ALTER TABLE reservations ADD CONSTRAINT unlucky CHECK (quantity <> 13)"
    );
    let refused = db.write(move |tx| async move { tx.exec(refuse, &[]).await });
    let _: u64 = refused.await.expect("the trap is set");
    let instance = Instance::idle(db, config()).await;
    let wishes = [1, 13, 2].map(|wanted| room.request(room.holder(), &[line(mug, wanted)]));
    let calls = wishes.into_iter().map(|wish| instance.reserve(wish));
    let (answers, ()) = tokio::join!(join_all(calls), async { instance.start() });
    let served: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(served, [true, false, true]);
    assert_eq!(room.stock(mug).await, (100, 3));
    room.check().await;
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 100).await;
    let small = product::Config {
        reservation_queue: 2,
        ..config()
    };
    let instance = Instance::idle(room.shop.db(Role::Product), small).await;
    let wishes = (0..3).map(|_| instance.reserve(room.request(room.holder(), &[line(mug, 1)])));
    let (answers, ()) = tokio::join!(join_all(wishes), async { instance.start() });
    assert!(answers[0].is_ok() && answers[1].is_ok());
    let busy = answers[2].as_ref().expect_err("no room");
    assert_eq!(
        (busy.status, busy.code.as_ref()),
        (503, "server.overloaded")
    );
    assert_eq!(busy.retry_after, Some(1));
}

#[tokio::test]
async fn who_stops_waiting_is_passed_over() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 5).await;
    let instance = Instance::idle(room.shop.db(Role::Product), config()).await;
    let mut gone = Box::pin(instance.reserve(room.request(room.holder(), &[line(mug, 1)])));
    assert!(futures_util::poll!(gone.as_mut()).is_pending());
    drop(gone);
    let patient = instance.reserve(room.request(room.holder(), &[line(mug, 2)]));
    let (answer, ()) = tokio::join!(patient, async { instance.start() });
    answer.expect("reserved");
    assert_eq!(room.stock(mug).await, (5, 2));
}

#[tokio::test]
async fn nobody_is_left_waiting_when_the_instance_stops() {
    let room = Stockroom::open().await;
    let mug = room.variant("reserve_on_order", false, 50).await;
    let small = product::Config {
        reservation_batch: 4,
        ..config()
    };
    let instance = Arc::new(Instance::idle(room.shop.db(Role::Product), small).await);
    let wishes = (0..20).map(|_| instance.reserve(room.request(room.holder(), &[line(mug, 1)])));
    let (answers, ()) = tokio::join!(join_all(wishes), async {
        instance.start();
        instance.stop();
    });
    assert!(
        answers.iter().all(Result::is_ok),
        "what was accepted is decided"
    );
    let late = instance
        .reserve(room.request(room.holder(), &[line(mug, 1)]))
        .await;
    let problem = kernel::Problem::from(DbError::Closed);
    assert_eq!(late.expect_err("closed").code, problem.code);
    assert_eq!(room.stock(mug).await, (50, 20));
    assert_eq!(mug.uuid().get_version_num(), 7);
}
