//! Carts as values: what is in them, whose they are, what may be done with them. Pure, no async.

use contracts::cart::{CartId, LineId, PaymentChoice, PricedCart};
use contracts::order::OrderId;
use contracts::product::{PricedVariant, ProductId, ReserveLine, VariantId};
use kernel::{Address, Currency, CustomerId, Email, Json, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{CartError, Config};

/// Lines of one cart.
pub(crate) const MOST_LINES: usize = 200;
/// Pieces of one line.
pub(crate) const MOST_PIECES: i64 = 10_000;
/// Promotion codes of one cart.
pub(crate) const MOST_CODES: usize = 10;
/// How many carts a cart remembers to have taken in; an older claim is not repeated any more.
const MOST_ABSORBED: usize = 20;

kernel::text_enum! {
    /// Where a cart stands.
    pub(crate) enum CartState {
        /// It can be changed, and become an order.
        Open = "open",
        /// It has become an order. It can only be read.
        Completed = "completed",
        /// It went into another cart of its customer. It is not there any more.
        Merged = "merged",
    }
}

/// A cart, as the store keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Cart {
    pub(crate) id: CartId,
    /// Whose it is; of a guest: of everybody who holds the id.
    pub(crate) customer_id: Option<CustomerId>,
    /// The order that it becomes.
    pub(crate) order_id: OrderId,
    pub(crate) version: i64,
    pub(crate) state: CartState,
    pub(crate) currency: Currency,
    pub(crate) content: Json<Content>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// What no statement looks into.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Content {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) lines: Vec<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<Email>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shipping_address: Option<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) billing_address: Option<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shipping_option: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) payment: Option<PaymentChoice>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) promotion_codes: Vec<String>,
    /// Until when the stock of the lines that hold some is reserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) held_until: Option<Timestamp>,
    /// How often what it holds was put back after a change that was not saved. A change that had
    /// reserved before then is prepared anew.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) put_backs: i64,
    /// Since when it is its customer's; decides which of their carts is the current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owned_at: Option<Timestamp>,
    /// The carts that were merged into this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) absorbed: Vec<CartId>,
    /// The cart that this one was merged into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) merged_into: Option<CartId>,
    /// What was sold, once it has become an order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sold: Option<PricedCart>,
}

/// One line: a variant and how many of it. A cart has one line for each variant at the most.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) id: LineId,
    pub(crate) variant_id: VariantId,
    pub(crate) quantity: i64,
    /// How many of them are reserved, while [`Content::held_until`] lasts.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) held: i64,
    pub(crate) seen: Seen,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// What a variant was when it was put into the cart: shown when the catalogue knows it no more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) product_id: ProductId,
    pub(crate) slug: String,
    pub(crate) sku: String,
    pub(crate) title: String,
}

impl From<&PricedVariant> for Seen {
    fn from(variant: &PricedVariant) -> Self {
        Self {
            product_id: variant.product_id,
            slug: variant.slug.clone(),
            sku: variant.sku.clone(),
            title: variant.title.clone(),
        }
    }
}

impl Cart {
    /// A cart without lines.
    pub(crate) fn empty(
        id: CartId,
        order_id: OrderId,
        customer_id: Option<CustomerId>,
        currency: Currency,
        now: Timestamp,
    ) -> Self {
        let content = Content {
            owned_at: customer_id.map(|_| now),
            ..Content::default()
        };
        Self {
            id,
            customer_id,
            order_id,
            version: 1,
            state: CartState::Open,
            currency,
            content: Json(content),
            created_at: now,
            updated_at: now,
            expires_at: now,
        }
    }

    pub(crate) fn lines(&self) -> &[Line] {
        &self.content.0.lines
    }

    /// Whether it is there for `caller`: not expired, not merged, not somebody else's.
    pub(crate) fn there_for(&self, caller: Option<CustomerId>, now: Timestamp) -> bool {
        self.expires_at > now
            && self.state != CartState::Merged
            && (self.customer_id.is_none() || self.customer_id == caller)
    }

    /// Fails if it can only be read.
    pub(crate) fn check_open(&self) -> Result<(), CartError> {
        match self.state {
            CartState::Open => Ok(()),
            CartState::Completed => Err(CartError::Completed),
            CartState::Merged => Err(CartError::NotFound("cart")),
        }
    }

    /// The same cart in its next version, with its life beginning anew.
    pub(crate) fn touch(&mut self, config: &Config, now: Timestamp) {
        self.version += 1;
        self.updated_at = now;
        self.prolong(config, now);
    }

    /// Lets its life begin anew.
    pub(crate) fn prolong(&mut self, config: &Config, now: Timestamp) {
        let ttl = match (self.state, self.customer_id) {
            (CartState::Open, Some(_)) => config.customer_ttl,
            (CartState::Open, None) => config.guest_ttl,
            _ => config.completed_ttl,
        };
        self.expires_at = next_hour(now.plus(ttl));
    }

