//! Values as people write them.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// `"250ms"`, `"30s"`.
pub(super) fn some_duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    platform::config::duration(&text).ok_or_else(|| {
        D::Error::custom("expected a duration such as \"250ms\", \"30s\" or \"15m\"")
    })
}

/// The same, if it is there.
pub(super) fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    some_duration(from).map(Some)
}

/// A share of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Percent(pub(crate) u32);

impl Default for Percent {
    fn default() -> Self {
        Self(20)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let number = text
            .strip_suffix('%')
            .and_then(|number| number.trim().parse().ok());
        match number {
            Some(number) if number <= 100 => Ok(Self(number)),
            _ => Err(D::Error::custom("expected a share such as \"20%\"")),
        }
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) usize);

impl Default for Size {
    fn default() -> Self {
        Self(1 << 20)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let size = platform::config::bytes(&text);
        size.map(Self)
            .ok_or_else(|| D::Error::custom("expected a size such as \"64KiB\" or \"1MiB\""))
    }
}
