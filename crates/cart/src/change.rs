//! Changing a cart: the one way that all operations on a cart that exists share.
//!
//! A change is prepared outside of any transaction: the cart is read, the catalogue and the
//! promotions are asked about what is in it and what comes into it, and stock is reserved where a
//! variant wants that. Then it is applied, in a transaction, to the newest version of the cart:
//! whoever else has changed it meanwhile loses nothing. Where that version needs more than was
//! asked, the change is prepared anew.

use contracts::cart::CartId;
use contracts::product::VariantId;
use kernel::{Caller, CustomerId, Timestamp};
use platform::http::{IfMatch, Reply};
use platform::idempotency::IdempotentRequest;

use crate::assess::assess;
use crate::hold::{self, Terms};
use crate::known::Known;
use crate::model::Cart;
use crate::view::cart_reply;
use crate::{CartError, CartService, Config, store};

/// How often a change is prepared anew before the client is asked to come again. Each time another
/// change of the same cart has succeeded.
const ATTEMPTS: usize = 100;

/// What an operation does to a cart. It is applied to a draft and to the newest version, perhaps
/// several times, so it depends on nothing but what it is given.
pub(crate) trait Edit: Clone + Send + Sync + 'static {
    /// Changes the cart, or says why not.
    fn apply(&self, cart: &mut Cart, facts: &Facts<'_>) -> Result<(), CartError>;
    /// The variants that come into the cart.
    fn variants(&self) -> Vec<VariantId> {
        Vec::new()
    }
    /// The promotion codes that come into the cart.
    fn codes(&self) -> Vec<String> {
        Vec::new()
    }
    /// What it means for stock that the cart holds.
    fn terms(&self) -> Terms {
        Terms::default()
    }
}

/// What an edit may rely on.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) known: &'a Known,
    pub(crate) config: &'a Config,
    pub(crate) now: Timestamp,
}

/// Which cart, who wants to change it, and on which condition.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) id: CartId,
    pub(crate) customer: Option<CustomerId>,
    pub(crate) if_match: IfMatch,
    /// The request, if it may come twice.
    pub(crate) request: Option<IdempotentRequest>,
}

impl Target {
    /// A cart, as `caller` names it.
    pub(crate) fn new(id: CartId, caller: &Caller, if_match: IfMatch) -> Self {
        Self {
            id,
            customer: caller.customer(),
            if_match,
            request: None,
        }
    }

    /// Remembers the answer under the key of `request`.
    pub(crate) fn once(self, request: IdempotentRequest) -> Self {
        Self {
            request: Some(request),
            ..self
        }
    }

    /// The cart, if it is there for who asks, can be changed, and is the version that they mean.
    fn check(&self, cart: Option<Cart>, now: Timestamp) -> Result<Cart, CartError> {
        let cart = cart.filter(|cart| cart.there_for(self.customer, now));
        let cart = cart.ok_or(CartError::NotFound("cart"))?;
        cart.check_open()?;
        self.if_match.check(cart.version)?;
        Ok(cart)
    }
}

impl CartService {
    /// Changes a cart and answers with what it is then.
    pub(crate) async fn change(&self, target: Target, edit: impl Edit) -> Result<Reply, CartError> {
        let (mut attempts, mut reserved) = (1, false);
        let settled = loop {
            match self.try_change(&target, &edit, &mut reserved).await {
                Err(CartError::Moved) if attempts < ATTEMPTS => attempts += 1,
                settled => break settled,
            }
        };
        if reserved {
            self.put_back(target.id).await;
        }
        match &target.request {
            Some(request) => request.settle(&self.db, settled).await,
            None => settled,
        }
    }

    /// Changes the cart unless somebody else does meanwhile. Says in `reserved` if stock is reserved
    /// for what the cart has not become.
    async fn try_change<E: Edit>(
        &self,
        target: &Target,
        edit: &E,
        reserved: &mut bool,
    ) -> Result<Reply, CartError> {
        let cart = {
            let tx = self.db.read().await?;
            // The cart first: if the same request has changed it by then, its answer is there, too.
            let found = store::load(&tx, target.id).await?;
            if let Some(request) = &target.request
                && let Some(reply) = request.replay(&tx).await?
            {
                return Ok(reply);
            }
            target.check(found, self.db.sources().now())?
        };
        let known = self.look_up(&cart, &edit.variants(), &edit.codes()).await?;
        if !known.reserves_on_cart() && cart.held().is_empty() {
            return self.save(target, edit, known, None).await;
        }
        let mut draft = cart.clone();
        edit.apply(&mut draft, &self.facts(&known))?;
        let hold = self.reserve(&cart, &draft, &known, edit.terms()).await?;
        let reserves = hold.is_some();
        *reserved |= reserves;
        let reply = self.save(target, edit, known, hold).await?;
        *reserved &= !reserves;
        Ok(reply)
    }

    /// Applies the change to the newest version.
    async fn save<E: Edit>(
        &self,
        target: &Target,
        edit: &E,
        known: Known,
        hold: Option<hold::Hold>,
    ) -> Result<Reply, CartError> {
        let (target, edit, config) = (target.clone(), edit.clone(), self.config.clone());
        self.db
            .write(move |tx| async move {
                let now = tx.sources().now();
                let mut cart = target.check(store::lock(&tx, target.id).await?, now)?;
                let facts = Facts {
                    known: &known,
                    config: &config,
                    now,
                };
                edit.apply(&mut cart, &facts)?;
                if !known.covers(&cart) {
                    return Err(CartError::Moved);
                }
                hold::note(&mut cart, &known, hold.as_ref())?;
                cart.touch(&config, now);
                if !store::save(&tx, &cart).await? {
                    return Err(CartError::Moved);
                }
                let reply = cart_reply(&cart, &assess(&cart, known, &config, now)?);
                if let Some(request) = &target.request {
                    request.keep(&tx, &reply).await?;
                }
                Ok(reply)
            })
            .await
    }

    fn facts<'a>(&'a self, known: &'a Known) -> Facts<'a> {
        Facts {
            known,
            config: &self.config,
            now: self.db.sources().now(),
        }
    }
}
