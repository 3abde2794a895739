//! `POST /v1/carts/{id}/claim`: after log-in, a guest's cart becomes the customer's.
//!
//! Two carts never change in one transaction: they lie on different shards. So a merge is two
//! steps, each of which can be done again. First the guest's cart notes that it has gone into the
//! customer's, and from then on cannot change; then the customer's takes it in, and notes that it
//! has. A claim that comes again after a crash finds the first note and does what is left.

use axum::extract::State;
use contracts::cart::CartId;
use contracts::product::VariantId;
use kernel::{CustomerId, Id, Timestamp};
use platform::db::Tx;
use platform::http::{ApiError, CallerOf, IfMatch, PathId, Reply};
use platform::idempotency::IdempotencyKey;

use crate::change::{Edit, Facts, Target};
use crate::hold::Terms;
use crate::model::{Cart, CartState};
use crate::view::{CartView, cart_reply};
use crate::{CartError, CartService, Config, store};

/// Makes a guest's cart the customer's, after they have logged in. If they have an open cart of the
/// same currency, the guest's goes into that: quantities add up, to the limits; details that theirs
/// lacks are taken over; promotion codes are joined. In another currency both stay, and the claimed
/// one becomes the current one. Claiming again changes nothing.
#[utoipa::path(
    post,
    path = "/v1/carts/{id}/claim",
    params(("id" = CartId, Path, description = "The guest's cart.")),
    responses((
        status = 200,
        body = CartView,
        description = "The cart that has the lines now: the claimed one, or the customer's own.",
        headers(("ETag" = String, description = "The version, and what it costs now."))
    ))
)]
pub(crate) async fn handler(
    State(carts): State<CartService>,
    caller: CallerOf,
    key: IdempotencyKey,
    PathId(id): PathId<CartId>,
) -> Result<Reply, ApiError> {
    let customer = caller.customer().ok_or(CartError::NotFound("cart"))?;
    Ok(carts.claim_cart(id, customer, key).await?)
}

impl CartService {
    async fn claim_cart(
        &self,
        id: CartId,
        customer: CustomerId,
        key: IdempotencyKey,
    ) -> Result<Reply, CartError> {
        let request = key.request(id.uuid(), &());
        if let Some(reply) = request.replay(&self.db.read().await?).await? {
            return Ok(reply);
        }
        let result = self.claim(id, customer).await?;
        let (cart, assessed) = self.assessed_cart(result, Some(customer)).await?;
        let reply = cart_reply(&cart, &assessed);
        // The claim can be repeated without this: only the answer might then be a younger one.
        let mine = request.clone();
        let kept = self
            .db
            .write(move |tx| async move { request.keep(&tx, &reply).await.map(|()| reply) })
            .await;
        mine.settle(&self.db, kept.map_err(CartError::from)).await
    }

    /// Makes the cart the customer's, one way or the other; returns the one that has the lines.
    async fn claim(&self, id: CartId, customer: CustomerId) -> Result<CartId, CartError> {
        let own = self
            .current_cart(customer)
            .await?
            .filter(|own| own.id != id);
        let claimed = self.mark(id, customer, own).await?;
        let claimed = match claimed.content.0.merged_into {
            None => claimed,
            Some(into) => match self.merge(&claimed, into, customer).await? {
                Merge::Done => return Ok(into),
                // The customer's cart went away in between: the claimed one takes its place.
                Merge::Impossible => self.unmark(id, into).await?,
            },
        };
        let owned_at = claimed.content.0.owned_at.unwrap_or(claimed.created_at);
        self.make_current(customer, id, owned_at).await?;
        Ok(id)
    }

    /// The first step: the cart is the customer's, and, if they have a cart that can take it in,
    /// has gone into that.
    async fn mark(
        &self,
        id: CartId,
        customer: CustomerId,
        own: Option<Cart>,
    ) -> Result<Cart, CartError> {
        let config = self.config.clone();
        self.db
            .write(move |tx| async move {
                let now = tx.sources().now();
                let mut cart = claimable(&tx, id, customer).await?;
                if cart.customer_id.is_some() {
                    return Ok(cart);
                }
                cart.give_to(customer, now);
                if let Some(own) = own.filter(|own| own.currency == cart.currency) {
                    cart.state = CartState::Merged;
                    cart.content.0.merged_into = Some(own.id);
                }
                save(&tx, cart, &config, now).await
            })
            .await
    }

    /// The second step: the customer's cart takes in the claimed one, unless it has already.
    async fn merge(
        &self,
        claimed: &Cart,
        into: CartId,
        customer: CustomerId,
    ) -> Result<Merge, CartError> {
        let own = store::load(&self.db.read().await?, into).await?;
        if let Some(own) = own.filter(|own| own.content.0.absorbed.contains(&claimed.id)) {
            return own.check_open().map(|()| Merge::Done);
        }
        let target = Target {
            id: into,
            customer: Some(customer),
            if_match: IfMatch::default(),
            request: None,
        };
        let claimed = claimed.clone();
        match self.change(target, Absorb { claimed }).await {
            Ok(_) => Ok(Merge::Done),
            Err(CartError::NotFound(_) | CartError::Completed | CartError::AmountOutOfRange) => {
                Ok(Merge::Impossible)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes back the first step, if it still says so.
    async fn unmark(&self, id: CartId, into: CartId) -> Result<Cart, CartError> {
        let config = self.config.clone();
        self.db
            .write(move |tx| async move {
                let now = tx.sources().now();
                let cart = store::lock(&tx, id).await?;
                let mut cart = cart.ok_or(CartError::NotFound("cart"))?;
                if cart.content.0.merged_into != Some(into) {
                    return Ok(cart);
                }
                cart.state = CartState::Open;
                cart.content.0.merged_into = None;
                save(&tx, cart, &config, now).await
            })
            .await
    }
}

enum Merge {
    Done,
    Impossible,
}

/// The cart, if it is a guest's or the customer's own, and has not become an order.
async fn claimable(tx: &Tx, id: CartId, customer: CustomerId) -> Result<Cart, CartError> {
    let now = tx.sources().now();
    let cart = store::lock(tx, id).await?;
    let cart = cart.filter(|cart| {
        cart.expires_at > now && cart.customer_id.is_none_or(|owner| owner == customer)
    });
    let cart = cart.ok_or(CartError::NotFound("cart"))?;
    if cart.state == CartState::Completed {
        return Err(CartError::Completed);
    }
    Ok(cart)
}

async fn save(tx: &Tx, mut cart: Cart, config: &Config, now: Timestamp) -> Result<Cart, CartError> {
    cart.touch(config, now);
    if store::save(tx, &cart).await? {
        Ok(cart)
    } else {
        Err(CartError::Moved)
    }
}

#[derive(Debug, Clone)]
struct Absorb {
    claimed: Cart,
}

impl Edit for Absorb {
    fn apply(&self, cart: &mut Cart, _: &Facts<'_>) -> Result<(), CartError> {
        cart.absorb(&self.claimed);
        Ok(())
    }

    fn variants(&self) -> Vec<VariantId> {
        let lines = self.claimed.lines().iter();
        lines.map(|line| line.variant_id).collect()
    }

    fn codes(&self) -> Vec<String> {
        self.claimed.content.0.promotion_codes.clone()
    }

    /// What the guest's cart holds, the customer's holds now. A log-in does not fail for want of
    /// stock.
    fn terms(&self) -> Terms {
        Terms {
            instead_of: Some(self.claimed.id),
            lenient: true,
        }
    }
}
