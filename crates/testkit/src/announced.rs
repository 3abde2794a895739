//! What the services of a shop have announced.

use kernel::{Event, Json};
use platform::{params, sql};
use rialto::Role;
use serde_json::Value;

use crate::shop::TestShop;

impl TestShop {
    /// The data of every event of type `E` that its service has announced, in order, sent or not.
    pub async fn announced<E: Event>(&self) -> Vec<E> {
        let service = E::TYPE.split('.').nth(1).unwrap_or_default();
        let role: Role = service.parse().expect("types name their role");
        let tx = self.db(role).read().await.expect("a reader");
        let select = sql!("SELECT data FROM outbox WHERE event_type = $1 ORDER BY seq");
        let rows = tx.all::<(Json<Value>,)>(select, params![E::TYPE]).await;
        let rows = rows.expect("the outbox can be read").into_iter();
        rows.map(|row| serde_json::from_value(row.0.0).expect("an event"))
            .collect()
    }
}
