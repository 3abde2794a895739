//! What has changed in a book, written.

use std::collections::BTreeMap;

use contracts::product::{HolderId, LocationId, VariantId};
use kernel::{Id, Scalar, Sources, Timestamp};
use platform::db::{DbError, Tx};
use platform::sql;
use serde::Serialize;
use uuid::Uuid;

use crate::stock::{Entry, Hold, HoldState, Holds, Settled};
use crate::store::rows;

#[derive(Serialize)]
struct ShelfDelta {
    #[serde(with = "uuid::serde::simple")]
    variant_id: Uuid,
    #[serde(with = "uuid::serde::simple")]
    location_id: Uuid,
    on_hand: i64,
    reserved: i64,
}

/// Adds the sums of the entries to the shelves. They are differences, not results: even if the
/// locks failed us, the constraint of the table would not.
pub(super) async fn change_shelves(tx: &Tx, entries: &[Entry]) -> Result<(), DbError> {
    let mut sums: BTreeMap<(VariantId, LocationId), (i64, i64)> = BTreeMap::new();
    for entry in entries {
        let sum = sums
            .entry((entry.variant_id, entry.location_id))
            .or_default();
        sum.0 += entry.on_hand_delta;
        sum.1 += entry.reserved_delta;
    }
    let deltas: Vec<ShelfDelta> = sums
        .into_iter()
        .filter(|(_, sum)| *sum != (0, 0))
        .map(|((variant, location), (on_hand, reserved))| ShelfDelta {
            variant_id: variant.uuid(),
            location_id: location.uuid(),
            on_hand,
            reserved,
        })
        .collect();
    if deltas.is_empty() {
        return Ok(());
    }
    // A shelf that was oversold under an earlier rule is bounded again once it is not any more.
    tx.run(
        sql!(
            sqlite: "UPDATE stock SET
                         on_hand = stock.on_hand + delta.on_hand,
                         reserved = stock.reserved + delta.reserved,
                         unbounded = stock.unbounded AND (
                             rule.backorder OR rule.inventory IN ('none', 'track')
                             OR stock.on_hand + delta.on_hand < stock.reserved + delta.reserved)
                     FROM (SELECT unhex(value ->> 'variant_id') AS variant_id,
                                  unhex(value ->> 'location_id') AS location_id,
                                  value ->> 'on_hand' AS on_hand,
                                  value ->> 'reserved' AS reserved FROM json_each($1)) AS delta
                     JOIN stock_rules AS rule ON rule.variant_id = delta.variant_id
                     WHERE stock.variant_id = delta.variant_id
                       AND stock.location_id = delta.location_id",
            postgres: "UPDATE stock SET
                           on_hand = stock.on_hand + delta.on_hand,
                           reserved = stock.reserved + delta.reserved,
                           unbounded = stock.unbounded AND (
                               rule.backorder OR rule.inventory IN ('none', 'track')
                               OR stock.on_hand + delta.on_hand < stock.reserved + delta.reserved)
                       FROM json_to_recordset($1::json) AS delta (
                                variant_id uuid, location_id uuid, on_hand bigint, reserved bigint)
                       JOIN stock_rules AS rule ON rule.variant_id = delta.variant_id
                       WHERE stock.variant_id = delta.variant_id
                         AND stock.location_id = delta.location_id"
        ),
        &[rows(&deltas)],
    )
    .await
}

#[derive(Serialize)]
struct HoldKey {
    #[serde(with = "uuid::serde::simple")]
    holder: Uuid,
    #[serde(with = "uuid::serde::simple")]
    variant_id: Uuid,
    #[serde(with = "uuid::serde::simple")]
    location_id: Uuid,
}

#[derive(Serialize)]
struct HoldChange {
    #[serde(flatten)]
    key: HoldKey,
    quantity: i64,
    state: HoldState,
    expires_at: i64,
}

type AllHolds = BTreeMap<HolderId, Holds>;

