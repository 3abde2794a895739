//! What the catalogue and the promotions say about the things in a cart, asked before anything is
//! decided, and never while a transaction is open.

use std::collections::HashMap;

use contracts::product::{InventoryMode, PriceVariants, PricedVariant, VariantId};
use kernel::{Currency, Money};

use crate::model::Cart;
use crate::promotion::Promotion;
use crate::{CartError, CartService, store};

/// Answers to all that was asked about a cart.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    currency: Currency,
    /// By what was asked; `None` if the catalogue does not know it.
    variants: HashMap<VariantId, Option<PricedVariant>>,
    /// By what was asked; `None` if there is no such promotion.
    promotions: Vec<(String, Option<Promotion>)>,
}

impl Known {
    /// Whether everything was asked that `cart` depends on.
    pub(crate) fn covers(&self, cart: &Cart) -> bool {
        let lines = cart.lines().iter();
        let mut codes = cart.content.0.promotion_codes.iter();
        lines
            .map(|line| line.variant_id)
            .all(|id| self.variants.contains_key(&id))
            && codes.all(|code| self.promotions.iter().any(|(asked, _)| asked == code))
    }

    /// The variant, if the catalogue knows it.
    pub(crate) fn variant(&self, id: VariantId) -> Option<&PricedVariant> {
        self.variants.get(&id)?.as_ref()
    }

    /// The variant, to be moved into a view.
    pub(crate) fn take(&mut self, id: VariantId) -> Option<PricedVariant> {
        self.variants.remove(&id)?
    }

    /// The variant, if it can be bought in the cart's currency. `field` names it in the request.
    pub(crate) fn purchasable(
        &self,
        id: VariantId,
        field: impl FnOnce() -> String,
    ) -> Result<&PricedVariant, CartError> {
        let Some(variant) = self.variant(id).filter(|variant| variant.purchasable) else {
            return Err(CartError::NotPurchasable { pointer: field() });
        };
        if variant.unit_price.is_none() {
            return Err(CartError::NoPrice {
                pointer: field(),
                currency: self.currency,
            });
        }
        Ok(variant)
    }

    /// The promotion with this code.
    pub(crate) fn promotion(&self, code: &str) -> Option<&Promotion> {
        let found = self.promotions.iter().find(|(asked, _)| asked == code);
        found?.1.as_ref()
    }

    /// The promotions of a cart, in its order.
    pub(crate) fn promotions_of(&mut self, cart: &Cart) -> Vec<Promotion> {
        let codes = &cart.content.0.promotion_codes;
        codes
            .iter()
            .filter_map(|code| {
                let asked = self.promotions.iter_mut().find(|(asked, _)| asked == code);
                asked?.1.take()
            })
            .collect()
    }

    /// Whether stock of any of the variants is reserved as soon as it is in a cart.
    pub(crate) fn reserves_on_cart(&self) -> bool {
        self.variants
            .values()
            .flatten()
            .any(|variant| variant.inventory == InventoryMode::ReserveOnCart)
    }

    /// What the lines of a cart cost before discounts.
    pub(crate) fn subtotal(&self, cart: &Cart) -> Result<Money, CartError> {
        let zero = Money::zero(self.currency);
        let mut sum = zero;
        for line in cart.lines() {
            let variant = self.variant(line.variant_id);
            let unit = variant.and_then(|variant| variant.unit_price);
            sum = sum.plus(unit.unwrap_or(zero).times(line.quantity)?)?;
        }
        Ok(sum)
    }
}

impl CartService {
    /// Asks about a cart, and about variants and codes that may come into it: one question to the
    /// catalogue however many there are, and one for promotions if there are codes.
    pub(crate) async fn look_up(
        &self,
        cart: &Cart,
        variants: &[VariantId],
        codes: &[String],
    ) -> Result<Known, CartError> {
        let present = cart.lines().iter().map(|line| line.variant_id);
        let asked = present.chain(variants.iter().copied());
        let mut variants: HashMap<_, _> = asked.map(|id| (id, None)).collect();
        let mut promotions: Vec<(String, Option<Promotion>)> = Vec::new();
        for code in cart.content.0.promotion_codes.iter().chain(codes) {
            if !promotions.iter().any(|(asked, _)| asked == code) {
                promotions.push((code.clone(), None));
            }
        }
        if !promotions.is_empty() {
            let codes: Vec<String> = promotions.iter().map(|(code, _)| code.clone()).collect();
            let found = store::promotions(&self.db.read().await?, &codes).await?;
            for promotion in found {
                let asked = promotions
                    .iter_mut()
                    .find(|(code, _)| *code == promotion.code);
                if let Some((_, answer)) = asked {
                    *answer = Some(promotion);
                }
            }
        }
        if !variants.is_empty() {
            let request = PriceVariants {
                variant_ids: variants.keys().copied().collect(),
                currency: cart.currency,
            };
            for variant in self.product.price_variants(request).await? {
                variants.insert(variant.variant_id, Some(variant));
            }
        }
        Ok(Known {
            currency: cart.currency,
            variants,
            promotions,
        })
    }
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    /// Answers about the lines and codes of `cart`, in which the catalogue knows `variants`.
    pub(crate) fn known(cart: &Cart, variants: &[PricedVariant]) -> Known {
        let lines = cart.lines().iter().map(|line| (line.variant_id, None));
        let known = variants.iter().cloned();
        let known = known.map(|variant| (variant.variant_id, Some(variant)));
        let codes = cart.content.0.promotion_codes.iter();
        Known {
            currency: cart.currency,
            variants: lines.chain(known).collect(),
            promotions: codes.map(|code| (code.clone(), None)).collect(),
        }
    }
}