    /// Puts `quantity` pieces of a variant into it: onto its line if it has one.
    pub(crate) fn add(
        &mut self,
        line_id: LineId,
        variant: &PricedVariant,
        quantity: i64,
    ) -> Result<(), CartError> {
        let lines = &mut self.content.0.lines;
        let present = lines
            .iter_mut()
            .find(|line| line.variant_id == variant.variant_id);
        if let Some(line) = present {
            let sum = line.quantity.saturating_add(quantity);
            if sum > MOST_PIECES {
                return Err(CartError::TooManyPieces);
            }
            line.quantity = sum;
            return Ok(());
        }
        if lines.len() >= MOST_LINES {
            return Err(CartError::TooManyLines);
        }
        lines.push(Line {
            id: line_id,
            variant_id: variant.variant_id,
            quantity,
            held: 0,
            seen: variant.into(),
        });
        Ok(())
    }

    /// Sets how many pieces a line has.
    pub(crate) fn set_quantity(&mut self, id: LineId, quantity: i64) -> Result<(), CartError> {
        let lines = &mut self.content.0.lines;
        let line = lines.iter_mut().find(|line| line.id == id);
        line.ok_or(CartError::NotFound("line"))?.quantity = quantity;
        Ok(())
    }

    /// Takes a line out.
    pub(crate) fn remove(&mut self, id: LineId) -> Result<(), CartError> {
        let lines = &mut self.content.0.lines;
        let index = lines.iter().position(|line| line.id == id);
        lines.remove(index.ok_or(CartError::NotFound("line"))?);
        Ok(())
    }

    /// Makes a guest's cart that of a customer.
    pub(crate) fn give_to(&mut self, customer: CustomerId, now: Timestamp) {
        self.customer_id = Some(customer);
        self.content.0.owned_at = Some(now);
    }

    /// Takes in the lines and details of another cart of the same currency, once however often it
    /// is asked to. Quantities add up, to the limits; where both have a detail, this cart's stays.
    pub(crate) fn absorb(&mut self, other: &Self) {
        let (id, other) = (other.id, &other.content.0);
        let content = &mut self.content.0;
        if content.absorbed.contains(&id) {
            return;
        }
        if content.absorbed.len() == MOST_ABSORBED {
            content.absorbed.remove(0);
        }
        content.absorbed.push(id);
        for line in &other.lines {
            let same = |mine: &&mut Line| mine.variant_id == line.variant_id;
            if let Some(mine) = content.lines.iter_mut().find(same) {
                mine.quantity = (mine.quantity + line.quantity).min(MOST_PIECES);
            } else if content.lines.len() < MOST_LINES {
                let held = 0;
                content.lines.push(Line {
                    held,
                    ..line.clone()
                });
            }
        }
        fill(&mut content.email, &other.email);
        fill(&mut content.shipping_address, &other.shipping_address);
        fill(&mut content.billing_address, &other.billing_address);
        fill(&mut content.shipping_option, &other.shipping_option);
        fill(&mut content.payment, &other.payment);
        for code in &other.promotion_codes {
            let codes = &mut content.promotion_codes;
            if codes.len() < MOST_CODES && !codes.contains(code) {
                codes.push(code.clone());
            }
        }
    }

    /// Makes it the record of what was sold.
    pub(crate) fn complete(&mut self, sold: PricedCart, config: &Config, now: Timestamp) {
        self.state = CartState::Completed;
        self.content.0.sold = Some(sold);
        self.touch(config, now);
    }

    /// What it has reserved, as far as it knows. What it held is the order's, or the other cart's,
    /// once it is not open any more.
    pub(crate) fn held(&self) -> Vec<ReserveLine> {
        let open = self.state == CartState::Open;
        let held = self.lines().iter().filter(|line| open && line.held > 0);
        held.map(|line| ReserveLine {
            variant_id: line.variant_id,
            quantity: line.held,
        })
        .collect()
    }

    /// Notes what is reserved for it now, and until when.
    pub(crate) fn hold(&mut self, reserved: &[ReserveLine], until: Timestamp) {
        let content = &mut self.content.0;
        for line in &mut content.lines {
            let mine = reserved
                .iter()
                .find(|reserved| reserved.variant_id == line.variant_id);
            line.held = mine.map_or(0, |reserved| reserved.quantity);
        }
        content.held_until = (!reserved.is_empty()).then_some(until);
    }
}

fn fill<T: Clone>(mine: &mut Option<T>, other: &Option<T>) {
    if mine.is_none() {
        mine.clone_from(other);
    }
}