pub(super) async fn change_holds(
    tx: &Tx,
    before: &AllHolds,
    after: &AllHolds,
) -> Result<(), DbError> {
    let (gone, _) = difference(after, before, |_, kept| kept.is_none());
    if !gone.is_empty() {
        remove_holds(tx, &gone).await?;
    }
    let (keys, holds) = difference(before, after, |hold, old| old != Some(hold));
    let changes = keys.into_iter().zip(holds).map(|(key, hold)| HoldChange {
        key,
        quantity: hold.quantity,
        state: hold.state,
        expires_at: hold.expires_at.micros(),
    });
    let changes: Vec<HoldChange> = changes.collect();
    if changes.is_empty() {
        Ok(())
    } else {
        write_holds(tx, &changes).await
    }
}

/// The holds of `of` that are `wanted`, given what `from` has in their place.
fn difference(
    from: &AllHolds,
    of: &AllHolds,
    wanted: impl Fn(&Hold, Option<&Hold>) -> bool,
) -> (Vec<HoldKey>, Vec<Hold>) {
    let all = of
        .iter()
        .flat_map(|(holder, holds)| holds.iter().map(move |(key, hold)| (*holder, *key, *hold)));
    let other = |holder: HolderId, key: &(VariantId, LocationId)| {
        from.get(&holder).and_then(|holds| holds.get(key))
    };
    all.filter(|(holder, key, hold)| wanted(hold, other(*holder, key)))
        .map(|(holder, (variant, location), hold)| {
            let (variant_id, location_id) = (variant.uuid(), location.uuid());
            (
                HoldKey {
                    holder,
                    variant_id,
                    location_id,
                },
                hold,
            )
        })
        .unzip()
}

async fn remove_holds(tx: &Tx, gone: &[HoldKey]) -> Result<(), DbError> {
    tx.run(
        sql!(
            sqlite: "DELETE FROM reservations WHERE (holder, variant_id, location_id) IN (
                         SELECT unhex(value ->> 'holder'), unhex(value ->> 'variant_id'),
                                unhex(value ->> 'location_id') FROM json_each($1))",
            postgres: "DELETE FROM reservations USING json_to_recordset($1::json)
                                AS gone (holder uuid, variant_id uuid, location_id uuid)
                       WHERE reservations.holder = gone.holder
                         AND reservations.variant_id = gone.variant_id
                         AND reservations.location_id = gone.location_id"
        ),
        &[rows(&gone)],
    )
    .await
}

async fn write_holds(tx: &Tx, changes: &[HoldChange]) -> Result<(), DbError> {
    tx.run(
        sql!(
            sqlite: "INSERT INTO reservations
                         (holder, variant_id, location_id, quantity, state, expires_at)
                     SELECT unhex(value ->> 'holder'), unhex(value ->> 'variant_id'),
                            unhex(value ->> 'location_id'), value ->> 'quantity',
                            value ->> 'state', value ->> 'expires_at'
                     FROM json_each($1) WHERE true
                     ON CONFLICT (holder, variant_id, location_id) DO UPDATE SET
                         quantity = excluded.quantity, state = excluded.state,
                         expires_at = excluded.expires_at",
            postgres: "INSERT INTO reservations
                           (holder, variant_id, location_id, quantity, state, expires_at)
                       SELECT holder, variant_id, location_id, quantity, state,
                              to_timestamp(0) + expires_at * interval '1 microsecond'
                       FROM json_to_recordset($1::json)
                                AS hold (holder uuid, variant_id uuid, location_id uuid,
                                         quantity bigint, state text, expires_at bigint)
                       ON CONFLICT (holder, variant_id, location_id) DO UPDATE SET
                           quantity = excluded.quantity, state = excluded.state,
                           expires_at = excluded.expires_at"
        ),
        &[rows(&changes)],
    )
    .await
}

#[derive(Serialize)]
struct SettledRow {
    #[serde(with = "uuid::serde::simple")]
    holder: Uuid,
    state: Settled,
}

