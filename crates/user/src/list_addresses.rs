//! `GET /v1/customers/me/addresses`: a customer looks through their address book.

use axum::extract::State;
use contracts::user::AddressId;
use kernel::{Cursor, CustomerId, Id, Limit, Page, Validate, Violations};
use platform::http::{ApiError, CallerOf, Query, Reply};
use platform::idempotency::bad_cursor;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::model::AddressView;
use crate::{UserError, UserService, store};

/// Which addresses.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListAddresses {
    /// How many at the most.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// Where the page starts: `next_cursor` of the page before.
    #[param(inline)]
    cursor: Option<Cursor>,
}

impl Validate for ListAddresses {
    fn validate(&self, _: &mut Violations) {}
}

/// Lists the caller's addresses, the oldest first.
#[utoipa::path(
    get,
    path = "/v1/customers/me/addresses",
    params(ListAddresses),
    responses((status = 200, body = Page<AddressView>, description = "A page of addresses."))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    caller: CallerOf,
    Query(query): Query<ListAddresses>,
) -> Result<Reply, ApiError> {
    let id = caller.customer().ok_or(UserError::NotFound("customer"))?;
    Ok(users.list_addresses(id, query).await?)
}

impl UserService {
    async fn list_addresses(
        &self,
        customer: CustomerId,
        query: ListAddresses,
    ) -> Result<Reply, UserError> {
        let ListAddresses { limit, cursor } = query;
        let filter = ("addresses", customer);
        let after = cursor
            .map(|cursor| cursor.key(&filter))
            .transpose()
            .map_err(bad_cursor)?;
        let after = after.unwrap_or(AddressId::from_uuid(Uuid::nil()));
        let tx = self.db.read().await?;
        let rows = store::addresses(&tx, customer, after, limit.rows()).await?;
        let page = Page::of(rows, limit.get(), &filter, |saved| saved.id);
        Ok(Reply::ok(&page.map(AddressView::from)))
    }
}
