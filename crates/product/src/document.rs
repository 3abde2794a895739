//! Products as they are kept and sent: JSON that is written when a product changes and only filled
//! in when it is read, without being parsed.
//!
//! What depends on stock is left blank in what is kept: `"available":null` in each variant, and
//! `"in_stock":false` as the last field of products and summaries. Neither text can come from a
//! user: within a JSON string its quotes would be escaped, and the only keys that users choose, the
//! names of options, have strings as their values.

use kernel::stored::{Form, NotStored};
use kernel::{Scalar, Stored};
use platform::http::ETag;

use crate::model::{Product, ProductSummary};

const AVAILABLE_BLANK: &str = "\"available\":null";
const AVAILABLE_KEY: &str = "\"available\":";
const LAST_FIELD_BLANK: &str = "\"in_stock\":false}";
const LAST_FIELD_TRUE: &str = "\"in_stock\":true}";

/// JSON that we wrote ourselves, with blanks; read without being checked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blank(String);

/// What is kept is not what was written: a blank is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored product does not have the blanks that it was written with")]
pub(crate) struct BlankMissing;

impl Stored for Blank {
    const FORM: Form = Form::Json;

    fn store(&self) -> Scalar<'_> {
        Scalar::Json(self.0.as_str().into())
    }

    fn load(scalar: Scalar<'_>) -> Result<Self, NotStored> {
        match scalar {
            Scalar::Json(text) => Ok(Self(text.into_owned())),
            other => Err(NotStored::new::<Self>(&other)),
        }
    }
}

impl Blank {
    /// The document of a product.
    pub(crate) fn product(product: &Product) -> Self {
        let mut blank = product.clone();
        blank.in_stock = false;
        for variant in &mut blank.variants {
            variant.available = None;
        }
        Self(serde_json::to_string(&blank).expect("products are plain data"))
    }

    /// The summary of a product.
    pub(crate) fn summary(product: &Product) -> Self {
        let summary = ProductSummary {
            in_stock: false,
            ..product.summary()
        };
        Self(serde_json::to_string(&summary).expect("summaries are plain data"))
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The product that was written; nothing is in stock.
    pub(crate) fn parse(&self) -> Result<Product, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// Appends a summary to `out`.
    pub(crate) fn fill_summary(
        &self,
        in_stock: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), BlankMissing> {
        fill_last_field(&self.0, in_stock, out)
    }

    /// The product as clients get it. `available` has one element for each variant, in order.
    pub(crate) fn fill_product(&self, available: &[Option<i64>]) -> Result<Vec<u8>, BlankMissing> {
        let mut out = Vec::with_capacity(self.0.len() + 8 * available.len());
        let mut parts = self.0.split(AVAILABLE_BLANK);
        let mut part = parts.next().ok_or(BlankMissing)?;
        for count in available {
            out.extend_from_slice(part.as_bytes());
            out.extend_from_slice(AVAILABLE_KEY.as_bytes());
            match count {
                // The number of pieces, as JSON writes it.
                Some(count) => out.extend_from_slice(count.to_string().as_bytes()),
                None => out.extend_from_slice(b"null"),
            }
            part = parts.next().ok_or(BlankMissing)?;
        }
        if parts.next().is_some() {
            return Err(BlankMissing);
        }
        fill_last_field(part, in_stock(available), &mut out)?;
        Ok(out)
    }
}

fn fill_last_field(blank: &str, in_stock: bool, out: &mut Vec<u8>) -> Result<(), BlankMissing> {
    let head = blank.strip_suffix(LAST_FIELD_BLANK).ok_or(BlankMissing)?;
    out.extend_from_slice(head.as_bytes());
    let tail = if in_stock {
        LAST_FIELD_TRUE
    } else {
        LAST_FIELD_BLANK
    };
    out.extend_from_slice(tail.as_bytes());
    Ok(())
}

/// Whether one of the variants can be bought.
pub(crate) fn in_stock(available: &[Option<i64>]) -> bool {
    available
        .iter()
        .any(|count| count.is_none_or(|count| count > 0))
}

/// The tag of a product with this stock.
pub(crate) fn etag(version: i64, available: &[Option<i64>]) -> ETag {
    ETag::with_rest(version, fingerprint(available))
}

/// What sets the stock of one moment apart from that of another (FNV-1a).
fn fingerprint(available: &[Option<i64>]) -> u32 {
    let bytes = available
        .iter()
        .flat_map(|count| count.unwrap_or(-1).to_le_bytes());
    bytes.fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::tests::mug;
    use crate::model::{Image, ProductOption};

    /// Texts that try to look like blanks.
    fn hostile() -> impl Strategy<Value = String> {
        prop_oneof![
            Just(String::from("available")),
            Just(String::from("\"available\":null")),
            Just(String::from("\\\"available\":null,")),
            Just(String::from("\"in_stock\":false}")),
            Just(String::from("null")),
            any::<String>(),
        ]
    }

    proptest! {
        #[test]
        fn filling_in_is_what_writing_anew_would_be(
            texts in prop::array::uniform8(hostile()),
            counts in prop::collection::vec(prop::option::of(0_i64..), 1..5),
        ) {
            let mut product = mug();
            let [slug, title, description, vendor, tag, url, name, value] = texts;
            product.vendor = Some(vendor);
            product.tags = vec![tag];
            product.images = vec![Image { url: url.clone(), alt: url }];
            product.options = vec![ProductOption { name: name.clone(), values: vec![value.clone()] }];
            (product.slug, product.title, product.description) = (slug, title, description);
            product.variants[0].options.insert(name, value.clone());
            product.variants[0].barcode = Some(value);
            product.variants = vec![product.variants[0].clone(); counts.len()];
            let blank = Blank::product(&product);
            prop_assert_eq!(&blank.parse().expect("readable"), &product);

            for (variant, count) in product.variants.iter_mut().zip(&counts) {
                variant.available = *count;
            }
            product.in_stock = in_stock(&counts);
            let filled = blank.fill_product(&counts).expect("the blanks are there");
            prop_assert_eq!(filled, serde_json::to_vec(&product).expect("json"));

            let (mut filled, summary) = (Vec::new(), Blank::summary(&product));
            summary.fill_summary(product.in_stock, &mut filled).expect("the blank is there");
            prop_assert_eq!(filled, serde_json::to_vec(&product.summary()).expect("json"));
        }
    }

    #[test]
    fn a_document_with_other_variants_is_not_filled_in() {
        let blank = Blank::product(&mug());
        assert_eq!(blank.fill_product(&[]), Err(BlankMissing));
        assert_eq!(blank.fill_product(&[None, None]), Err(BlankMissing));
    }

    #[test]
    fn fingerprints_tell_stock_apart() {
        let prints = [&[Some(1)][..], &[Some(2)], &[None], &[Some(1), Some(1)]];
        let prints: std::collections::BTreeSet<u32> = prints.into_iter().map(fingerprint).collect();
        assert_eq!(prints.len(), 4);
    }
}
