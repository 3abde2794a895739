//! Who reserves last saves last, in the one order of steps that tells.

use std::sync::{Arc, Mutex};

use contracts::product::{
    FindProducts, PriceVariants, PricedVariant, ProductApi, ProductClient, ProductId, Reservation,
};
use kernel::Caller;
use kernel::contract::{Answer, Operation, Transport};
use platform::http::IfMatch;
use platform::testing::TestDatabase;
use tokio::sync::Semaphore;

use super::*;
use crate::change::{Edit, Facts, Target};
use crate::config::samples::config;
use crate::model::samples;
use crate::{Deps, MIGRATIONS};

/// A warehouse with plenty of one thing, whose answer to a reservation of two waits at a gate.
#[derive(Debug)]
struct Warehouse {
    variant: PricedVariant,
    /// How many the cart holds.
    held: Mutex<i64>,
    /// Has a permit once the answer waits.
    waits: Semaphore,
    gate: Semaphore,
}

impl ProductApi for Warehouse {
    fn price_variants(&self, _: PriceVariants) -> Answer<'_, Vec<PricedVariant>> {
        Box::pin(async { Ok(vec![self.variant.clone()]) })
    }

    fn find_products(&self, _: FindProducts) -> Answer<'_, Vec<ProductId>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn reserve_stock(&self, request: ReserveStock) -> Answer<'_, Reservation> {
        Box::pin(async move {
            let quantity = request.lines[0].quantity;
            *self.held.lock().expect("nobody panics") = quantity;
            if quantity == 2 && !self.gate.is_closed() {
                self.waits.add_permits(1);
                // Closed when it opens.
                let _closed = self.gate.acquire().await;
            }
            Ok(Reservation {
                holder: request.holder,
                expires_at: request.expires_at,
            })
        })
    }

    fn release_stock(&self, _: ReleaseStock) -> Answer<'_, ()> {
        Box::pin(async {
            *self.held.lock().expect("nobody panics") = 0;
            Ok(())
        })
    }
}

/// No detour.
#[derive(Debug)]
struct Here;

impl Transport for Here {
    fn local<'a>(&'a self, _: Operation, call: Answer<'a, ()>) -> Answer<'a, ()> {
        call
    }

    fn remote(&self, _: Operation, _: Vec<u8>) -> Answer<'_, Vec<u8>> {
        unreachable!("the warehouse is here")
    }
}

/// Puts pieces into the cart; the last step of it fails if it is to.
#[derive(Debug, Clone)]
struct Put {
    variant: PricedVariant,
    quantity: i64,
    fails: Option<Arc<Semaphore>>,
}

impl Edit for Put {
    fn apply(&self, cart: &mut Cart, _: &Facts<'_>) -> Result<(), CartError> {
        // The draft takes the permit; what is to be saved finds none.
        match self.fails.as_ref().map(|permits| permits.try_acquire()) {
            None => {}
            Some(Ok(permit)) => permit.forget(),
            Some(Err(_)) => return Err(CartError::TooManyLines),
        }
        samples::put(cart, &self.variant, self.quantity);
        Ok(())
    }

    fn variants(&self) -> Vec<contracts::product::VariantId> {
        vec![self.variant.variant_id]
    }
}

#[tokio::test]
async fn what_was_reserved_before_a_hold_was_put_back_is_reserved_again() {
    let variant = PricedVariant {
        inventory: InventoryMode::ReserveOnCart,
        available: Some(100),
        ..samples::variant()
    };
    let warehouse = Arc::new(Warehouse {
        variant: variant.clone(),
        held: Mutex::new(0),
        waits: Semaphore::new(0),
        gate: Semaphore::new(0),
    });
    let database = TestDatabase::create().await;
    let db = database.open("cart", MIGRATIONS).await;
    let deps = Deps {
        db: db.clone(),
        product: ProductClient::local(warehouse.clone(), Arc::new(Here)),
        config: config(),
    };
    let carts = CartService::build(deps).await.expect("the service starts");
    let cart = samples::cart();
    let id = cart.id;
    db.write(move |tx| {
        let cart = cart.clone();
        async move { store::insert(&tx, &cart).await }
    })
    .await
    .expect("a cart");
    let put = |quantity, fails| {
        let (carts, variant) = (carts.clone(), variant.clone());
        let target = Target::new(id, &Caller::Anonymous, IfMatch::default());
        async move {
            let put = Put {
                variant,
                quantity,
                fails,
            };
            carts.change(target, put).await
        }
    };
    put(1, None).await.expect("one is in the cart");
    let fail_meanwhile = async {
        let _waits = warehouse.waits.acquire().await.expect("a permit");
        let refused = put(5, Some(Arc::new(Semaphore::new(1)))).await;
        assert!(matches!(refused, Err(CartError::TooManyLines)));
        assert_eq!(*warehouse.held.lock().expect("nobody panics"), 1);
        warehouse.gate.close();
    };
    let (second, ()) = tokio::join!(put(1, None), fail_meanwhile);
    second.expect("two are in the cart");
    let read = db.read().await.expect("a connection");
    let cart = store::load(&read, id).await.expect("a read");
    let held = cart.expect("the cart").held();
    assert_eq!(held[0].quantity, 2);
    assert_eq!(*warehouse.held.lock().expect("nobody panics"), 2);
}
