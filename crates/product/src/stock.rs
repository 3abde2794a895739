//! The rules of stock: what may be taken from where, and what becomes of it. Pure, no async.
//!
//! A [`Book`] is the part of the stock that one transaction has locked. Operations change the
//! book and write an [`Entry`] for every change; the store adds the entries to the ledger and
//! their sums to the stock, so that the two cannot drift apart. An operation that is refused
//! leaves the book as it was: several can share a transaction.

mod article;
mod entry;

use std::collections::{BTreeMap, BTreeSet};

use contracts::product::{
    HolderId, InventoryMode, LocationId, Reservation, ReserveLine, ReserveStock, Shortage,
    VariantId,
};
use kernel::{FieldError, Timestamp};

pub(crate) use self::article::{Article, Shelf, StockRule};
pub(crate) use self::entry::{Entry, EntryKind, Hold, HoldState, Holds, Settled};
use crate::ProductError;

/// The most that one line may reserve, and one adjustment may move.
pub(crate) const MOST_AT_ONCE: i64 = 1_000_000_000;

/// The most that may lie on one shelf; far from overflowing any sum.
pub(crate) const MOST_ON_HAND: i64 = 1_000_000_000_000;

/// How staff change what lies on a shelf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adjustment {
    /// By so many.
    By(i64),
    /// To what was counted.
    To(i64),
}

/// The part of the stock that one transaction has locked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    /// What is counted.
    pub(crate) articles: BTreeMap<VariantId, Article>,
    /// What exists and is not counted.
    pub(crate) uncounted: BTreeSet<VariantId>,
    pub(crate) holds: BTreeMap<HolderId, Holds>,
    pub(crate) settled: BTreeMap<HolderId, Settled>,
    pub(crate) entries: Vec<Entry>,
}

impl Book {
    /// Reserves all lines, or nothing. See
    /// [`ProductApi::reserve_stock`](contracts::product::ProductApi::reserve_stock).
    pub(crate) fn reserve(&mut self, request: &ReserveStock) -> Result<Reservation, ProductError> {
        let holder = request.holder;
        if self.committed(holder) {
            return Err(ProductError::ReservationCommitted);
        }
        let wanted = self.wanted(&request.lines)?;
        let before = request.instead_of.iter().copied();
        let before: BTreeSet<HolderId> = before
            .filter(|other| *other != holder && !self.committed(*other))
            .collect();
        let mut free = self.held(holder);
        for (variant, quantity) in before.iter().flat_map(|other| self.held(*other)) {
            *free.entry(variant).or_default() += quantity;
        }
        let mut shortages = self.shortages(&wanted, &free);
        if !shortages.is_empty() {
            let place = |id: VariantId| request.lines.iter().position(|line| line.variant_id == id);
            shortages.sort_by_key(|shortage| place(shortage.variant_id));
            return Err(ProductError::OutOfStock(shortages));
        }
        for other in before {
            self.release(other, Some("handed over"));
        }
        for (variant, quantity) in self.held(holder) {
            let surplus = quantity - wanted.get(&variant).copied().unwrap_or_default();
            self.put_back(holder, variant, surplus);
        }
        let held = self.held(holder);
        for (variant, quantity) in wanted {
            let missing = quantity - held.get(&variant).copied().unwrap_or_default();
            self.set_aside(holder, variant, missing, request.expires_at);
        }
        let expires_at = self.extend(holder, request.expires_at);
        Ok(Reservation { holder, expires_at })
    }

    /// Lets go of what the holder has and did not commit.
    pub(crate) fn release(&mut self, holder: HolderId, note: Option<&str>) {
        for (variant, location, hold) in self.of(holder, HoldState::Held) {
            self.drop_hold(holder, variant, location);
            self.enter(Entry {
                reserved_delta: -hold.quantity,
                note: note.map(ToOwned::to_owned),
                ..Entry::of(EntryKind::Released, variant, location, Some(holder))
            });
        }
    }

    /// Lets go of what has lapsed by `now`. It may have been extended since it was found.
    pub(crate) fn expire(&mut self, holder: HolderId, now: Timestamp) {
        let held = self.of(holder, HoldState::Held);
        if held.iter().all(|(_, _, hold)| hold.expires_at <= now) {
            self.release(holder, Some("expired"));
        }
    }

