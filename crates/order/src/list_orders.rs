//! `GET /v1/orders`: the orders of a customer, or, for staff, all.

use std::collections::HashMap;

use axum::extract::State;
use contracts::order::{OrderId, OrderState};
use kernel::{Caller, Cursor, CustomerId, Limit, Page, Timestamp, Validate, Violations};
use platform::http::{ApiError, CallerOf, Query, Reply};
use platform::idempotency::bad_cursor;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::model::{Order, OrderView};
use crate::{OrderError, OrderService, store};

/// Which orders.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListOrders {
    /// Only those in this state; for staff.
    state: Option<OrderState>,
    /// How many at the most.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// Where the page starts: the `next_cursor` of the one before.
    cursor: Option<Cursor>,
}

impl Validate for ListOrders {
    fn validate(&self, _: &mut Violations) {}
}

/// A page of orders, the youngest first.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the shape that Page<OrderView> has")]
pub(crate) struct OrderPage<'a> {
    items: Vec<OrderView<'a>>,
    next_cursor: Option<Cursor>,
}

/// Lists orders, the youngest first: for customers those that they have placed, for staff all.
#[utoipa::path(
    get,
    path = "/v1/orders",
    params(ListOrders),
    responses((status = 200, body = OrderPage, description = "A page of orders."))
)]
pub(crate) async fn handler(
    State(orders): State<OrderService>,
    caller: CallerOf,
    Query(query): Query<ListOrders>,
) -> Result<Reply, ApiError> {
    Ok(orders.list_orders(&caller, query).await?)
}

/// Where a page starts: after the order of this time with this id.
type Key = (Timestamp, OrderId);

impl OrderService {
    async fn list_orders(&self, caller: &Caller, query: ListOrders) -> Result<Reply, OrderError> {
        let filter = (caller.customer(), query.state);
        let after = query
            .cursor
            .as_ref()
            .map(|cursor| cursor.key::<Key>(&filter))
            .transpose();
        let after = after.map_err(bad_cursor)?;
        let limit = query.limit;
        let page = match caller.customer() {
            Some(customer) => {
                let page = self.customer_page(customer, after, limit).await?;
                let next = page.1;
                Page {
                    items: page.0,
                    next_cursor: next.map(|key| Cursor::new(&key, &filter)),
                }
            }
            None => {
                let tx = self.db.read().await?;
                let rows = store::page(&tx, query.state, after, limit.rows()).await?;
                Page::of(rows, limit.get(), &filter, |order| {
                    (order.created_at, order.id)
                })
            }
        };
        let items: Vec<OrderView<'_>> = page.items.iter().map(OrderView::from).collect();
        Ok(Reply::ok(&Page {
            items,
            next_cursor: page.next_cursor,
        }))
    }

    /// The list of the customer says which; the orders themselves come by their ids.
    async fn customer_page(
        &self,
        customer: CustomerId,
        after: Option<Key>,
        limit: Limit,
    ) -> Result<(Vec<Order>, Option<Key>), OrderError> {
        let tx = self.db.read().await?;
        let mut keys = store::customer_page(&tx, customer, after, limit.rows()).await?;
        let more = keys.len() > limit.get();
        keys.truncate(limit.get());
        let ids: Vec<OrderId> = keys.iter().map(|key| key.1).collect();
        let found = store::orders(&tx, &ids).await?;
        let mut found: HashMap<OrderId, Order> =
            found.into_iter().map(|order| (order.id, order)).collect();
        let orders = ids.iter().filter_map(|id| found.remove(id)).collect();
        Ok((orders, keys.last().copied().filter(|_| more)))
    }
}
