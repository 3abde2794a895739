//! What other services may ask.

use contracts::cart::{CartApi, Checkout, CheckoutCart};
use kernel::contract::Answer;

use crate::{CartError, CartService};

impl CartApi for CartService {
    fn checkout_cart(&self, request: CheckoutCart) -> Answer<'_, Checkout> {
        Box::pin(async move { Ok(self.check_out(request).await?) })
    }
}

impl CartService {
    async fn check_out(&self, request: CheckoutCart) -> Result<Checkout, CartError> {
        let CheckoutCart {
            cart_id,
            customer_id,
        } = request;
        let (cart, assessed) = self.assessed_cart(cart_id, customer_id).await?;
        let content = cart.content.0;
        Ok(Checkout {
            cart_id,
            version: cart.version,
            order_id: cart.order_id,
            customer_id: cart.customer_id,
            email: content.email,
            shipping_address: content.shipping_address,
            billing_address: content.billing_address,
            payment: content.payment,
            priced: assessed.priced,
            requirements: assessed.requirements,
        })
    }
}