    /// The order is placed: what was set aside for it leaves the shelves, once. What is no longer
    /// set aside is taken anew; if it is not there, nothing changes.
    pub(crate) fn commit(
        &mut self,
        order: HolderId,
        lines: &[ReserveLine],
    ) -> Result<(), ProductError> {
        if self.settled.contains_key(&order) {
            return Ok(());
        }
        let mut wanted: BTreeMap<VariantId, i64> = BTreeMap::new();
        for line in lines
            .iter()
            .filter(|line| self.articles.contains_key(&line.variant_id))
        {
            *wanted.entry(line.variant_id).or_default() += line.quantity;
        }
        let held = self.held(order);
        // What was set aside is committed whatever the mode is now; what was not, only if it is
        // counted.
        wanted.retain(|variant, quantity| {
            let held = held.get(variant).copied().unwrap_or_default();
            if self.articles[variant].rule.inventory == InventoryMode::None {
                *quantity = held.min(*quantity);
            }
            *quantity > 0
        });
        let shortages = self.shortages(&wanted, &held);
        if !shortages.is_empty() {
            return Err(ProductError::OutOfStock(shortages));
        }
        for (variant, location, hold) in self.of(order, HoldState::Held) {
            let left = wanted.entry(variant).or_default();
            let sold = hold.quantity.min(*left);
            *left -= sold;
            self.drop_hold(order, variant, location);
            if sold < hold.quantity {
                self.enter(Entry {
                    reserved_delta: sold - hold.quantity,
                    ..Entry::of(EntryKind::Released, variant, location, Some(order))
                });
            }
            if sold > 0 {
                self.sell(order, variant, location, sold, EntryKind::Committed);
            }
        }
        for (variant, quantity) in wanted {
            for (location, part) in self.articles[&variant].pick(quantity) {
                self.sell(order, variant, location, part, EntryKind::Sold);
            }
        }
        self.settled.insert(order, Settled::Committed);
        Ok(())
    }

    /// The order is cancelled: what it has taken goes back, once; what is set aside for it is let
    /// go; and nothing is taken for it later.
    pub(crate) fn cancel(&mut self, order: HolderId) {
        self.release(order, None);
        for (variant, location, hold) in self.of(order, HoldState::Committed) {
            self.drop_hold(order, variant, location);
            self.enter(Entry {
                on_hand_delta: hold.quantity,
                ..Entry::of(EntryKind::Restocked, variant, location, Some(order))
            });
        }
        self.settled.insert(order, Settled::Cancelled);
    }

    /// Staff change what lies on a shelf. They cannot take what is set aside, nor what is not
    /// there.
    pub(crate) fn adjust(
        &mut self,
        adjustment: Adjustment,
        entry: Entry,
    ) -> Result<(), ProductError> {
        let (variant, location) = (entry.variant_id, entry.location_id);
        let article = self
            .articles
            .get(&variant)
            .ok_or(ProductError::NotFound("variant"))?;
        let shelf = article
            .shelf(location)
            .ok_or(ProductError::NotFound("location"))?;
        let on_hand = match adjustment {
            Adjustment::By(delta) => shelf.on_hand.saturating_add(delta),
            Adjustment::To(on_hand) => on_hand,
        };
        let floor = if article.unbounded() {
            0
        } else {
            shelf.reserved
        };
        if on_hand < shelf.on_hand && on_hand < floor {
            return Err(ProductError::StockBelowZero {
                free: (shelf.on_hand - floor).max(0),
            });
        }
        if on_hand > MOST_ON_HAND {
            return Err(ProductError::Invalid(vec![FieldError {
                pointer: String::from("/delta"),
                code: kernel::problem::codes::INVALID.into(),
                detail: format!("no more than {MOST_ON_HAND} can lie there"),
            }]));
        }
        let on_hand_delta = on_hand - shelf.on_hand;
        if on_hand_delta != 0 {
            self.enter(Entry {
                on_hand_delta,
                ..entry
            });
        }
        Ok(())
    }

    /// How many of what is to be set aside, by variant.
    fn wanted(&self, lines: &[ReserveLine]) -> Result<BTreeMap<VariantId, i64>, ProductError> {
        let mut wanted = BTreeMap::new();
        for line in lines {
            match self.articles.get(&line.variant_id) {
                Some(article) if article.rule.reserves() => {
                    *wanted.entry(line.variant_id).or_default() += line.quantity;
                }
                None if !self.uncounted.contains(&line.variant_id) => {
                    return Err(ProductError::NotFound("variant"));
                }
                _ => {}
            }
        }
        Ok(wanted)
    }

