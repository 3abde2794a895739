//! `POST /v1/carts`: a new cart, empty or whole.

use axum::extract::State;
use contracts::cart::{CartId, LineId, PaymentChoice};
use contracts::product::VariantId;
use kernel::{Address, Caller, Currency, CustomerId, Email, Id, Timestamp, Validate, Violations};
use platform::http::{ApiError, CallerOf, Reply, Valid};
use platform::idempotency::{IdempotencyError, IdempotencyKey, IdempotentRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::add_line::NewLine;
use crate::assess::assess;
use crate::change::{Edit, Facts};
use crate::hold::{self, Hold, Terms};
use crate::known::Known;
use crate::model::{Cart, CartState, MOST_LINES};
use crate::update_cart::Details;
use crate::view::{CartView, created_reply};
use crate::{CartError, CartService, store};

/// A cart as a whole. Only the currency is needed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WholeCart {
    /// All amounts will be in it; every variant needs a price in it.
    pub(crate) currency: Currency,
    /// What is bought. A variant that is named twice has one line with both quantities.
    #[serde(default)]
    #[schema(max_items = 200)]
    pub(crate) lines: Vec<NewLine>,
    /// Where the shop writes to.
    #[serde(default)]
    email: Option<Email>,
    /// Where the goods go.
    #[serde(default)]
    shipping_address: Option<Address>,
    /// Where the invoice goes.
    #[serde(default)]
    billing_address: Option<Address>,
    /// One of the shipping options of the shop.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 50, example = "standard")]
    shipping_option: Option<String>,
    /// How the customer pays.
    #[serde(default)]
    payment: Option<PaymentChoice>,
    /// The codes that shall apply, in this order. Capitals or not is the same.
    #[serde(default)]
    #[schema(max_items = 10, example = json!(["WELCOME"]))]
    promotion_codes: Option<Vec<String>>,
}

impl WholeCart {
    fn details(&self) -> Details {
        Details {
            email: Some(self.email.clone()),
            shipping_address: Some(self.shipping_address.clone()),
            billing_address: Some(self.billing_address.clone()),
            shipping_option: Some(self.shipping_option.clone()),
            payment: Some(self.payment.clone()),
            promotion_codes: Some(self.promotion_codes.clone()),
        }
    }
}

impl Validate for WholeCart {
    fn validate(&self, violations: &mut Violations) {
        violations.each("lines", &self.lines, MOST_LINES);
        self.details().validate(violations);
    }
}

/// Creates a cart. A guest's belongs to whoever holds its id, which cannot be guessed; a
/// customer's belongs to them alone and becomes their current one.
#[utoipa::path(
    post,
    path = "/v1/carts",
    request_body = WholeCart,
    responses((
        status = 201,
        body = CartView,
        description = "The cart.",
        headers(
            ("ETag" = String, description = "The version, and what it costs now."),
            ("Location" = String, description = "Where the cart is."),
        )
    ))
)]
pub(crate) async fn handler(
    State(carts): State<CartService>,
    caller: CallerOf,
    key: IdempotencyKey,
    Valid(body): Valid<WholeCart>,
) -> Result<Reply, ApiError> {
    Ok(carts.create_cart(&caller, key, body).await?)
}

impl CartService {
    /// The id comes from the key, so that the record of the answer lies beside the cart.
    async fn create_cart(
        &self,
        caller: &Caller,
        key: IdempotencyKey,
        body: WholeCart,
    ) -> Result<Reply, CartError> {
        let sources = self.db.sources();
        let id: CartId = key
            .derived()
            .map_or_else(|| sources.id(), CartId::from_uuid);
        let request = key.request(id.uuid(), &body);
        if let Some(reply) = self.created_before(id, caller, &request).await? {
            return Ok(reply);
        }
        let (now, customer) = (sources.now(), caller.customer());
        let empty = Cart::empty(id, sources.id(), customer, body.currency, now);
        let fresh_line = |_| sources.id();
        let (mut cart, known) = self.assemble(empty.clone(), &body, fresh_line).await?;
        cart.prolong(&self.config, now);
        let hold = self
            .reserve(&empty, &cart, &known, Terms::default())
            .await?;
        let reserved = hold.is_some();
        let created = self.insert(cart, known, hold, request.clone()).await;
        if reserved && created.is_err() {
            self.put_back(id).await;
        }
        let reply = request.settle(&self.db, created).await?;
        if let Some(customer) = customer {
            self.make_current(customer, id, now).await?;
        }
        Ok(reply)
    }

    /// The answer that the request got before, if it comes again. A crash may have come between
    /// the cart and its becoming the customer's current one, so that is made up for.
    async fn created_before(
        &self,
        id: CartId,
        caller: &Caller,
        request: &IdempotentRequest,
    ) -> Result<Option<Reply>, CartError> {
        if request.scope().is_none() {
            return Ok(None);
        }
        let (reply, cart) = {
            let tx = self.db.read().await?;
            match request.replay(&tx).await? {
                None => return Ok(None),
                Some(reply) => (reply, store::load(&tx, id).await?),
            }
        };
        let now = self.db.sources().now();
        let mine = cart.filter(|cart| cart.there_for(caller.customer(), now));
        if let Some(cart) = mine.filter(|cart| cart.state == CartState::Open)
            && let Some(customer) = cart.customer_id
        {
            let owned_at = cart.content.0.owned_at.unwrap_or(cart.created_at);
            self.make_current(customer, id, owned_at).await?;
        }
        Ok(Some(reply))
    }

    /// Stores a cart that does not exist yet. Everything is computed before the transaction.
    async fn insert(
        &self,
        mut cart: Cart,
        known: Known,
        hold: Option<Hold>,
        request: IdempotentRequest,
    ) -> Result<Reply, CartError> {
        hold::note(&mut cart, &known, hold.as_ref())?;
        let assessed = assess(&cart, known, &self.config, cart.created_at)?;
        let reply = created_reply(&cart, &assessed);
        self.db
            .write(move |tx| async move {
                // The same key, at the same moment or longer ago than answers are kept.
                if !store::insert(&tx, &cart).await? {
                    return Err(IdempotencyError::Running.into());
                }
                request.keep(&tx, &reply).await?;
                Ok(reply)
            })
            .await
    }

    /// Makes a cart the current one of its customer, in a transaction of its own: the two are
    /// distributed by different keys.
    pub(crate) async fn make_current(
        &self,
        customer: CustomerId,
        id: CartId,
        owned_at: Timestamp,
    ) -> Result<(), CartError> {
        self.db
            .write(move |tx| async move {
                Ok(store::make_current(&tx, customer, id, owned_at).await?)
            })
            .await
    }

    /// The cart that `whole` describes, with what is known of it; not stored.
    pub(crate) async fn assemble(
        &self,
        mut cart: Cart,
        whole: &WholeCart,
        line_id: impl Fn(VariantId) -> LineId,
    ) -> Result<(Cart, Known), CartError> {
        let variants: Vec<VariantId> = whole.lines.iter().map(|line| line.variant_id).collect();
        let details = whole.details();
        let known = self.look_up(&cart, &variants, &details.codes()).await?;
        for (index, line) in whole.lines.iter().enumerate() {
            let field = || format!("/lines/{index}/variant_id");
            let variant = known.purchasable(line.variant_id, field)?;
            cart.add(line_id(line.variant_id), variant, line.quantity)?;
        }
        let facts = Facts {
            known: &known,
            config: &self.config,
            now: self.db.sources().now(),
        };
        details.apply(&mut cart, &facts)?;
        Ok((cart, known))
    }
}