pub(super) async fn settle(
    tx: &Tx,
    before: &BTreeMap<HolderId, Settled>,
    after: &BTreeMap<HolderId, Settled>,
) -> Result<(), DbError> {
    let changed = after
        .iter()
        .filter(|(holder, state)| before.get(holder) != Some(state));
    let changed: Vec<SettledRow> = changed
        .map(|(holder, state)| SettledRow {
            holder: *holder,
            state: *state,
        })
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    tx.run(
        sql!(
            sqlite: "INSERT INTO settled_orders (holder, state, settled_at)
                     SELECT unhex(value ->> 'holder'), value ->> 'state', $2
                     FROM json_each($1) WHERE true
                     ON CONFLICT (holder) DO UPDATE SET
                         state = excluded.state, settled_at = excluded.settled_at",
            postgres: "INSERT INTO settled_orders (holder, state, settled_at)
                       SELECT holder, state, $2
                       FROM json_to_recordset($1::json) AS settled (holder uuid, state text)
                       ON CONFLICT (holder) DO UPDATE SET
                           state = excluded.state, settled_at = excluded.settled_at"
        ),
        &[rows(&changed), Scalar::Time(tx.sources().now())],
    )
    .await
}

#[derive(Serialize)]
struct EntryRow<'a> {
    #[serde(with = "uuid::serde::simple")]
    variant_id: Uuid,
    #[serde(with = "uuid::serde::simple")]
    id: Uuid,
    #[serde(with = "uuid::serde::simple")]
    location_id: Uuid,
    kind: &'static str,
    on_hand: i64,
    reserved: i64,
    reference: Option<uuid::fmt::Simple>,
    note: Option<&'a str>,
}

pub(super) async fn add_entries(tx: &Tx, entries: &[Entry]) -> Result<(), DbError> {
    if entries.is_empty() {
        return Ok(());
    }
    let now = tx.sources().now();
    let list = entries.iter().enumerate().map(|(index, entry)| EntryRow {
        variant_id: entry.variant_id.uuid(),
        id: entry_id(tx.sources(), now, index),
        location_id: entry.location_id.uuid(),
        kind: entry.kind.as_str(),
        on_hand: entry.on_hand_delta,
        reserved: entry.reserved_delta,
        reference: entry.reference.map(Uuid::simple),
        note: entry.note.as_deref(),
    });
    let list: Vec<EntryRow<'_>> = list.collect();
    tx.run(
        sql!(
            sqlite: "INSERT INTO ledger (variant_id, id, location_id, kind, on_hand_delta,
                                         reserved_delta, reference, note, at)
                     SELECT unhex(value ->> 'variant_id'), unhex(value ->> 'id'),
                            unhex(value ->> 'location_id'), value ->> 'kind', value ->> 'on_hand',
                            value ->> 'reserved', unhex(value ->> 'reference'), value ->> 'note',
                            $2
                     FROM json_each($1)",
            postgres: "INSERT INTO ledger (variant_id, id, location_id, kind, on_hand_delta,
                                           reserved_delta, reference, note, at)
                       SELECT variant_id, id, location_id, kind, on_hand, reserved, reference,
                              note, $2
                       FROM json_to_recordset($1::json)
                                AS entry (variant_id uuid, id uuid, location_id uuid, kind text,
                                          on_hand bigint, reserved bigint, reference uuid,
                                          note text)"
        ),
        &[rows(&list), Scalar::Time(now)],
    )
    .await
}

/// A UUIDv7 that sorts by time, and within one transaction by `index`: microseconds and index
/// take the place of the first random bits (RFC 9562, section 6.2).
fn entry_id(sources: &Sources, now: Timestamp, index: usize) -> Uuid {
    let micros = u64::try_from(now.micros()).unwrap_or(0);
    let mut bytes = sources.random::<10>();
    // The builder puts the version over the upper four bits, the variant over the next two.
    let below = u16::try_from(micros % 1_000).unwrap_or(0);
    bytes[..2].copy_from_slice(&below.to_be_bytes());
    let index = u32::try_from(index).unwrap_or(u32::MAX).min((1 << 30) - 1);
    bytes[2..6].copy_from_slice(&index.to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(micros / 1_000, &bytes).into_uuid()
}
