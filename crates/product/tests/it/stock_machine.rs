//! Any sequence of reservations, releases, orders, cancellations, adjustments and lapses: the
//! stock does what a few lines of arithmetic say, and the promises of [`Stockroom::check`] hold
//! after every step.

use std::collections::BTreeMap;
use std::time::Duration;

use contracts::product::{HolderId, LocationId, ReserveLine, ReserveStock, VariantId};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::stockroom::{Instance, Stockroom, line};

const HOLDERS: usize = 4;
/// Two that are limited, one on backorder, one that is only counted.
const GOODS: [(&str, bool); 4] = [
    ("reserve_on_order", false),
    ("reserve_on_cart", false),
    ("reserve_on_order", true),
    ("track", false),
];
const TRACKED: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Reserve {
        holder: usize,
        instead_of: Option<usize>,
        lines: Vec<(usize, i64)>,
    },
    Release(usize),
    Place(usize),
    Cancel(usize),
    Adjust {
        good: usize,
        second: bool,
        delta: i64,
    },
    Lapse,
}

fn step() -> impl Strategy<Value = Step> {
    let holder = || 0..HOLDERS;
    let lines = prop::collection::vec((0..GOODS.len(), 1..6_i64), 1..4);
    let reserve = (holder(), prop::option::weighted(0.3, holder()), lines).prop_map(
        |(holder, instead_of, lines)| Step::Reserve {
            holder,
            instead_of,
            lines,
        },
    );
    let adjust = (0..GOODS.len(), any::<bool>(), -4..8_i64)
        .prop_filter("nothing to adjust", |(_, _, delta)| *delta != 0)
        .prop_map(|(good, second, delta)| Step::Adjust {
            good,
            second,
            delta,
        });
    prop_oneof![
        6 => reserve,
        2 => holder().prop_map(Step::Release),
        3 => holder().prop_map(Step::Place),
        2 => holder().prop_map(Step::Cancel),
        4 => adjust,
        1 => Just(Step::Lapse),
    ]
}

type Amounts = BTreeMap<usize, i64>;

/// What the stock should be, without locations.
#[derive(Debug, Default)]
struct Model {
    on_hand: Amounts,
    held: [Amounts; HOLDERS],
    committed: [Amounts; HOLDERS],
    settled: [bool; HOLDERS],
}

impl Model {
    fn reserved(&self, good: usize) -> i64 {
        self.held.iter().filter_map(|held| held.get(&good)).sum()
    }

    fn on_hand(&self, good: usize) -> i64 {
        self.on_hand.get(&good).copied().unwrap_or_default()
    }

    fn reserve(
        &mut self,
        holder: usize,
        instead_of: Option<usize>,
        lines: &[(usize, i64)],
    ) -> Result<(), &'static str> {
        if !self.committed[holder].is_empty() {
            return Err("product.reservation_committed");
        }
        let other = instead_of.filter(|other| self.committed[*other].is_empty());
        let mut wanted = Amounts::new();
        for (good, quantity) in lines.iter().filter(|line| line.0 != TRACKED) {
            *wanted.entry(*good).or_default() += quantity;
        }
        for (good, quantity) in &wanted {
            let mut free = self.on_hand(*good) - self.reserved(*good);
            free += self.held[holder].get(good).unwrap_or(&0);
            if let Some(other) = other.filter(|other| *other != holder) {
                free += self.held[other].get(good).unwrap_or(&0);
            }
            if *quantity > free && !GOODS[*good].1 {
                return Err("product.out_of_stock");
            }
        }
        if let Some(other) = other {
            self.held[other].clear();
        }
        self.held[holder] = wanted;
        Ok(())
    }

    /// The lines of the order: what is held for it, and one that is only counted.
    fn lines(&self, holder: usize) -> Amounts {
        let mut lines = self.held[holder].clone();
        lines.insert(TRACKED, 1);
        lines
    }

    fn place(&mut self, holder: usize) {
        if !self.settled[holder] {
            self.committed[holder] = self.lines(holder);
            for (good, quantity) in &self.committed[holder] {
                *self.on_hand.entry(*good).or_default() -= quantity;
            }
            self.held[holder].clear();
            self.settled[holder] = true;
        }
    }

    fn cancel(&mut self, holder: usize) {
        for (good, quantity) in std::mem::take(&mut self.committed[holder]) {
            *self.on_hand.entry(good).or_default() += quantity;
        }
        self.held[holder].clear();
        self.settled[holder] = true;
    }
}

