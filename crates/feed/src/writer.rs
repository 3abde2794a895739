//! Who writes for everybody to read.

use contracts::user::GetCustomer;
use kernel::Caller;

use crate::model::{AuthorId, Writer};
use crate::{FeedError, FeedService};

/// Customers and staff are let in by the route; nobody else has anything here.
const NOBODY: FeedError = FeedError::NotFound("author");

/// Whose posts `caller` writes.
pub(crate) fn author(caller: &Caller) -> Result<AuthorId, FeedError> {
    AuthorId::of(caller).ok_or(NOBODY)
}

impl FeedService {
    /// Who `caller` writes as: staff as the shop, customers as themselves, once their e-mail address
    /// is proved to be theirs.
    pub(crate) async fn writer(
        &self,
        caller: &Caller,
        signature: Option<String>,
    ) -> Result<Writer, FeedError> {
        let id = author(caller)?;
        if let Some(customer_id) = id.customer() {
            let customer = self.user.get_customer(GetCustomer { customer_id }).await?;
            if !customer.email_verified {
                return Err(FeedError::Unverified);
            }
        }
        Ok(Writer {
            id,
            staff_id: caller.staff(),
            signature,
        })
    }
}
