//! `GET /v1/customers`: the staff looks through the customers.

use axum::extract::State;
use kernel::{Cursor, CustomerId, Email, Id, Limit, Page, Validate, Violations};
use platform::http::{ApiError, Query, Reply};
use platform::idempotency::bad_cursor;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::model::{Customer, Profile};
use crate::{UserError, UserService, store};

/// Which customers.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListCustomers {
    /// How many at the most.
    #[serde(default)]
    #[param(inline)]
    limit: Limit,
    /// Where the page starts: `next_cursor` of the page before.
    #[param(inline)]
    cursor: Option<Cursor>,
    /// Only the customer with exactly this address.
    #[param(inline)]
    email: Option<Email>,
}

impl Validate for ListCustomers {
    fn validate(&self, _: &mut Violations) {}
}

/// Lists customers, the newest first.
#[utoipa::path(
    get,
    path = "/v1/customers",
    params(ListCustomers),
    responses((status = 200, body = Page<Profile>, description = "A page of customers."))
)]
pub(crate) async fn handler(
    State(users): State<UserService>,
    Query(query): Query<ListCustomers>,
) -> Result<Reply, ApiError> {
    Ok(users.list_customers(query).await?)
}

impl UserService {
    async fn list_customers(&self, query: ListCustomers) -> Result<Reply, UserError> {
        let ListCustomers {
            limit,
            cursor,
            email,
        } = query;
        let filter = ("customers", &email);
        let before = cursor
            .map(|cursor| cursor.key(&filter))
            .transpose()
            .map_err(bad_cursor)?;
        let before = before.unwrap_or(CustomerId::from_uuid(Uuid::max()));
        let tx = self.db.read().await?;
        let customers: Vec<Customer> = match &email {
            None => store::customers(&tx, before, limit.rows()).await?,
            Some(email) => match store::email_owner(&tx, email).await? {
                None => Vec::new(),
                Some(id) => store::customer(&tx, id).await?.into_iter().collect(),
            },
        };
        let page = Page::of(customers, limit.get(), &filter, |customer| customer.id);
        Ok(Reply::ok(&page.map(Profile::from)))
    }
}
