//! Stock that is reserved as soon as it is in a cart, for the variants that want it so.
//!
//! Reserving is a call to another service, so it comes before the change is saved; the change is
//! saved only if it still comes to the lines that were reserved, and is prepared anew otherwise.
//! A change that fails after it has reserved puts back what the cart had, and counts that in the
//! cart's row: whoever has reserved before, and not saved, begins anew, so that the last to reserve
//! is always the last to save. What a crash leaves lapses by itself, and an order takes over
//! whatever the cart holds: nothing is ever sold twice.

use contracts::cart::CartId;
use contracts::product::{InventoryMode, ReleaseStock, ReserveLine, ReserveStock, codes};
use kernel::{Id, Problem, Timestamp};
use platform::db::DbError;

use crate::known::Known;
use crate::model::Cart;
use crate::{CartError, CartService, store};

/// How often a cart that changes all the time is looked at before its hold is left to lapse.
const PUT_BACK_ATTEMPTS: usize = 10;

/// What was reserved for a cart in its next version.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    wanted: Vec<ReserveLine>,
    /// Until when; `None` if it was not to be had.
    until: Option<Timestamp>,
    /// How often a hold of the cart had been put back before.
    put_backs: i64,
}

/// What a change of a cart means for what it holds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Terms {
    /// The cart whose goods come into this one.
    pub(crate) instead_of: Option<CartId>,
    /// Whether the change goes on, without holding anything, where not enough is left.
    pub(crate) lenient: bool,
}

/// The lines whose stock is to be reserved while they are in the cart.
fn wanted(cart: &Cart, known: &Known) -> Vec<ReserveLine> {
    let lines = cart.lines().iter().filter(|line| {
        let variant = known.variant(line.variant_id);
        variant.is_some_and(|variant| variant.inventory == InventoryMode::ReserveOnCart)
    });
    lines
        .map(|line| ReserveLine {
            variant_id: line.variant_id,
            quantity: line.quantity,
        })
        .collect()
}

/// Whether more of anything is wanted than `cart` has.
fn grows(cart: &Cart, wanted: &[ReserveLine]) -> bool {
    wanted.iter().any(|wanted| {
        let mut lines = cart.lines().iter();
        let present = lines.find(|line| line.variant_id == wanted.variant_id);
        present.is_none_or(|line| line.quantity < wanted.quantity)
    })
}

/// Notes in a changed cart what is reserved for it. `hold` was made for what the cart was expected
/// to become; if it has become something else, or another hold was put back since, the change has to
/// be prepared anew.
pub(crate) fn note(cart: &mut Cart, known: &Known, hold: Option<&Hold>) -> Result<(), CartError> {
    let wanted = wanted(cart, known);
    let Some(hold) = hold else {
        let held = wanted == cart.held();
        return if held { Ok(()) } else { Err(CartError::Moved) };
    };
    if wanted != hold.wanted || hold.put_backs != cart.content.0.put_backs {
        return Err(CartError::Moved);
    }
    match hold.until {
        Some(until) => cart.hold(&hold.wanted, until),
        None => cart.hold(&[], cart.updated_at),
    }
    Ok(())
}

impl CartService {
    /// Reserves what `after` wants to hold, if that is not what `before` holds. Only where more is
    /// wanted than before can a shortage refuse the change.
    pub(crate) async fn reserve(
        &self,
        before: &Cart,
        after: &Cart,
        known: &Known,
        terms: Terms,
    ) -> Result<Option<Hold>, CartError> {
        let wanted = wanted(after, known);
        if wanted == before.held() && terms.instead_of.is_none() {
            return Ok(None);
        }
        let until = self.db.sources().now().plus(self.config.hold_ttl);
        let reserved = self
            .set_hold(before.id, terms.instead_of, wanted.clone(), until)
            .await;
        let until = match reserved {
            Ok(()) => Some(until),
            Err(problem)
                if problem.is(codes::OUT_OF_STOCK)
                    && (terms.lenient || !grows(before, &wanted)) =>
            {
                None
            }
            Err(problem) => return Err(problem.into()),
        };
        Ok(Some(Hold {
            wanted,
            until,
            put_backs: before.content.0.put_backs,
        }))
    }

    /// Puts back what the cart holds, after a change has reserved and was not saved. If the cart
    /// changes meanwhile it is looked at again, so that the last one to look has seen the last
    /// change.
    pub(crate) async fn put_back(&self, id: CartId) {
        for _ in 0..PUT_BACK_ATTEMPTS {
            let loaded = async { store::load(&self.db.read().await?, id).await };
            let Ok(cart): Result<Option<Cart>, DbError> = loaded.await else {
                return;
            };
            let until = cart.as_ref().and_then(|cart| cart.content.0.held_until);
            let until = until.unwrap_or_else(|| self.db.sources().now());
            let held = cart.as_ref().map(Cart::held).unwrap_or_default();
            if let Err(problem) = self.set_hold(id, None, held, until).await {
                tracing::debug!(cart.id = %id, %problem, "a hold was not put back; it will lapse");
            }
            let version = cart.map(|cart| cart.version);
            if let Ok(true) | Err(_) = self.count_put_back(id, version).await {
                return;
            }
        }
    }

    /// Notes that a hold was put back, if the cart is still what was put back.
    async fn count_put_back(&self, id: CartId, version: Option<i64>) -> Result<bool, DbError> {
        self.db
            .write(move |tx| async move {
                let cart = store::lock(&tx, id).await?;
                if cart.as_ref().map(|cart| cart.version) != version {
                    return Ok(false);
                }
                if let Some(mut cart) = cart {
                    cart.content.0.put_backs += 1;
                    store::note(&tx, &cart).await?;
                }
                Ok(true)
            })
            .await
    }

    async fn set_hold(
        &self,
        id: CartId,
        instead_of: Option<CartId>,
        lines: Vec<ReserveLine>,
        expires_at: Timestamp,
    ) -> Result<(), Problem> {
        let holder = id.uuid();
        if lines.is_empty() {
            return self.product.release_stock(ReleaseStock { holder }).await;
        }
        let request = ReserveStock {
            holder,
            instead_of: instead_of.map(Id::uuid).into_iter().collect(),
            lines,
            expires_at,
        };
        self.product.reserve_stock(request).await.map(drop)
    }
}

#[cfg(test)]
mod tests;
