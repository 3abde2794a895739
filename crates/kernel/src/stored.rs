//! How small values are kept in a database: the handful of primitive forms that every engine has,
//! and which of them each type takes. The database layer knows only these forms.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::{Country, Currency, Email, Rate, Timestamp};

/// The form of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// True or false.
    Bool,
    /// 64 bits, signed.
    Int,
    /// UTF-8.
    Text,
    /// Microseconds in UTC.
    Time,
    /// 128 bits.
    Uuid,
    /// A JSON document.
    Json,
    /// Any bytes.
    Bytes,
}

/// A value in one of the forms; borrows what is long.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar<'a> {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// 64 bits, signed.
    Int(i64),
    /// UTF-8.
    Text(Cow<'a, str>),
    /// Microseconds in UTC.
    Time(Timestamp),
    /// 128 bits.
    Uuid(Uuid),
    /// A JSON document, as text.
    Json(Cow<'a, str>),
    /// Any bytes.
    Bytes(Cow<'a, [u8]>),
    /// A list of ids, for `= ANY(..)`; only ever a parameter.
    Uuids(Cow<'a, [Uuid]>),
}

impl Scalar<'_> {
    /// The same value, owning everything.
    pub fn into_owned(self) -> Scalar<'static> {
        match self {
            Self::Null => Scalar::Null,
            Self::Bool(value) => Scalar::Bool(value),
            Self::Int(value) => Scalar::Int(value),
            Self::Text(value) => Scalar::Text(Cow::Owned(value.into_owned())),
            Self::Time(value) => Scalar::Time(value),
            Self::Uuid(value) => Scalar::Uuid(value),
            Self::Json(value) => Scalar::Json(Cow::Owned(value.into_owned())),
            Self::Bytes(value) => Scalar::Bytes(Cow::Owned(value.into_owned())),
            Self::Uuids(value) => Scalar::Uuids(Cow::Owned(value.into_owned())),
        }
    }
}

/// What a column holds is not a value of the wanted type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a stored value is not a {wanted}: {found}")]
pub struct NotStored {
    /// The type that was wanted.
    pub wanted: &'static str,
    /// What was found, without long contents.
    pub found: String,
}

impl NotStored {
    /// For a scalar that is not a `T`.
    pub fn new<T>(found: &Scalar<'_>) -> Self {
        let mut found = format!("{found:?}");
        found.truncate(
            found
                .char_indices()
                .nth(80)
                .map_or(found.len(), |(end, _)| end),
        );
        Self {
            wanted: std::any::type_name::<T>(),
            found,
        }
    }
}

/// A type that fits one column.
pub trait Stored: Sized {
    /// The form of its column.
    const FORM: Form;
    /// The value as it is kept.
    fn store(&self) -> Scalar<'_>;
    /// The value that was kept.
    fn load(scalar: Scalar<'_>) -> Result<Self, NotStored>;
}

macro_rules! stored {
    ($type:ty, $form:ident, $value:ident => $store:expr, $kept:ident => $load:expr) => {
        impl Stored for $type {
            const FORM: Form = Form::$form;
            fn store(&self) -> Scalar<'_> {
                let $value = self;
                Scalar::$form($store)
            }
            fn load(scalar: Scalar<'_>) -> Result<Self, NotStored> {
                let loaded = match &scalar {
                    Scalar::$form($kept) => $load,
                    _ => None,
                };
                loaded.ok_or_else(|| NotStored::new::<Self>(&scalar))
            }
        }
    };
}

stored!(bool, Bool, value => *value, kept => Some(*kept));
stored!(i64, Int, value => *value, kept => Some(*kept));
stored!(i32, Int, value => i64::from(*value), kept => i32::try_from(*kept).ok());
stored!(u32, Int, value => i64::from(*value), kept => u32::try_from(*kept).ok());
stored!(u16, Int, value => i64::from(*value), kept => u16::try_from(*kept).ok());
stored!(String, Text, value => Cow::Borrowed(value.as_str()), kept => Some(kept.clone().into_owned()));
stored!(Timestamp, Time, value => *value, kept => Some(*kept));
stored!(Uuid, Uuid, value => *value, kept => Some(*kept));
stored!(Vec<u8>, Bytes, value => Cow::Borrowed(value), kept => Some(kept.clone().into_owned()));
stored!(Currency, Text, value => Cow::Borrowed(value.code()), kept => kept.parse().ok());
stored!(Country, Text, value => Cow::Borrowed(value.code()), kept => kept.parse().ok());
stored!(Email, Text, value => Cow::Borrowed(value.as_str()), kept => kept.parse().ok());
stored!(Rate, Int, value => i64::from(value.ppm()), kept => {
    u32::try_from(*kept).ok().and_then(|ppm| Rate::from_ppm(ppm).ok())
});
stored!(Box<serde_json::value::RawValue>, Json, value => Cow::Borrowed(value.get()), kept => {
    serde_json::value::RawValue::from_string(kept.clone().into_owned()).ok()
});

impl Stored for &str {
    const FORM: Form = Form::Text;
    fn store(&self) -> Scalar<'_> {
        Scalar::Text(Cow::Borrowed(self))
    }
    fn load(scalar: Scalar<'_>) -> Result<Self, NotStored> {
        Err(NotStored::new::<Self>(&scalar))
    }
}

