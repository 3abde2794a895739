//! Statements about stock: the rules that the catalogue sets, and what arrives.

use contracts::product::{HolderId, InventoryMode, LocationId, VariantId};
use kernel::{Id, Scalar, Timestamp};
use platform::db::{DbError, Tx};
use platform::{params, sql};
use serde::Serialize;
use uuid::Uuid;

use super::rows;
use crate::stock::StockRule;

#[derive(Serialize)]
struct RuleRow<'a> {
    #[serde(with = "uuid::serde::simple")]
    variant_id: Uuid,
    #[serde(with = "uuid::serde::simple")]
    product_id: Uuid,
    sku: &'a str,
    inventory: InventoryMode,
    backorder: bool,
    unbounded: bool,
}

/// Says how the stock of variants is kept from now on. Called by the catalogue, in the transaction
/// that creates or changes them. What is counted gets a row at the first location. A variant of
/// which more is reserved than is there stays unbounded until that is over; see
/// [`Article`](crate::stock::Article).
pub(crate) async fn set_rules(tx: &Tx, rules: &[StockRule]) -> Result<(), DbError> {
    if rules.is_empty() {
        return Ok(());
    }
    let list: Vec<RuleRow<'_>> = rules
        .iter()
        .map(|rule| RuleRow {
            variant_id: rule.variant_id.uuid(),
            product_id: rule.product_id.uuid(),
            sku: &rule.sku,
            inventory: rule.inventory,
            backorder: rule.backorder,
            unbounded: rule.unbounded(),
        })
        .collect();
    let list = rows(&list);
    tx.run(
        sql!(
            sqlite: "INSERT INTO stock_rules (variant_id, product_id, sku, inventory, backorder)
                     SELECT unhex(value ->> 'variant_id'), unhex(value ->> 'product_id'),
                            value ->> 'sku', value ->> 'inventory', value ->> 'backorder'
                     FROM json_each($1) WHERE true
                     ON CONFLICT (variant_id) DO UPDATE SET
                         product_id = excluded.product_id, sku = excluded.sku,
                         inventory = excluded.inventory, backorder = excluded.backorder
                     WHERE (stock_rules.product_id, stock_rules.sku, stock_rules.inventory,
                            stock_rules.backorder)
                        IS NOT (excluded.product_id, excluded.sku, excluded.inventory,
                                excluded.backorder)",
            postgres: "INSERT INTO stock_rules (variant_id, product_id, sku, inventory, backorder)
                       SELECT variant_id, product_id, sku, inventory, backorder
                       FROM json_to_recordset($1::json) AS rule (variant_id uuid, product_id uuid,
                                sku text, inventory text, backorder boolean)
                       ORDER BY variant_id
                       ON CONFLICT (variant_id) DO UPDATE SET
                           product_id = excluded.product_id, sku = excluded.sku,
                           inventory = excluded.inventory, backorder = excluded.backorder
                       WHERE (stock_rules.product_id, stock_rules.sku, stock_rules.inventory,
                              stock_rules.backorder)
                          IS DISTINCT FROM (excluded.product_id, excluded.sku,
                                            excluded.inventory, excluded.backorder)"
        ),
        std::slice::from_ref(&list),
    )
    .await?;
    ensure_location(tx).await?;
    add_shelves(tx, &list).await?;
    set_unbounded(tx, &list).await
}

/// A row at `location` for a variant that is counted, unless there is one.
pub(crate) async fn add_shelf(
    tx: &Tx,
    variant: VariantId,
    location: LocationId,
) -> Result<(), DbError> {
    tx.run(
        sql!(
            "INSERT INTO stock (variant_id, location_id, on_hand, reserved, unbounded)
             SELECT r.variant_id, l.id, 0, 0, r.backorder OR r.inventory = 'track'
             FROM stock_rules r CROSS JOIN locations l
             WHERE r.variant_id = $1 AND l.id = $2 AND r.inventory <> 'none'
             ON CONFLICT DO NOTHING"
        ),
        params![variant, location],
    )
    .await
}

/// Holders of reservations that have lapsed by `now`; each as often as it has some.
pub(crate) async fn lapsed_holders(
    tx: &Tx,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<HolderId>, DbError> {
    let found: Vec<(HolderId,)> = tx
        .all(
            sql!(
                "SELECT holder FROM reservations WHERE state = 'held' AND expires_at <= $1
                 ORDER BY expires_at LIMIT $2"
            ),
            params![now, limit],
        )
        .await?;
    Ok(found.into_iter().map(|row| row.0).collect())
}

/// Makes the first location, if there is none at all. Its id is the same in every shop, so that
/// two instances cannot make two.
pub(crate) async fn ensure_location(tx: &Tx) -> Result<(), DbError> {
    let first = LocationId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));
    tx.run(
        sql!(
            "INSERT INTO locations (id, name, priority, created_at)
             SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT 1 FROM locations)
             ON CONFLICT DO NOTHING"
        ),
        params![first, "Main", 0_i64, tx.sources().now()],
    )
    .await
}