/// The same steps on the real thing.
struct Machine<'a> {
    room: &'a Stockroom,
    instances: [&'a Instance; 2],
    model: Model,
    goods: Vec<VariantId>,
    holders: Vec<HolderId>,
    second: LocationId,
}

impl Machine<'_> {
    async fn take(&mut self, number: usize, step: &Step) {
        match step {
            Step::Reserve {
                holder,
                instead_of,
                lines,
            } => {
                let expected = self.model.reserve(*holder, *instead_of, lines);
                let lines: Vec<ReserveLine> = lines
                    .iter()
                    .map(|(good, many)| line(self.goods[*good], *many))
                    .collect();
                let request = ReserveStock {
                    instead_of: instead_of
                        .map(|other| self.holders[other])
                        .into_iter()
                        .collect(),
                    ..self.room.request(self.holders[*holder], &lines)
                };
                let answer = self.instances[number % 2].reserve(request).await;
                let answer = answer.map(drop).map_err(|problem| problem.code.clone());
                assert_eq!(answer, expected.map_err(Into::into));
            }
            Step::Release(holder) => {
                self.model.held[*holder].clear();
                self.instances[number % 2]
                    .release(self.holders[*holder])
                    .await;
            }
            Step::Place(holder) => {
                let lines = self.model.lines(*holder).into_iter();
                let lines: Vec<ReserveLine> = lines
                    .map(|(good, many)| line(self.goods[good], many))
                    .collect();
                self.model.place(*holder);
                self.room.place(self.holders[*holder], &lines).await;
                self.room.shop.settle().await;
            }
            Step::Cancel(holder) => {
                self.model.cancel(*holder);
                self.room.cancel(self.holders[*holder]).await;
                self.room.shop.settle().await;
            }
            Step::Adjust {
                good,
                second,
                delta,
            } => self.adjust(*good, *second, *delta).await,
            Step::Lapse => {
                self.model.held.iter_mut().for_each(Amounts::clear);
                self.room.shop.clock.advance(Duration::from_secs(600));
                self.room.shop.settle().await;
            }
        }
    }

    /// Whether a shelf can give is up to the shelf: the model does not know them.
    async fn adjust(&mut self, good: usize, second: bool, delta: i64) {
        let view = self.room.view(self.goods[good]).await;
        let shelf = &view["locations"][usize::from(second)];
        let unbounded = GOODS[good].1 || good == TRACKED;
        let free = if unbounded {
            &shelf["on_hand"]
        } else {
            &shelf["available"]
        };
        let possible = delta > 0 || free.as_i64().unwrap_or_default() + delta >= 0;
        let at = second.then_some(self.second);
        let body = json!({"delta": delta, "reason": "corrected", "location_id": at});
        let answer = self.room.adjust(self.goods[good], body).await;
        if possible {
            answer.expect(200);
            *self.model.on_hand.entry(good).or_default() += delta;
        } else {
            answer.problem(409, "product.stock_below_zero");
        }
    }

    async fn compare(&self) {
        for (index, variant) in self.goods.iter().enumerate() {
            let expected = (self.model.on_hand(index), self.model.reserved(index));
            assert_eq!(self.room.stock(*variant).await, expected, "good {index}");
        }
        self.room.check().await;
    }
}

async fn run(room: &Stockroom, instances: [&Instance; 2], second: LocationId, steps: &[Step]) {
    let mut goods = Vec::new();
    for (mode, backorder) in GOODS {
        goods.push(room.variant(mode, backorder, 4).await);
    }
    let model = Model {
        on_hand: (0..GOODS.len()).map(|good| (good, 4)).collect(),
        ..Model::default()
    };
    let holders = (0..HOLDERS).map(|_| room.holder()).collect();
    let mut machine = Machine {
        room,
        instances,
        model,
        goods,
        holders,
        second,
    };
    for (number, step) in steps.iter().enumerate() {
        machine.take(number, step).await;
        machine.compare().await;
    }
}

#[test]
fn any_sequence_of_steps_keeps_every_promise() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let (room, other, second) = runtime.block_on(async {
        let room = Stockroom::open().await;
        let other = Instance::on(room.shop.db(rialto::Role::Product)).await;
        let second = room.location("Mestre").await;
        (room, other, second)
    });
    let config = Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    };
    let steps = prop::collection::vec(step(), 1..24);
    let explored = TestRunner::new(config).run(&steps, |steps| {
        runtime.block_on(run(&room, [&room.products, &other], second, &steps));
        Ok(())
    });
    let _entered = runtime.enter();
    explored.expect("every sequence keeps the promises");
    drop((room, other));
}