/// The next full hour: most changes then leave the index of expiries as it is.
fn next_hour(time: Timestamp) -> Timestamp {
    const HOUR: i64 = 3_600_000_000;
    let hours = time.micros().saturating_add(HOUR - 1).div_euclid(HOUR);
    Timestamp::from_micros(hours.saturating_mul(HOUR))
}

#[cfg(test)]
pub(crate) mod samples {
    use contracts::product::InventoryMode;
    use kernel::{Money, Sources};

    use super::*;

    /// A variant that can be bought for EUR 10.00.
    pub(crate) fn variant() -> PricedVariant {
        let sources = Sources::system();
        PricedVariant {
            variant_id: sources.id(),
            product_id: sources.id(),
            slug: String::from("mug"),
            sku: String::from("MUG"),
            title: String::from("Mug"),
            variant_title: String::new(),
            image_url: None,
            unit_price: Some(Money::new(10_00, Currency::EUR)),
            purchasable: true,
            requires_shipping: true,
            inventory: InventoryMode::ReserveOnOrder,
            available: Some(5),
        }
    }

    /// A guest's cart in euros without lines.
    pub(crate) fn cart() -> Cart {
        let sources = Sources::system();
        let now = Timestamp::from_micros(0);
        let mut cart = Cart::empty(sources.id(), sources.id(), None, Currency::EUR, now);
        cart.expires_at = Timestamp::from_micros(i64::MAX);
        cart
    }

    /// Puts pieces into a cart, under a line id of their own.
    pub(crate) fn put(cart: &mut Cart, variant: &PricedVariant, quantity: i64) {
        let id = Sources::system().id();
        cart.add(id, variant, quantity).expect("within the limits");
    }
}

#[cfg(test)]
mod tests {
    use kernel::Sources;

    use super::samples::{cart, put, variant};
    use super::*;

    #[test]
    fn a_variant_has_one_line_with_a_limit() {
        let (mut cart, mug) = (cart(), variant());
        put(&mut cart, &mug, 2);
        put(&mut cart, &mug, 3);
        assert_eq!(cart.lines().len(), 1);
        assert_eq!(cart.lines()[0].quantity, 5);
        let id = Sources::system().id();
        let full = cart.add(id, &mug, MOST_PIECES - 4);
        assert!(matches!(full, Err(CartError::TooManyPieces)));
        assert_eq!(cart.lines()[0].quantity, 5);
    }

    #[test]
    fn merging_adds_up_to_the_limits_and_happens_once() {
        let (mut mine, mut theirs) = (cart(), cart());
        let (both, other) = (variant(), variant());
        put(&mut mine, &both, MOST_PIECES - 1);
        put(&mut theirs, &both, 5);
        put(&mut theirs, &other, 2);
        mine.content.0.email = "mine@example.com".parse().ok();
        theirs.content.0.email = "theirs@example.com".parse().ok();
        theirs.content.0.shipping_option = Some(String::from("express"));
        theirs.content.0.promotion_codes = vec![String::from("WELCOME")];
        for _ in 0..2 {
            mine.absorb(&theirs);
            let quantities: Vec<i64> = mine.lines().iter().map(|line| line.quantity).collect();
            assert_eq!(quantities, [MOST_PIECES, 2]);
        }
        let content = &mine.content.0;
        assert_eq!(
            content.email.as_ref().map(Email::as_str),
            Some("mine@example.com")
        );
        assert_eq!(content.shipping_option.as_deref(), Some("express"));
        assert_eq!(content.promotion_codes, ["WELCOME"]);
    }

    #[test]
    fn merging_keeps_to_the_number_of_lines() {
        let (mut mine, mut theirs) = (cart(), cart());
        (0..MOST_LINES - 1).for_each(|_| put(&mut mine, &variant(), 1));
        (0..3).for_each(|_| put(&mut theirs, &variant(), 1));
        mine.absorb(&theirs);
        assert_eq!(mine.lines().len(), MOST_LINES);
        let id = Sources::system().id();
        let full = mine.add(id, &variant(), 1);
        assert!(matches!(full, Err(CartError::TooManyLines)));
    }

    #[test]
    fn a_customers_cart_is_there_for_that_customer_only() {
        let sources = Sources::system();
        let (ada, bob) = (sources.id(), sources.id());
        let mut cart = cart();
        let now = Timestamp::from_micros(1);
        assert!(cart.there_for(None, now) && cart.there_for(Some(bob), now));
        cart.give_to(ada, now);
        assert!(cart.there_for(Some(ada), now));
        assert!(!cart.there_for(Some(bob), now) && !cart.there_for(None, now));
        assert!(!cart.there_for(Some(ada), cart.expires_at));
    }

    #[test]
    fn an_empty_document_is_an_empty_cart() {
        let content: Content = serde_json::from_str("{}").expect("a document");
        assert_eq!(serde_json::to_string(&content).expect("json"), "{}");
    }
}