    /// What is missing, if the holder can use `free` on top of what lies on the shelves.
    fn shortages(
        &self,
        wanted: &BTreeMap<VariantId, i64>,
        free: &BTreeMap<VariantId, i64>,
    ) -> Vec<Shortage> {
        let missing = wanted.iter().filter_map(|(variant, &wanted)| {
            let article = &self.articles[variant];
            let free = free.get(variant).copied().unwrap_or_default();
            let left = article.available().saturating_add(free);
            // What is held already needs nothing from the shelves, even when those are oversold.
            (wanted > left.max(free) && !article.unbounded()).then(|| Shortage {
                variant_id: *variant,
                sku: article.rule.sku.clone(),
                wanted,
                left: left.max(0),
            })
        });
        missing.collect()
    }

    fn committed(&self, holder: HolderId) -> bool {
        let holds = self.holds.get(&holder);
        holds.is_some_and(|holds| {
            holds
                .values()
                .any(|hold| hold.state == HoldState::Committed)
        })
    }

    /// The holds of a holder in a state.
    fn of(&self, holder: HolderId, state: HoldState) -> Vec<(VariantId, LocationId, Hold)> {
        let holds = self.holds.get(&holder).into_iter().flatten();
        holds
            .filter(|(_, hold)| hold.state == state)
            .map(|((variant, location), hold)| (*variant, *location, *hold))
            .collect()
    }

    /// How many are set aside for the holder, by variant.
    fn held(&self, holder: HolderId) -> BTreeMap<VariantId, i64> {
        let mut held = BTreeMap::new();
        for (variant, _, hold) in self.of(holder, HoldState::Held) {
            *held.entry(variant).or_default() += hold.quantity;
        }
        held
    }

    /// Sets `quantity` aside; that it is there was checked.
    fn set_aside(&mut self, holder: HolderId, variant: VariantId, quantity: i64, until: Timestamp) {
        for (location, part) in self.articles[&variant].pick(quantity) {
            let state = HoldState::Held;
            let fresh = Hold {
                quantity: 0,
                state,
                expires_at: until,
            };
            let holds = self.holds.entry(holder).or_default();
            holds.entry((variant, location)).or_insert(fresh).quantity += part;
            self.enter(Entry {
                reserved_delta: part,
                ..Entry::of(EntryKind::Reserved, variant, location, Some(holder))
            });
        }
    }

    /// Puts `quantity` of what is set aside back, what was picked last first.
    fn put_back(&mut self, holder: HolderId, variant: VariantId, mut quantity: i64) {
        for location in self.articles[&variant].locations().into_iter().rev() {
            let holds = self.holds.entry(holder).or_default();
            let Some(hold) = holds.get_mut(&(variant, location)).filter(|_| quantity > 0) else {
                continue;
            };
            let part = hold.quantity.min(quantity);
            hold.quantity -= part;
            quantity -= part;
            if hold.quantity == 0 {
                self.drop_hold(holder, variant, location);
            }
            self.enter(Entry {
                reserved_delta: -part,
                ..Entry::of(EntryKind::Released, variant, location, Some(holder))
            });
        }
    }

    /// Lets every hold last until `until`, or as long as the longest does; returns how long.
    fn extend(&mut self, holder: HolderId, until: Timestamp) -> Timestamp {
        let holds = self.holds.entry(holder).or_default();
        let until = holds
            .values()
            .map(|hold| hold.expires_at)
            .fold(until, Timestamp::max);
        holds.values_mut().for_each(|hold| hold.expires_at = until);
        until
    }

    /// Takes goods off a shelf for an order, and remembers from where. What was set aside is no
    /// longer.
    fn sell(
        &mut self,
        order: HolderId,
        variant: VariantId,
        location: LocationId,
        quantity: i64,
        kind: EntryKind,
    ) {
        let holds = self.holds.entry(order).or_default();
        let state = HoldState::Committed;
        let fresh = Hold {
            quantity: 0,
            state,
            expires_at: Timestamp::from_micros(0),
        };
        let hold = holds.entry((variant, location)).or_insert(fresh);
        hold.quantity += quantity;
        let reserved_delta = if kind == EntryKind::Committed {
            -quantity
        } else {
            0
        };
        self.enter(Entry {
            on_hand_delta: -quantity,
            reserved_delta,
            ..Entry::of(kind, variant, location, Some(order))
        });
    }

    fn drop_hold(&mut self, holder: HolderId, variant: VariantId, location: LocationId) {
        if let Some(holds) = self.holds.get_mut(&holder) {
            holds.remove(&(variant, location));
        }
    }

    /// Changes the shelf and writes it down: the only place that does either.
    fn enter(&mut self, entry: Entry) {
        if let Some(article) = self.articles.get_mut(&entry.variant_id) {
            article.change(&entry);
            self.entries.push(entry);
        }
    }
}
