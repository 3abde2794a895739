//! What other services may ask.

use contracts::user::{CustomerSummary, GetCustomer, UserApi};
use kernel::contract::Answer;

use crate::{UserError, UserService, store};

impl UserApi for UserService {
    fn verification_keys(&self, (): ()) -> Answer<'_, serde_json::Value> {
        Box::pin(async move {
            let keys = self.keys.public().await.map_err(UserError::from)?;
            Ok(serde_json::to_value(keys).expect("keys are plain data"))
        })
    }

    fn get_customer(&self, request: GetCustomer) -> Answer<'_, CustomerSummary> {
        Box::pin(async move { Ok(self.customer_summary(request).await?) })
    }
}

impl UserService {
    async fn customer_summary(&self, request: GetCustomer) -> Result<CustomerSummary, UserError> {
        let tx = self.db.read().await?;
        let customer = store::customer(&tx, request.customer_id).await?;
        let customer = customer.ok_or(UserError::NotFound("customer"))?;
        Ok(CustomerSummary {
            customer_id: customer.id,
            email: customer.email,
            name: customer.name,
            email_verified: customer.email_verified_at.is_some(),
        })
    }
}