/// A row at the first location for each variant that is counted.
async fn add_shelves(tx: &Tx, rules: &Scalar<'static>) -> Result<(), DbError> {
    tx.run(
        sql!(
            sqlite: "INSERT INTO stock (variant_id, location_id, on_hand, reserved, unbounded)
                     SELECT unhex(value ->> 'variant_id'), location.id, 0, 0, value ->> 'unbounded'
                     FROM json_each($1),
                          (SELECT id FROM locations ORDER BY priority, id LIMIT 1) AS location
                     WHERE value ->> 'inventory' <> 'none'
                     ON CONFLICT DO NOTHING",
            postgres: "INSERT INTO stock (variant_id, location_id, on_hand, reserved, unbounded)
                       SELECT rule.variant_id, location.id, 0, 0, rule.unbounded
                       FROM json_to_recordset($1::json)
                                AS rule (variant_id uuid, inventory text, unbounded boolean),
                            (SELECT id FROM locations ORDER BY priority, id LIMIT 1) AS location
                       WHERE rule.inventory <> 'none'
                       ORDER BY rule.variant_id
                       ON CONFLICT DO NOTHING"
        ),
        std::slice::from_ref(rules),
    )
    .await
}

async fn set_unbounded(tx: &Tx, rules: &Scalar<'static>) -> Result<(), DbError> {
    tx.run(
        sql!(
            sqlite: "UPDATE stock SET unbounded = rule.unbounded OR on_hand < reserved
                     FROM (SELECT unhex(value ->> 'variant_id') AS variant_id,
                                  value ->> 'unbounded' AS unbounded FROM json_each($1)) AS rule
                     WHERE stock.variant_id = rule.variant_id
                       AND stock.unbounded <> (rule.unbounded OR on_hand < reserved)",
            postgres: "UPDATE stock SET unbounded = rule.unbounded OR on_hand < reserved
                       FROM json_to_recordset($1::json)
                                AS rule (variant_id uuid, unbounded boolean)
                       WHERE stock.variant_id = rule.variant_id
                         AND stock.unbounded <> (rule.unbounded OR on_hand < reserved)"
        ),
        std::slice::from_ref(rules),
    )
    .await
}

#[cfg(test)]
mod tests {
    use contracts::product::{InventoryMode as Mode, ProductId, VariantId};
    use platform::testing::TestDatabase;

    use super::*;

    fn rule(variant: u128, inventory: InventoryMode, backorder: bool) -> StockRule {
        StockRule {
            variant_id: VariantId::from_uuid(Uuid::from_u128(variant)),
            product_id: ProductId::from_uuid(Uuid::from_u128(9)),
            sku: format!("SKU-{variant}"),
            inventory,
            backorder,
        }
    }

    #[tokio::test]
    async fn rules_decide_which_variants_have_shelves_and_limits() {
        let database = TestDatabase::create().await;
        let db = database.open("product", crate::MIGRATIONS).await;
        let shelves = async || -> Vec<(Uuid, bool)> {
            let all = sql!("SELECT variant_id, unbounded FROM stock ORDER BY variant_id");
            db.read()
                .await
                .expect("a reader")
                .all(all, &[])
                .await
                .expect("rows")
        };
        let set = async |rules: Vec<StockRule>| {
            let work = move |tx: Tx| async move { set_rules(&tx, &rules).await };
            db.write(work).await.expect("rules are set");
        };
        let id = Uuid::from_u128;
        set(vec![
            rule(1, Mode::None, false),
            rule(2, Mode::Track, false),
            rule(3, Mode::ReserveOnOrder, false),
            rule(4, Mode::ReserveOnCart, true),
        ])
        .await;
        assert_eq!(
            shelves().await,
            [(id(2), true), (id(3), false), (id(4), true)]
        );
        set(vec![
            rule(1, Mode::ReserveOnOrder, false),
            rule(4, Mode::ReserveOnCart, false),
        ])
        .await;
        let expected = [
            (id(1), false),
            (id(2), true),
            (id(3), false),
            (id(4), false),
        ];
        assert_eq!(shelves().await, expected);
        db.close().await;
    }

    #[tokio::test]
    async fn what_is_oversold_stays_unbounded_until_that_is_over() {
        let database = TestDatabase::create().await;
        let db = database.open("product", crate::MIGRATIONS).await;
        let shelf = db
            .write(|tx| async move {
                set_rules(&tx, &[rule(1, Mode::ReserveOnOrder, true)]).await?;
                tx.run(sql!("UPDATE stock SET reserved = 2"), &[]).await?;
                set_rules(&tx, &[rule(1, Mode::ReserveOnOrder, false)]).await?;
                tx.one::<(bool,)>(sql!("SELECT unbounded FROM stock"), &[])
                    .await
            })
            .await;
        assert_eq!(shelf.expect("the rules are set"), Some((true,)));
        db.close().await;
    }
}
