//! The tags of answers by which shared caches purge them, as the events of this service name what
//! has changed: `product-{subject}`, and `products` for whatever shows several.

use contracts::product::ProductId;
use http::HeaderValue;

/// That of lists and searches: any product may come, go or change its place in them.
pub(crate) fn of_lists() -> HeaderValue {
    HeaderValue::from_static("products")
}

/// That of one product.
pub(crate) fn of_product(id: ProductId) -> HeaderValue {
    let tag = HeaderValue::try_from(format!("product-{id}"));
    tag.expect("an id has letters and digits")
}
