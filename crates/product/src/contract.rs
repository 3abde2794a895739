//! What other services may ask.

use std::collections::HashMap;

use contracts::product::{
    FindProducts, PriceVariants, PricedVariant, ProductApi, ProductId, ReleaseStock, Reservation,
    ReserveStock, VariantId,
};
use kernel::Money;
use kernel::contract::Answer;

use crate::model::ProductStatus;
use crate::store::products::{self, CartVariant};
use crate::{ProductError, ProductService};

impl ProductApi for ProductService {
    fn price_variants(&self, request: PriceVariants) -> Answer<'_, Vec<PricedVariant>> {
        Box::pin(async move { Ok(self.price_variants(request).await?) })
    }

    fn find_products(&self, request: FindProducts) -> Answer<'_, Vec<ProductId>> {
        Box::pin(async move { Ok(self.find_products(request).await?) })
    }

    fn reserve_stock(&self, request: ReserveStock) -> Answer<'_, Reservation> {
        Box::pin(self.reserve_stock(request))
    }

    fn release_stock(&self, request: ReleaseStock) -> Answer<'_, ()> {
        Box::pin(self.release_stock(request))
    }
}

impl ProductService {
    async fn find_products(&self, request: FindProducts) -> Result<Vec<ProductId>, ProductError> {
        let FindProducts { mut product_ids } = request;
        let tx = self.db.read().await?;
        let on_sale = products::on_sale(&tx, &product_ids).await?;
        product_ids.retain(|id| on_sale.contains(id));
        Ok(product_ids)
    }

    async fn price_variants(
        &self,
        request: PriceVariants,
    ) -> Result<Vec<PricedVariant>, ProductError> {
        let PriceVariants {
            variant_ids,
            currency,
        } = request;
        let tx = self.db.read().await?;
        let found = products::cart_variants(&tx, &variant_ids).await?;
        let mut found: HashMap<VariantId, CartVariant> =
            found.into_iter().map(|row| (row.id, row)).collect();
        let mut priced = Vec::with_capacity(found.len());
        // In the order in which they were asked for.
        for id in variant_ids {
            let Some(row) = found.remove(&id) else {
                continue;
            };
            let price = row.prices.0.get(currency.code());
            priced.push(PricedVariant {
                variant_id: row.id,
                product_id: row.product_id,
                slug: row.slug,
                sku: row.sku,
                title: row.title,
                variant_title: row.variant_title,
                image_url: row.image_url,
                unit_price: price.map(|minor| Money::new(*minor, currency)),
                purchasable: row.status == ProductStatus::Active,
                requires_shipping: row.requires_shipping,
                inventory: row.inventory,
                available: row.available,
            });
        }
        Ok(priced)
    }
}
