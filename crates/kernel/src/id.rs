//! Typed identifiers: a UUIDv7 inside, a prefixed, sortable text outside.
//!
//! The text form follows the [TypeID specification 0.3](https://github.com/jetify-com/typeid):
//! `ord_01k3v7m0s2ev3bq1w1m2r8x5zc` is the prefix, an underscore, and the 128 bits in Crockford's
//! base 32 (lower case, 26 characters, most significant first), so texts sort as the ids do.

use std::fmt;

use uuid::Uuid;

/// What all identifier types have in common; made by [`id_type!`](crate::id_type).
pub trait Id: Copy + Eq + fmt::Display + Send + Sync + 'static {
    /// The letters before the underscore, such as `ord`.
    const PREFIX: &'static str;
    /// Wraps a UUID. Fresh ids come from [`Sources::id`](crate::Sources::id).
    fn from_uuid(uuid: Uuid) -> Self;
    /// The UUID inside, as the databases store it.
    fn uuid(self) -> Uuid;
}

/// Why a text is not an identifier of the wanted type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The prefix is missing or names another type.
    #[error("expected an id that starts with `{expected}_`")]
    Prefix {
        /// The prefix that was wanted.
        expected: &'static str,
    },
    /// What follows the prefix is not 26 characters of Crockford's base 32 below 2^128.
    #[error("malformed id after `{expected}_`")]
    Malformed {
        /// The prefix that was wanted.
        expected: &'static str,
    },
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const TEXT_LEN: usize = 26;

const DECODE: [u8; 256] = {
    let mut table = [0xff; 256];
    let mut i = 0;
    while i < 32 {
        table[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    table
};

/// Writes `prefix_` and the 26 characters of `uuid`.
pub fn write_text(prefix: &str, uuid: Uuid, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [0_u8; TEXT_LEN];
    let mut bits = uuid.as_u128();
    for slot in text.iter_mut().rev() {
        *slot = ALPHABET[(bits & 31) as usize];
        bits >>= 5;
    }
    f.write_str(prefix)?;
    f.write_str("_")?;
    f.write_str(std::str::from_utf8(&text).expect("the alphabet is ASCII"))
}

/// Reads what [`write_text`] wrote.
pub fn parse_text(prefix: &'static str, text: &str) -> Result<Uuid, IdError> {
    let rest = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .ok_or(IdError::Prefix { expected: prefix })?;
    let malformed = IdError::Malformed { expected: prefix };
    // 26 characters hold 130 bits: the first may only use three of its five.
    if rest.len() != TEXT_LEN || rest.as_bytes()[0] > b'7' {
        return Err(malformed);
    }
    let mut bits: u128 = 0;
    for &byte in rest.as_bytes() {
        let digit = DECODE[byte as usize];
        if digit == 0xff {
            return Err(malformed);
        }
        bits = (bits << 5) | u128::from(digit);
    }
    Ok(Uuid::from_u128(bits))
}

/// Declares an identifier type.
///
/// ```
/// kernel::id_type!(
///     /// Names one order.
///     pub OrderId, "ord"
/// );
/// let id: OrderId = "ord_01k3v7m0s2ev3bq1w1m2r8x5zc".parse().unwrap();
/// assert_eq!(id.to_string(), "ord_01k3v7m0s2ev3bq1w1m2r8x5zc");
/// assert!("cart_01k3v7m0s2ev3bq1w1m2r8x5zc".parse::<OrderId>().is_err());
/// ```
#[macro_export]
macro_rules! id_type {
    ($(#[$doc:meta])* $vis:vis $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis struct $name($crate::id::uuid::Uuid);

        impl $crate::Id for $name {
            const PREFIX: &'static str = $prefix;
            fn from_uuid(uuid: $crate::id::uuid::Uuid) -> Self {
                Self(uuid)
            }
            fn uuid(self) -> $crate::id::uuid::Uuid {
                self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                $crate::id::write_text($prefix, self.0, f)
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(self, f)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::IdError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::id::parse_text($prefix, text).map(Self)
            }
        }

        impl $crate::id::serde::Serialize for $name {
            fn serialize<S: $crate::id::serde::Serializer>(
                &self,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> $crate::id::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::id::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Self, D::Error> {
                let text = <::std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err($crate::id::serde::de::Error::custom)
            }
        }

        impl $crate::id::utoipa::PartialSchema for $name {
            fn schema() -> $crate::id::utoipa::openapi::RefOr<$crate::id::utoipa::openapi::Schema> {
                $crate::id::text_schema($prefix).into()
            }
        }

        impl $crate::id::utoipa::ToSchema for $name {}

        impl $crate::Stored for $name {
            const FORM: $crate::stored::Form = $crate::stored::Form::Uuid;
            fn store(&self) -> $crate::Scalar<'_> {
                $crate::Scalar::Uuid(self.0)
            }
            fn load(scalar: $crate::Scalar<'_>) -> Result<Self, $crate::stored::NotStored> {
                $crate::id::uuid::Uuid::load(scalar).map(Self)
            }
        }
    };
}

#[doc(hidden)]
pub use {serde, utoipa, uuid};

/// The OpenAPI schema of an identifier with this prefix.
pub fn text_schema(prefix: &str) -> utoipa::openapi::Schema {
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .pattern(Some(format!("^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$")))
        .into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use crate::{Id, IdError};

    crate::id_type!(TestId, "test");

    proptest! {
        #[test]
        fn text_and_back(bits: u128) {
            let id = TestId::from_uuid(Uuid::from_u128(bits));
            prop_assert_eq!(id.to_string().parse::<TestId>(), Ok(id));
        }

        #[test]
        fn texts_sort_as_ids(a: u128, b: u128) {
            let text = |bits| TestId::from_uuid(Uuid::from_u128(bits)).to_string();
            prop_assert_eq!(a.cmp(&b), text(a).cmp(&text(b)));
        }
    }

    #[test]
    fn known_vector_of_the_specification() {
        let uuid = Uuid::parse_str("01890a5d-ac96-774b-bcce-b302099a8057").expect("a uuid");
        assert_eq!(
            TestId::from_uuid(uuid).to_string(),
            "test_01h455vb4pex5vsknk084sn02q"
        );
    }

    #[test]
    fn refuses_what_is_no_id() {
        let malformed = Err(IdError::Malformed { expected: "test" });
        assert_eq!(
            "test_80000000000000000000000000".parse::<TestId>(),
            malformed
        );
        assert_eq!(
            "test_0000000000000000000000000u".parse::<TestId>(),
            malformed
        );
        assert_eq!(
            "test_é000000000000000000000000".parse::<TestId>(),
            malformed
        );
        assert_eq!(
            "test".parse::<TestId>(),
            Err(IdError::Prefix { expected: "test" })
        );
    }
}
