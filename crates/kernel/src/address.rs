//! Postal addresses and the countries that they lie in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::{PartialSchema, ToSchema};

use crate::{Validate, Violations};

/// An ISO 3166-1 alpha-2 country code such as `DE`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

/// The text is not a country code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an ISO 3166-1 country code such as DE")]
pub struct UnknownCountry;

impl Country {
    /// The two letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).expect("country codes are ASCII")
    }
}

impl FromStr for Country {
    type Err = UnknownCountry;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        let letters: [u8; 2] = code.as_bytes().try_into().map_err(|_| UnknownCountry)?;
        if !letters.iter().all(u8::is_ascii_uppercase) {
            return Err(UnknownCountry);
        }
        code.parse::<iso_currency::Country>()
            .map_err(|_| UnknownCountry)?;
        Ok(Self(letters))
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Country {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        code.parse().map_err(serde::de::Error::custom)
    }
}

impl PartialSchema for Country {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some("^[A-Z]{2}$"))
            .description(Some("ISO 3166-1 alpha-2 country code"))
            .examples(["DE"])
            .into()
    }
}

impl ToSchema for Country {}

/// Where a parcel or an invoice goes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// Full name of the person or company.
    #[schema(max_length = 200, example = "Ada Lovelace")]
    pub name: String,
    /// Street and number.
    #[schema(max_length = 200, example = "12 St James's Square")]
    pub line1: String,
    /// Flat, floor, care of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub line2: Option<String>,
    /// Town or city.
    #[schema(max_length = 200, example = "London")]
    pub city: String,
    /// State, province or county.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub region: Option<String>,
    /// Postal code; some countries have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20, example = "SW1Y 4JH")]
    pub postal_code: Option<String>,
    /// Decides tax and shipping.
    pub country: Country,
    /// For the carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 50)]
    pub phone: Option<String>,
}

impl Validate for Address {
    fn validate(&self, violations: &mut Violations) {
        violations.text("name", &self.name, 1..=200);
        violations.text("line1", &self.line1, 1..=200);
        violations.text("city", &self.city, 1..=200);
        let optional = [("line2", &self.line2, 200), ("region", &self.region, 200)];
        for (field, value, max) in optional.into_iter().chain([
            ("postal_code", &self.postal_code, 20),
            ("phone", &self.phone, 50),
        ]) {
            if let Some(value) = value {
                violations.text(field, value, 1..=max);
            }
        }
    }
}

/// Only the country: the rest is personal.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address([redacted], {})", self.country)
    }
}
