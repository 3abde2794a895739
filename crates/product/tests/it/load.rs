//! How fast it is. Not part of the ordinary run: `cargo test --release -p rialto-product --test it
//! -- --ignored --nocapture load`.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rialto::Role;
use testkit::TestShop;

use crate::stockroom::{Instance, Stockroom, config, line};

const CALLERS: usize = 64;
const EACH: usize = 200;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn a_hot_article() {
    let shop = TestShop::builder().real_clock().start().await;
    let room = Stockroom::of(shop).await;
    for (name, reservation_batch) in [("one by one", 1), ("combined", 128)] {
        let settings = product::Config {
            reservation_batch,
            ..config()
        };
        let instance = Instance::idle(room.shop.db(Role::Product), settings).await;
        instance.start();
        let mug = room.variant("reserve_on_order", false, 1_000_000).await;
        let started = Instant::now();
        let callers = (0..CALLERS).map(|_| async {
            for _ in 0..EACH {
                let request = room.request(room.holder(), &[line(mug, 1)]);
                instance.reserve(request).await.expect("there is enough");
            }
        });
        join_all(callers).await;
        report(name, CALLERS * EACH, started.elapsed());
    }
    room.check().await;
}

#[expect(clippy::print_stdout, reason = "a measurement is for whoever runs it")]
fn report(what: &str, count: usize, took: Duration) {
    let micros = took.as_micros().max(1);
    let rate = count as u128 * 1_000_000 / micros;
    println!(
        "{what}: {count} reservations in {} ms, {rate}/s",
        took.as_millis()
    );
}