/// Only ever a parameter, as `&str` is: nothing is loaded into a reference.
impl<T: Stored> Stored for &T {
    const FORM: Form = T::FORM;
    fn store(&self) -> Scalar<'_> {
        T::store(self)
    }
    fn load(scalar: Scalar<'_>) -> Result<Self, NotStored> {
        Err(NotStored::new::<Self>(&scalar))
    }
}

impl<T: Stored> Stored for Option<T> {
    const FORM: Form = T::FORM;
    fn store(&self) -> Scalar<'_> {
        self.as_ref().map_or(Scalar::Null, T::store)
    }
    fn load(scalar: Scalar<'_>) -> Result<Self, NotStored> {
        match scalar {
            Scalar::Null => Ok(None),
            scalar => T::load(scalar).map(Some),
        }
    }
}

/// Any serialisable value, kept as a JSON document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Json<T>(pub T);

impl<T: Serialize + DeserializeOwned> Stored for Json<T> {
    const FORM: Form = Form::Json;
    fn store(&self) -> Scalar<'_> {
        let json = serde_json::to_string(&self.0).expect("stored values are plain data");
        Scalar::Json(Cow::Owned(json))
    }
    fn load(scalar: Scalar<'_>) -> Result<Self, NotStored> {
        let loaded = match &scalar {
            Scalar::Json(kept) => serde_json::from_str(kept).ok().map(Json),
            _ => None,
        };
        loaded.ok_or_else(|| NotStored::new::<T>(&scalar))
    }
}

/// Keeps an enum as a short text: the text of each variant is written down once, for the
/// database, for JSON and for people.
///
/// ```
/// kernel::text_enum! {
///     /// Where an order stands.
///     pub enum State { /// Not yet paid.
///         Pending = "pending", /// Paid.
///         Placed = "placed" }
/// }
/// assert_eq!(State::Placed.as_str(), "placed");
/// assert_eq!("pending".parse::<State>(), Ok(State::Pending));
/// ```
#[macro_export]
macro_rules! text_enum {
    (
        $(#[$doc:meta])*
        $vis:vis enum $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// Every variant.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The text that stands for this variant everywhere.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::stored::UnknownVariant;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::stored::UnknownVariant { expected: &[$($text),+] }),
                }
            }
        }

        impl $crate::id::serde::Serialize for $name {
            fn serialize<S: $crate::id::serde::Serializer>(
                &self,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
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
                $crate::stored::variants_schema(&[$($text),+]).into()
            }
        }

        impl $crate::id::utoipa::ToSchema for $name {}

        impl $crate::Stored for $name {
            const FORM: $crate::stored::Form = $crate::stored::Form::Text;
            fn store(&self) -> $crate::Scalar<'_> {
                $crate::Scalar::Text(::std::borrow::Cow::Borrowed(self.as_str()))
            }
            fn load(scalar: $crate::Scalar<'_>) -> Result<Self, $crate::stored::NotStored> {
                let loaded = match &scalar {
                    $crate::Scalar::Text(kept) => kept.parse().ok(),
                    _ => None,
                };
                loaded.ok_or_else(|| $crate::stored::NotStored::new::<Self>(&scalar))
            }
        }
    };
}

/// The OpenAPI schema of a text that is one of `variants`.
pub fn variants_schema(variants: &'static [&'static str]) -> utoipa::openapi::Schema {
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .enum_values(Some(variants.iter().copied()))
        .into()
}

/// A text that stands for no variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {}", expected.join(", "))]
pub struct UnknownVariant {
    /// The texts that stand for one.
    pub expected: &'static [&'static str],
}
